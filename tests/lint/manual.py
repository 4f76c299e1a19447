#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual pages are those that the program makes of its tables now, so no verb, option or directive is untold (B2).

Usage: manual.py BUILD_DIR [--write]
"""

import os
import subprocess
import sys

from common import ROOT, Report

PAGES = {"docs/man/harkctl.1": "harkctl", "docs/man/hark-init.8": "hark-init", "docs/man/hark.unit.5": "hark.unit"}


def main():
    report = Report("manual")
    harkctl = os.path.join(os.path.abspath(sys.argv[1]), "bin/harkctl")
    if not os.path.exists(harkctl):
        print(f"skip manual: no {harkctl}")
        return
    for path, page in PAGES.items():
        made = subprocess.run([harkctl, "help", "--man", page], check=True, capture_output=True, text=True).stdout
        file = os.path.join(ROOT, path)
        if "--write" in sys.argv:
            with open(file, "w", encoding="utf-8") as f:
                f.write(made)
        elif not os.path.exists(file) or open(file, encoding="utf-8").read() != made:
            report.add(path, 1, f"is not what `harkctl help --man {page}` prints; run tests/lint/manual.py BUILD --write")
    report.finish(rows="B2")


if __name__ == "__main__":
    main()
