#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every header says what its module is for; every exported function has a comment or stands in a commented group.

A group is a run of declarations without an empty line between them, with a comment above the first; a comment
behind a declaration counts as well.
"""

import re

from common import Report, read, sources, strip

SPDX = "/* SPDX-License-Identifier: MIT */"
PROTOTYPE = re.compile(r"^(?!typedef\b|struct\s+\w+\s*;|static\b|extern\b|#|return\b)[A-Za-z_][\w\s*]*?[\s*](\w+)\s*\(")


def check_head(report, path, lines):
    if not lines or lines[0].strip() != SPDX:
        report.add(path, 1, f"the first line is not {SPDX}")
        return
    if not path.endswith(".h"):
        return
    if len(lines) < 2 or not lines[1].startswith("/*"):
        report.add(path, 2, "no comment that says what the module is for")
        return
    text = " ".join(lines[1:]).split("*/")[0]
    if len(re.findall(r"\w+", text)) < 8:
        report.add(path, 2, "the comment on the module's purpose is too short to be one")


def check_prototypes(report, path, lines, bare):
    depth = 0
    n = 0
    for i, line in enumerate(bare):
        if depth == 0:
            match = PROTOTYPE.match(line)
            if match and line.rstrip().endswith("\\"):
                match = None
            if match:
                n += 1
                if not is_documented(lines, bare, i):
                    report.add(path, i + 1, f"{match.group(1)}() has no comment")
        depth += line.count("{") - line.count("}")
        depth = max(depth, 0)
    return n


def is_documented(lines, bare, i):
    """Looks upwards to the first empty line for a comment, and at the line itself."""
    if "/*" in lines[i] or "*/" in lines[i]:
        return True
    for j in range(i - 1, -1, -1):
        if not lines[j].strip():
            return False
        if "/*" in lines[j] or "*/" in lines[j]:
            return True
    return False


def main():
    report = Report("docs")
    n = 0
    for path in sources((".c", ".h")):
        text = read(path)
        lines = text.splitlines()
        check_head(report, path, lines)
        if path.endswith(".h"):
            n += check_prototypes(report, path, lines, strip(text).splitlines())
    report.finish(note=f"({n} exported functions)")


main()
