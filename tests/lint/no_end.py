#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No error ends the manager: nothing that harkd is linked from can end the process, and no result of what can fail is dropped unseen.

Usage: no_end.py BUILD_DIR. The sources are looked at by banned.py; here it is what the linker has found, the compiler's flags, and the
headers: a function that returns an int and says -errno or -E... is MUST_USE.
"""

import json
import os
import re
import subprocess
import sys

from common import ROOT, Report, read, sources

ENDS = ["abort", "exit", "_exit", "_Exit", "quick_exit", "pthread_exit", "raise", "err", "errx", "verr", "verrx", "error", "error_at_line",
        "__assert", "__assert_fail", "__assert_perror_fail", "__chk_fail", "longjmp", "siglongjmp", "execve", "execv", "execvp", "fexecve"]
DOCUMENTED = {
    "_exit": "core/aside: a child that has put its question",
    "raise": "core/crash: a fault is recorded, then takes its course, and PID 1 starts the next manager",
}
FLAGS = ["-Werror", "-Wunused-result"]
# A group that is called through a table, by one who uses what they return; PID 1's own; what returns the error it was given, for `return f();`.
NOT_MARKED = re.compile(r"^(serve_\w+|init_\w+|parse_wrong|install_(tell|refuse|missing))$")
FUNCTION = re.compile(r"^int (\w+)\(")


def check_linked(report, build):
    binary = os.path.join(build, "bin/harkd")
    out = subprocess.run(["nm", "-D", "--undefined-only", binary], check=True, capture_output=True, text=True).stdout
    linked = {line.split()[-1].split("@")[0] for line in out.splitlines()}
    if "epoll_create1" not in linked:
        report.add(binary, 1, "nm does not see what harkd takes from libc")
    for name in ENDS:
        if name in linked and name not in DOCUMENTED:
            report.add(binary, 1, f"{name}() is linked into harkd: it ends the process")
    for name in DOCUMENTED:
        if name not in linked:
            report.add("tests/lint/no_end.py", 1, f"{name}() is no longer linked: take it out of the list")


def check_flags(report, build):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as f:
        commands = [entry for entry in json.load(f) if os.path.relpath(entry["file"], ROOT).startswith("src/")]
    for entry in commands:
        for flag in FLAGS:
            if flag not in entry["command"].split():
                report.add(entry["file"], 1, f"is compiled without {flag}")
    return len(commands)


def check_headers(report):
    n = 0
    for path in sources((".h",)):
        lines = read(path).splitlines()
        for i, line in enumerate(lines):
            n += line.startswith("MUST_USE int ")
            match = FUNCTION.match(line)
            if not match or lines[i - 1] == "MUST_USE" or NOT_MARKED.match(match.group(1)):
                continue
            said = i
            while lines[said - 1].strip() and not lines[said - 1].endswith(";"):
                said -= 1
            if re.search(r"-errno|-E[A-Z]+", " ".join(lines[said : i + 1])):
                report.add(path, i + 1, f"{match.group(1)}() can fail and is not MUST_USE")
    return n


def main():
    report = Report("no_end")
    build = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build")
    if not os.path.exists(os.path.join(build, "bin/harkd")) or not os.path.exists(os.path.join(build, "compile_commands.json")):
        print(f"skip no_end: no {build}/bin/harkd and its compile_commands.json")
        return
    check_linked(report, build)
    files_n, functions_n = check_flags(report, build), check_headers(report)
    report.finish(rows="B8", note=f"({files_n} files compiled, {functions_n} functions whose result has to be used)")


main()
