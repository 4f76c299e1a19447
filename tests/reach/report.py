#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which lines of hark-init were never reached: report.py PROGRAM MARKS

PROGRAM is the instrumented hark-init, MARKS the file that it marked (tests/reach/reach.c). A line counts as reached when any block that
begins on it was. Prints `lines=N reached=M blocks=N reached_blocks=M` and each line never reached with its text; exit 1 when there is one.
"""

import os
import re
import subprocess
import sys

HOOK = "__sanitizer_cov_trace_pc"


def blocks(program):
    """Addresses behind the calls of the hook."""
    out = subprocess.run(["objdump", "-d", "--no-show-raw-insn", program], check=True, capture_output=True, text=True).stdout
    found, after = [], False
    for line in out.splitlines():
        match = re.match(r"\s*([0-9a-f]+):\t(.*)", line)
        if not match:
            continue
        if after:
            found.append(int(match.group(1), 16))
        after = re.search(r"(call|jmp)\s.*<" + HOOK + ">", match.group(2)) is not None
    return found


def places(program, addresses):
    """(file, line) of each address: of the call itself."""
    names = "".join(f"{a - 1:#x}\n" for a in addresses)
    out = subprocess.run(["addr2line", "-e", program], check=True, capture_output=True, text=True, input=names).stdout
    for line in out.splitlines():
        path, _, number = line.split(" ")[0].rpartition(":")
        yield os.path.realpath(path), int(number) if number.isdigit() else 0


def start(program):
    out = subprocess.run(["nm", program], check=True, capture_output=True, text=True).stdout
    return int(re.search(r"^([0-9a-f]+) \w __executable_start$", out, re.M).group(1), 16)


def main():
    program, marks = sys.argv[1:3]
    with open(marks, "rb") as f:
        marked = f.read()
    base, addresses = start(program), blocks(program)
    lines, n = {}, 0
    for address, place in zip(addresses, places(program, addresses)):
        is_reached = marked[address - base] != 0
        n += is_reached
        lines[place] = lines.get(place, False) or is_reached
    missing = sorted(place for place, is_reached in lines.items() if not is_reached)
    print(f"lines={len(lines)} reached={len(lines) - len(missing)} blocks={len(addresses)} reached_blocks={n}")
    for path, number in missing:
        with open(path, encoding="utf-8") as f:
            text = f.read().split("\n")[number - 1].strip() if number else "?"
        print(f"{os.path.relpath(path)}:{number}: {text}")
    return 1 if missing or not lines else 0


if __name__ == "__main__":
    sys.exit(main())
