# SPDX-License-Identifier: MIT
"""golden.py run COMMANDS OUT: run each command, keep what it said.  golden.py compare OURS THEIRS DIFFERS: where do two runs differ?"""
import collections
import json
import os
import re
import signal
import subprocess
import sys
import time

# What differs from one run of the very same system to the next.
MASKS = [(re.compile(p, re.M), by) for p, by in (
    (r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]+", "DATE"),
    (r"(Timestamp(Monotonic)?|USecRealtime|USecMonotonic|LastTriggerUSec|NextElapse\w+)=.+", r"\1=SET"),
    (r"\b[0-9a-f]{32}\b", "ID"),
    (r"(ControlGroupId)=[1-9]\d*", r"\1=NUMBER"),
    (r"(PID|Pid|pid)([=: ]+)[1-9]\d*", r"\1\2NUMBER"),
    (r"\b[1-9]\d* (/bin/sleep|/bin/sh|sleep )", r"NUMBER \1"),
    (r"(status|code)=(\w+), ", r"\1=\2, "),
    (r"run-[ru]\d*[0-9a-f]*", "run-NUMBER"),
    (r"dbus-:[\d.]+-", "dbus-:N-"),
    (r"(?<![\w.])(\d+(\.\d+)?(us|ms|s|min|h|day|days|month|months|years?)\b ?)+( ago| left)?", "TIME "),
    (r"^( *Process: )\d+", r"\1NUMBER"),
    (r"^ *\d+ +(\S+) +(\S+) +(running|waiting)$", r"JOB \1 \2 \3"),
    (r"anchor job \d+", "anchor job JOB"),
    (r"(Memory(Current|Available)?|CPU|CPUUsageNSec|IO(Read|Write)\w+|TasksCurrent|Tasks|IP\w+)([=:] ?)\S.*", r"\1\4AMOUNT"),
    (r"\(PID TIME", "(PID"),
    (r"[─-]+", "-"),
    (r" +", " "),
)]


# Sets: each of their members is a line of its own.
SETS = re.compile(r"(After|Before|Requires|RequiredBy|Wants|WantedBy|TriggeredBy|Triggers|RequiresMountsFor|Names|Environment)=(.+)")


def split_sets(line):
    m = SETS.fullmatch(line)
    return [f"{m[1]}={word}" for word in sorted(m[2].split())] if m else [line]


def mask(text):
    for pattern, by in MASKS:
        text = pattern.sub(by, text)
    return [part for line in text.splitlines() for part in split_sets(line.rstrip())]


def call(command):
    """Exit status and output; what takes longer than 20 s is killed."""
    p = subprocess.Popen(["sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         start_new_session=True)
    try:
        said = p.communicate(timeout=60)[0]
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        said = p.communicate()[0] + b"(killed)"
    return p.returncode, said.decode(errors="replace")


def run(commands, out):
    said = []
    for line in open(commands):
        line = line.rstrip("\n")
        if not line or line.startswith("#"):
            continue
        command = line.removeprefix("! ")
        begin = time.monotonic()
        status, text = call(command)
        if not line.startswith("!"):
            said.append({"command": line, "exit": status, "said": text,
                         "seconds": round(time.monotonic() - begin, 2)})
    json.dump(said, open(out, "w"), indent=1)


class Table:
    """Lines of WHAT, DIFFERENCE, why, with tabs between; the first two as regular expressions of the whole: what may differ, and how."""

    def __init__(self, path):
        self.rows = [[part.strip() for part in line.split("\t")] for line in open(path) if line.strip() and not line.startswith("#")]
        self.patterns = [[re.compile(part + "$") for part in row[:2]] for row in self.rows]
        self.used = set()

    def takes(self, what, difference):
        for at, (whats, differences) in enumerate(self.patterns):
            if whats.match(what) and differences.match(difference):
                self.used.add(at)
                return True
        return False

    def unused(self):
        """Names the lines that nothing needed; how many."""
        unused = [row for at, row in enumerate(self.rows) if at not in self.used]
        for row in unused:
            print(f"not ok a line too many: {row[0]}\t{row[1]}")
        return len(unused)


def only_in_one(ours, theirs):
    """Lines with a sign, as a multiset: in which order they come is no promise."""
    a, b = collections.Counter(ours), collections.Counter(theirs)
    return ["+" + line for line in (a - b).elements()] + ["-" + line for line in (b - a).elements()]


def differences(ours, theirs):
    a, b = mask(ours["said"]), mask(theirs["said"])
    found = only_in_one(a, b)
    if ours["exit"] != theirs["exit"]:
        found.append(f"exit {ours['exit']} {theirs['exit']}")
    return found


def compare(ours_path, theirs_path, table_path):
    table = Table(table_path)
    ours, theirs = json.load(open(ours_path)), json.load(open(theirs_path))
    equal = explained = bad = 0
    if [o["command"] for o in ours] != [t["command"] for t in theirs]:
        print("not ok the two runs are of the same commands")
        return 1
    for o, t in zip(ours, theirs):
        found = differences(o, t)
        left = [f for f in found if not table.takes(o["command"], f)]
        equal += not found
        explained += bool(found) and not left
        if left:
            bad += 1
            print(f"not ok {o['command']}: " + " | ".join(left[:400]))
    bad += table.unused()
    if not bad:
        print(f"ok {equal} commands give the same, {explained} differ as golden.differs says ({len(table.rows)} lines) [rows: D+20]")
    else:
        print(f"# {equal} the same, {explained} explained, {bad} not")
    return bad != 0


if __name__ == "__main__":
    if sys.argv[1] == "run":
        run(sys.argv[2], sys.argv[3])
    else:
        sys.exit(compare(*sys.argv[2:5]))
