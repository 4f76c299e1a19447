#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A file includes only modules that stand above its own line in tests/layers.txt; every file has a line there."""

import os
import re

from common import PROGRAMS, ROOT, Report, modules, read, sources

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def check_table(report, path):
    """A .def file is rows of a table: it includes nothing, so it needs no place in the order."""
    for number, line in enumerate(read(path).splitlines(), 1):
        if INCLUDE.match(line):
            report.add(path, number, "a table includes nothing")


def main():
    report = Report("layers")
    order = modules()
    rank = {name: i for i, name in enumerate(order)}
    if len(rank) != len(order):
        for name in sorted(n for n in rank if order.count(n) > 1):
            report.add("tests/layers.txt", 1, f"{name} is listed twice")

    for path in sources((".c", ".h", ".def")):
        module = os.path.splitext(path)[0]
        if path.endswith(".def"):
            check_table(report, path)
            continue
        is_program = path in PROGRAMS
        if module not in rank and module + ".c" not in PROGRAMS:
            report.add(path, 1, "not listed in tests/layers.txt")
        own = len(order) if is_program else rank.get(module, len(order))
        for number, line in enumerate(read(path).splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            if match.group(1).endswith(".inc"):
                continue  # rows that CMake generates
            target = os.path.splitext(os.path.join("src", match.group(1)))[0]
            if not os.path.exists(os.path.join(ROOT, "src", match.group(1))):
                report.add(path, number, f'"{match.group(1)}" is no file below src/')
            elif target == module or match.group(1).endswith(".def"):
                continue
            elif target not in rank:
                report.add(path, number, f'"{match.group(1)}" is not listed in tests/layers.txt')
            elif rank[target] >= own:
                report.add(path, number, f'"{match.group(1)}" stands below this file in tests/layers.txt')
    report.finish(note=f"({len(order)} modules)")


main()
