#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""PID 1 stays small: at most 800 lines of code over every file that its link map names, static, no heap (A3).

Counted: lines of the .c files that are neither empty nor comment. The project headers that they include are counted
and shown beside. Usage: init_budget.py BUILD_DIR
"""

import os
import re
import subprocess
import sys

from common import ROOT, Report, read, strip

BUDGET = 800
HEAP = ["malloc", "calloc", "realloc", "reallocarray", "free", "posix_memalign", "aligned_alloc", "strdup",
        "strndup", "asprintf", "vasprintf", "fopen", "fdopen", "opendir", "getline", "mmap_heap", "sbrk", "brk"]
PARSERS = ["sscanf", "strtol", "strtoul", "strtoll", "strtoull", "regcomp", "getopt_long", "strtok", "strtok_r"]


def code_lines(path):
    return sum(1 for line in strip(read(path), strings=False).splitlines() if line.strip())


def headers(path, seen):
    for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', read(path), re.M):
        header = os.path.join("src", name)
        if header not in seen and os.path.exists(os.path.join(ROOT, header)):
            seen.append(header)
            headers(header, seen)
    return seen


def undefined(path):
    out = subprocess.run(["nm", "-u", path], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1].split("@")[0] for line in out.splitlines() if line.strip()}


def main():
    report = Report("init_budget")
    build = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build")
    link_map = os.path.join(build, "hark-init.map")
    binary = os.path.join(build, "bin/hark-init")
    if not os.path.exists(link_map) or not os.path.exists(binary):
        print(f"skip init_budget: no {binary} and its map")
        return
    with open(link_map, encoding="utf-8", errors="replace") as f:
        text = f.read()

    # Every object or archive that the map loads, and is not of the system's libc.
    objects = []
    for name in re.findall(r"^LOAD (\S+)$", text, re.M):
        if not name.startswith("/usr/lib") and not name.startswith("/lib") and name not in objects:
            objects.append(name)
    files = []
    for name in objects:
        match = re.search(r".*\b(src/\S+\.c)\.o(?:bj)?$", name)
        if match:
            files.append((match.group(1), os.path.join(build, name)))
        else:
            report.add(link_map, 1, f"{name}: hark-init may be linked from its own objects and libc only")
    if not files:
        report.add(link_map, 1, "the map names no object of the project")

    total = 0
    seen = []
    for path, obj in files:
        total += code_lines(path)
        headers(path, seen)
        used = undefined(obj)
        for symbol in HEAP:
            if symbol in used:
                report.add(path, 1, f"uses {symbol}(): PID 1 has no heap")
        for symbol in PARSERS:
            if symbol in used or "__isoc99_" + symbol in used:
                report.add(path, 1, f"uses {symbol}(): PID 1 parses nothing but fixed-size records")
    if total > BUDGET:
        report.add("src/core/init.c", 1, f"{total} lines of code in {len(files)} files, at most {BUDGET}")

    kind = subprocess.run(["readelf", "-lW", binary], check=True, capture_output=True, text=True).stdout
    if "INTERP" in kind or "DYNAMIC" in kind:
        report.add(binary, 1, "not static")
    size = subprocess.run(["size", binary], check=True, capture_output=True, text=True).stdout.splitlines()[-1].split()

    for path, _ in files:
        print(f"  {code_lines(path):5} {path}")
    print(f"  {sum(map(code_lines, seen)):5} in {len(seen)} headers of ours (not in the sum)")
    print(f"  {total:5} of {BUDGET}; static; text {size[0]} data {size[1]} bss {size[2]}")
    report.finish(rows="A3 C20", note=f"({total} of {BUDGET} lines)")


main()
