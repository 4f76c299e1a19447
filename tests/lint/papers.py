#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the documents say of the whole: few words of our own (docs/glossary.md), and what is left to others (docs/ARCHITECTURE.md).

A term of the glossary is used somewhere; what is left to others is done nowhere in src/: no name service, no time service, no network
but the loopback that every machine has.
"""

import re

from common import Report, line_of, read, sources, strip

GLOSSARY = "docs/glossary.md"
TERMS_MOST = 30
MAP = "docs/ARCHITECTURE.md"
HEADING = "## Left to others"
LEFT_LEAST = 8
# Calls and constants by which one of these jobs would begin. Names of system calls in a table (core/syscall_groups.def) are no calls.
OTHERS = {
    "names of hosts": r"\b(getaddrinfo|getnameinfo|gethostby\w+|res_n?(query|init|search|mkquery))\b",
    "the time": r"\b(adjtimex|ntp_\w+|clock_adjtime|clock_settime|settimeofday|stime)\s*\(",
    "the network": r"\b(RTM_(NEW|DEL|SET)\w+|SIOC(SIFADDR|SIFNETMASK|ADDRT|BONDENSLAVE|BRADDBR)|nl80211\w*)\b",
}


def rows(path, heading=None):
    """The rows of the first table in a document, or of the first one behind a heading: lists of cells."""
    text = read(path)
    if heading:
        text = text[text.find(heading) :] if heading in text else ""
    table = re.search(r"^\|.*\n\|[-| ]+\n((?:\|.*\n)+)", text, re.M)
    lines = table.group(1).splitlines() if table else []
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def check_glossary(report):
    terms = rows(GLOSSARY)
    used = "\n".join(read(path) for path in sources((".c", ".h", ".def")) + sources((".md",), "docs") if path != GLOSSARY)
    if not 10 <= len(terms) <= TERMS_MOST:
        report.add(GLOSSARY, 1, f"{len(terms)} terms, at most {TERMS_MOST} and not fewer than 10")
    for term, meaning in terms:
        if not re.search(re.escape(term), used, re.I):
            report.add(GLOSSARY, 1, f"nothing speaks of a {term}")
        if len(meaning.split()) < 4:
            report.add(GLOSSARY, 1, f"{term}: what is it?")
    return len(terms)


def check_left(report):
    left = rows(MAP, HEADING)
    if len(left) < LEFT_LEAST or not all(len(row) == 2 and all(row) for row in left):
        report.add(MAP, 1, f"'{HEADING}' needs a table of what is left and to whom")
    for path in sources((".c", ".h")):
        text = strip(read(path))
        for what, words in OTHERS.items():
            for match in re.finditer(words, text):
                report.add(path, line_of(text, match.start()), f"{match.group(1)}: {what} are left to others ({MAP})")
    return len(left)


def main():
    report = Report("papers")
    terms_n, left_n = check_glossary(report), check_left(report)
    report.finish(rows="B24 D57", note=f"({terms_n} words of our own, {left_n} jobs left to others)")


main()
