# SPDX-License-Identifier: MIT
# How long harkctl takes while something else goes on: `answers.py HARKCTL FILE UNIT`, until FILE is gone. Prints how often it asked, and in
# microseconds the median and the 99th of a hundred of `is-active UNIT`, and the 99th of `version`, which asks nobody: what the machine itself takes.
import os
import subprocess
import sys
import time

ctl, file, unit = sys.argv[1:]


def once(*words):
    t = time.monotonic()
    subprocess.run([ctl, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return (time.monotonic() - t) * 1e6


asked, alone = [], []
while not asked or os.path.exists(file):
    asked.append(once("is-active", unit))
    alone.append(once("version"))
asked.sort()
alone.sort()
print(len(asked), *(int(v) for v in (asked[len(asked) // 2], asked[len(asked) * 99 // 100], alone[len(alone) * 99 // 100])))
