#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ceilings: 700 lines a file, 80 lines a function, 6 parameters, cyclomatic complexity 15.

A function above a ceiling needs a line in tests/lint/exceptions.txt: `KIND file:function N  # why`, where KIND is
file, lines, params or branches, and N is the size it has now. An entry that is no longer needed, or larger than
needed, is a finding too, so the list can only shrink.
"""

import json
import os
import re
import subprocess

from common import ROOT, Report, read, sources

LIMITS = {"file": 700, "lines": 80, "params": 6, "branches": 15}
EXCEPTIONS = "tests/lint/exceptions.txt"


def exceptions():
    known = {}
    for number, line in enumerate(read(EXCEPTIONS).splitlines(), 1):
        line = line.split("#")[0].strip()
        if line:
            kind, name, size = line.split()
            known[kind, name] = (int(size), number)
    return known


def measure():
    """Yields (kind, path, function or None, line, size)."""
    files = sources((".c", ".h"))
    for path in files + sources((".c", ".h"), "tests"):
        yield "file", path, None, 1, read(path).count("\n")
    units = [path for path in files if path.endswith(".c")]
    if not units:
        return
    tags = subprocess.run(["ctags", "--output-format=json", "--fields=+neS", "--kinds-C=f", "-f", "-", *units],
                          cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for line in tags.splitlines():
        tag = json.loads(line)
        if "end" not in tag:
            continue
        yield "lines", tag["path"], tag["name"], tag["line"], tag["end"] - tag["line"] + 1
        # Commas within the brackets of a function pointer do not separate parameters.
        inner = tag.get("signature", "()")[1:-1]
        while re.search(r"\([^()]*\)", inner):
            inner = re.sub(r"\([^()]*\)", "", inner)
        yield "params", tag["path"], tag["name"], tag["line"], inner.count(",") + 1
    # Columns: modified, traditional complexity, statements, first line, lines, file(line): name. The modified
    # number counts a switch as one branch: a table written as a switch is no maze.
    found = subprocess.run(["pmccabe", *units], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for line in found.splitlines():
        column = line.split("\t")
        path, name = column[-1].split(": ", 1)
        yield "branches", re.sub(r"\(\d+\)$", "", path), name, int(column[3]), int(column[0])


def main():
    report = Report("sizes")
    known = exceptions()
    used = {}
    largest = {}
    for kind, path, function, line, size in measure():
        name = f"{path}:{function}" if function else path
        largest[kind] = max(largest.get(kind, 0), size)
        if size <= LIMITS[kind]:
            continue
        allowed = known.get((kind, name))
        used[kind, name] = size
        if not allowed:
            report.add(path, line, f"{function or 'file'}: {size} {kind}, at most {LIMITS[kind]}")
        elif size > allowed[0]:
            report.add(path, line, f"{function or 'file'}: {size} {kind}, its exception says {allowed[0]}")
    for (kind, name), (size, number) in known.items():
        if (kind, name) not in used:
            report.add(EXCEPTIONS, number, f"{kind} {name} is no longer needed: take it out")
        elif used[kind, name] < size:
            report.add(EXCEPTIONS, number, f"{kind} {name} is down to {used[kind, name]}: write that number")
    figures = " ".join(f"{kind} {size}" for kind, size in sorted(largest.items()))
    report.finish(note=f"(largest: {figures}; {len(known)} exceptions)")


if not os.path.exists(os.path.join(ROOT, EXCEPTIONS)):
    raise SystemExit(f"{EXCEPTIONS} is missing")
main()
