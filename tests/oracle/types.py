#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Timers, paths, mounts, automounts, swaps and slices: what systemd-analyze makes of types.units, and what we make of it.

types.py HARKCTL: says "ok" or "not ok" and prints the lines that differ. Compared are the lines of a dump up to those about processes and
cgroups. A unit that systemd refuses must be refused by us."""
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# What another run of the same loader may say otherwise, and what begins the lines that are not compared.
RUN_TIME = re.compile(r"(State Change|Inactive (Exit|Enter)|Active (Exit|Enter)|.*Timestamp|May GC|Need Daemon|CGroup|References|Need)")
BEHIND = re.compile(r"(UMask|CPUAccounting|KillMode):")


def write_units(folder):
    out = None
    for line in open(os.path.join(HERE, "types.units"), encoding="utf-8"):
        if line.startswith("== "):
            out = open(os.path.join(folder, line[3:].rstrip("\n")), "w", encoding="utf-8")
        elif out:
            out.write(line)
    out.close()


def head(lines):
    """The lines to compare."""
    kept = []
    for line in lines:
        if BEHIND.match(line):
            break
        if line and not RUN_TIME.match(line):
            kept.append(line)
    return kept


def theirs(folder, name):
    env = dict(os.environ, SYSTEMD_LOG_LEVEL="debug", SYSTEMD_UNIT_PATH=folder, SYSTEMD_COLORS="0")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", os.path.join(folder, name)], env=env, capture_output=True,
                          timeout=60, stdin=subprocess.DEVNULL)
    found = re.search(r"^\t?-> Unit (\S+):\n((?:\t\t.*\n?)*)", done.stdout.decode(errors="replace"), re.M)
    return head([line.strip("\t") for line in found.group(2).splitlines()]) if found else None


def ours(harkctl, folder, name):
    done = subprocess.run([harkctl, "dump", "--unit-path=" + folder, "--", name], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)
    lines = [line.strip("\t") for line in done.stdout.splitlines()[1:]]
    return head(lines) if "Unit Load State: loaded" in lines else None


def difference(them, us):
    them, us = (collections.Counter(x if x is not None else ["refused"]) for x in (them, us))
    return [f"   - {line}" for line in (them - us).elements()] + [f"   + {line}" for line in (us - them).elements()]


def main():
    if not shutil.which("systemd-analyze"):
        print("skip units of all types: there is no systemd-analyze here")
        return
    bad = lines = 0
    with tempfile.TemporaryDirectory() as folder:
        write_units(folder)
        names = sorted(os.listdir(folder))
        for name in (n for n in names if not n.endswith(".service")):
            them = theirs(folder, name)
            found = difference(them, ours(sys.argv[1], folder, name))
            lines += len(them or [0])
            if found:
                bad += 1
                print("\n".join([name] + found[:10]))
    print(f"{'not ok' if bad else 'ok'} {len(names)} units are dumped as systemd-analyze dumps them, {lines} lines ({bad} units differ)")
    sys.exit(1 if bad else 0)


main()
