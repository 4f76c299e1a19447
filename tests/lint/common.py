# SPDX-License-Identifier: MIT
"""What the lint programs share: the list of modules, C text without its comments, and the way to report."""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Files that hold a main(): they belong to no module, and may use every one.
PROGRAMS = ["src/core/main.c", "src/core/exec.c", "src/core/init.c", "src/ctl/harkctl.c"]


class Report:
    """Collects findings; finish() prints them, or `ok NAME`, and ends the program."""

    def __init__(self, name):
        self.name = name
        self.findings = []

    def add(self, path, line, text):
        self.findings.append(f"{path}:{line}: {text}")

    def finish(self, rows="", note=""):
        for finding in self.findings:
            print(finding)
        if self.findings:
            print(f"not ok {self.name}: {len(self.findings)} findings")
            sys.exit(1)
        print(f"ok {self.name}" + (f" [rows: {rows}]" if rows else "") + (f" {note}" if note else ""))
        sys.exit(0)


def modules():
    """The names of tests/layers.txt (src/dir/name, no suffix) in their order."""
    with open(os.path.join(ROOT, "tests/layers.txt"), encoding="utf-8") as f:
        lines = [line.strip() for line in f]
    return [line for line in lines if line and line[0] not in "#["]


def sources(suffixes=(".c", ".h"), top="src"):
    """Paths below TOP, relative to the root, sorted."""
    found = []
    for folder, _, names in os.walk(os.path.join(ROOT, top)):
        for name in names:
            if name.endswith(suffixes):
                found.append(os.path.relpath(os.path.join(folder, name), ROOT))
    return sorted(found)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


TOKENS = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def strip(text, strings=True):
    """The text without comments (and string contents), every line still on its own number."""

    def blank(match):
        token = match.group(0)
        if token[0] == "/":
            return re.sub(r"[^\n]", " ", token)
        return token[0] * 2 if strings else token

    return TOKENS.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1
