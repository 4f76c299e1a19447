#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""compare.py [--hark PATH] [--show N] [--least PERCENT] [--json FILE] UNITDIR|FILE.units...
Loads every unit of each directory with hark and with the systemd that is installed here, and compares the lines of both
dumps: how many are equal, and those that are not, by key. Units are dumped from their directory alone. Exit status 0 when
all units load and at least PERCENT of the lines are equal, 77 without systemd-analyze. A file of units has each of them
behind a line "== NAME"; "== NAME -> TARGET" is a link.

Keys of excluded.txt do not count: they are about the run or the machine, or systemd prints them in no order."""
import argparse
import collections
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH = 200  # units that one call of harkctl is asked for
TYPES = 'service socket target mount automount path timer swap slice'.split()
LOADED = ('Unit Load State', 'Unit Load State: loaded')
# What systemd's dump says beside the unit: times, the cgroup, and what is only about its own bookkeeping.
RUN = re.compile(r'(State Change|Inactive (Exit|Enter)|Active (Exit|Enter)|.*Timestamp|May GC|Need Daemon|CGroup|References)')


def excluded_keys():
    with open(f'{HERE}/excluded.txt', encoding='utf8') as f:
        rows = [line.split('\t') for line in f if line.strip() and not line.startswith('#')]
    return {row[0]: row[1].strip() for row in rows}


def unit_names(folder):
    def is_unit(name):
        path = f'{folder}/{name}'
        return (name.rpartition('.')[2] in TYPES and not os.path.isdir(path)
                and os.path.realpath(path) != '/dev/null')
    return sorted(name for name in os.listdir(folder) if is_unit(name))


# systemd keeps the words of these in a hash table: their order says nothing.
UNORDERED = ('SystemCallArchitectures',)


def split_dump(text):
    """Lines of a dump as (key, line)."""
    pairs = [(line.split(':')[0].strip(), line.strip()) for line in text.splitlines() if line.strip()]
    return [(key, ' '.join(sorted(line.split())) if key in UNORDERED else line) for key, line in pairs]


def dump_systemd(folder, name):
    """The name that systemd gives the unit, and its lines."""
    env = dict(os.environ, SYSTEMD_LOG_LEVEL='debug', SYSTEMD_UNIT_PATH=folder, SYSTEMD_COLORS='0', LC_ALL='C')
    run = subprocess.run(['systemd-analyze', 'verify', '--man=no', f'{folder}/{name}'], env=env,
                         capture_output=True, timeout=60, check=False)
    found = re.search(r'^\t?-> Unit (\S+):\n((?:\t\t.*\n?)*)', run.stdout.decode('utf8', 'replace'), re.M)
    if not found:
        return None, []
    return found.group(1), [pair for pair in split_dump(found.group(2)) if not RUN.match(pair[1])]


def dump_hark(hark, folder, names):
    """The blocks of all units: {name asked for: (name given, lines)}."""
    run = subprocess.run([hark, 'dump', '--unit-path=' + folder, '--'] + names, capture_output=True, timeout=120, check=False)
    text = run.stdout.decode('utf8', 'replace')
    blocks = re.findall(r'^Unit (\S+)\n((?:\t.*\n?)*)', text, re.M)
    if len(blocks) != len(names):
        sys.exit(f'harkctl dump gave {len(blocks)} units of {len(names)}: ' + run.stderr.decode('utf8', 'replace')[:2000])
    return {name: (block[0], split_dump(block[1])) for name, block in zip(names, blocks)}


class Outcome:
    def __init__(self):
        self.units = self.loaded = self.lines = self.equal = 0
        self.missing, self.extra = collections.defaultdict(list), collections.defaultdict(list)

    def add(self, name, theirs, ours, excluded):
        a = collections.Counter(pair for pair in theirs[1] if pair[0] not in excluded)
        b = collections.Counter(pair for pair in ours[1] if pair[0] not in excluded)
        self.units += 1
        self.loaded += LOADED in b or LOADED not in a
        if theirs[0] != ours[0]:
            self.missing['(name)'].append((name, theirs[0]))
        self.lines += sum(a.values())
        self.equal += sum((a & b).values())
        for key, line in (a - b).elements():
            self.missing[key].append((name, line))
        for key, line in (b - a).elements():
            self.extra[key].append((name, line))

    def percent(self):
        return 100 * self.equal / self.lines if self.lines else 0

    def show(self, limit):
        for sign, lists in (('-', self.missing), ('+', self.extra)):
            for key, found in sorted(lists.items(), key=lambda item: -len(item[1])):
                print(f'{sign} {len(found)} {key}')
                for name, line in found[:limit]:
                    print(f'      {name} | {line[:160]}')


def write_units(path, folder):
    """The units of a file as files of that folder."""
    out = None
    with open(path, encoding='utf8') as lines:
        for line in lines:
            if not line.startswith('== '):
                if out:
                    out.write(line)
                continue
            name, _, target = line[3:].strip().partition(' -> ')
            os.makedirs(os.path.dirname(f'{folder}/{name}'), exist_ok=True)
            if target:
                os.symlink(target, f'{folder}/{name}')
            else:
                if out:
                    out.close()
                out = open(f'{folder}/{name}', 'w', encoding='utf8')  # pylint: disable=consider-using-with
    if out:
        out.close()


def compare_folder(hark, folder, outcome, excluded):
    names = unit_names(folder)
    ours = {}
    for first in range(0, len(names), BATCH):
        ours.update(dump_hark(hark, folder, names[first:first + BATCH]))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, theirs in zip(names, pool.map(lambda name: dump_systemd(folder, name), names)):
            if theirs[0]:
                outcome.add(name, theirs, ours[name], excluded)
            elif LOADED in ours[name][1]:
                outcome.missing['(refused)'].append((name, 'systemd does not load it'))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--hark', default=f'{HERE}/../../build-dev/bin/harkctl')
    parser.add_argument('--show', type=int, default=3, help='differences shown of each key')
    parser.add_argument('--least', type=float, default=99.5, help='percent of lines that must be equal')
    parser.add_argument('--json', help='write the differences to this file')
    parser.add_argument('folders', nargs='+')
    args = parser.parse_args()
    if not shutil.which('systemd-analyze'):
        print('skip: systemd-analyze is not installed')
        return 77
    outcome, excluded = Outcome(), excluded_keys()
    hark = os.path.abspath(args.hark)
    for path in args.folders:
        with tempfile.TemporaryDirectory() as folder:
            if os.path.isfile(path):
                write_units(path, folder)
            compare_folder(hark, folder if os.path.isfile(path) else os.path.abspath(path), outcome, excluded)
    outcome.show(args.show)
    if args.json:
        with open(args.json, 'w', encoding='utf8') as f:
            json.dump({'missing': outcome.missing, 'extra': outcome.extra}, f, indent=1)
    print(f'{outcome.loaded} of {outcome.units} units load, {outcome.equal} of {outcome.lines} lines equal '
          f'({outcome.percent():.2f} %)')
    return 0 if outcome.loaded == outcome.units and outcome.percent() >= args.least else 1


if __name__ == '__main__':
    sys.exit(main())
