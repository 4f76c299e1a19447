#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""compat.py DIRECTIVES [--write]: docs/compat.md, from what the program DIRECTIVES prints of the table of directives and from
excluded.txt. "Since" is kept from the file that is there while the verdict stays the same."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = f'{HERE}/../../docs/compat.md'
HEAD = """# What hark makes of systemd's unit files

Made by tests/oracle/compat.py from the table of directives; do not edit.

- **enforced**: does what systemd.unit(5) and its sisters say.
- **inert**: read, checked and shown (`harkctl dump`), without effect here; the unit's status says so.
- **refused**: a unit that asks for it loads and is not started, for without it the unit would be less safe than it says.
- **old name**: taken as what the last column names, with a note.

A name that is in no table is reported with what may have been meant; names that begin with `X-` are left alone.
An invalid value of a directive that is about identity or protection refuses the unit; any other is reported and the
value before it holds.

## How alike two loaders are

tests/oracle/units.sh loads the same files with hark and with the systemd that is installed and compares the dumps of
both, line by line. All lines are equal but for these keys, which do not count:

"""


def version():
    with open(f'{HERE}/../../CMakeLists.txt', encoding='utf8') as f:
        return re.search(r'project\(hark VERSION ([0-9.]+)', f.read()).group(1)


def since_before():
    """(section, name, verdict) -> the version that the present file names."""
    found, section = {}, None
    if not os.path.exists(TARGET):
        return found
    with open(TARGET, encoding='utf8') as f:
        for line in f:
            if line.startswith('## ['):
                section = line[4:].split(']')[0]
            row = re.match(r'\| ([\w-]+)= \| ([\w ]+) \| ([0-9.]+) \|', line)
            if row and section:
                found[section, row.group(1), row.group(2)] = row.group(3)
    return found


def keys_not_compared():
    with open(f'{HERE}/excluded.txt', encoding='utf8') as f:
        rows = [line.rstrip('\n').split('\t') for line in f if line.strip() and line[0] != '#']
    return ''.join(f'| {key} | {why} |\n' for key, why in rows)


def main():
    rows = [line.split('\t') for line in
            subprocess.run([sys.argv[1]], capture_output=True, text=True, check=True).stdout.splitlines()]
    before, now, out = since_before(), version(), [HEAD, '| key | why |\n|---|---|\n', keys_not_compared()]
    out.append('\n## How many\n\n| verdict | directives |\n|---|---|\n')
    for verdict in ('enforced', 'inert', 'refused', 'old name'):
        out.append(f'| {verdict} | {sum(row[2] == verdict for row in rows)} |\n')
    section = None
    for where, name, verdict, why, text in rows:
        if where != section:
            section = where
            out.append(f'\n## [{section}]\n\n| directive | verdict | since | what it is; why not |\n|---|---|---|---|\n')
        since = before.get((section, name, verdict), now)
        out.append(f'| {name}= | {verdict} | {since} | {text}{"; " + why if why else ""} |\n'.replace('|/', '\\|/'))
    text = ''.join(out)
    if '--write' in sys.argv:
        with open(TARGET, 'w', encoding='utf8') as f:
            f.write(text)
    else:
        sys.stdout.write(text)


if __name__ == '__main__':
    main()
