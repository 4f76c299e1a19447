#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The same commands of harkctl and systemctl on copies of made-up unit trees: same links, same words, same exit statuses.

No drop-ins: with --root systemctl 252 does not find them, and without it does; harkctl always does.
No `reenable` of an instance: systemctl 252 then enables the default instance of its template, or nothing.
No links from the name of a mount unit: preset-all of systemctl then does nothing at all.

usage: enable.py HARKCTL FOLDER SEEDS [FIRST]
"""

import os
import random
import shutil
import subprocess
import sys

DIRS = ["etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system"]
PRESETS = ["etc/systemd/system-preset", "usr/lib/systemd/system-preset"]
STEMS = ["a", "b", "c", "d-e", "f"]
TYPES = ["service", "socket", "target", "timer", "path", "mount"]
TARGETS = ["multi-user.target", "sockets.target", "x.target", "graphical.target", "t@.target", "a.service"]


def name(rng, template=0.25):
    stem, kind = rng.choice(STEMS), rng.choice(TYPES)
    if kind != "mount" and rng.random() < template:
        return f"{stem}@.{kind}"
    if kind != "mount" and rng.random() < 0.15:
        return f"{stem}@{rng.choice(['i', 'j'])}.{kind}"
    return f"{stem}.{kind}"


def install(rng, own):
    kind = own.rsplit(".", 1)[1]
    lines = []
    if rng.random() < 0.15:
        return lines
    lines.append("[Install]")
    for key in ("WantedBy", "RequiredBy"):
        if rng.random() < 0.5:
            lines.append(f"{key}=" + " ".join(rng.choices(TARGETS, k=rng.randint(1, 2))))
    if rng.random() < 0.3:
        alias = rng.choice(["alias", "b", "c"])
        form = rng.choice(["", "@", "@i"]) if rng.random() < 0.3 else ("@" if "@." in own else "")
        lines.append(f"Alias={alias}{form}.{kind if rng.random() < 0.9 else 'service'}")
    if rng.random() < 0.3:
        lines.append(f"Also={name(rng)}")
    if "@." in own and rng.random() < 0.5:
        lines.append(f"DefaultInstance={rng.choice(['i', 'j'])}")
    if rng.random() < 0.1:
        lines.append("WantedBy=%p.target")
    return lines


def text(rng, own):
    body = {"service": "[Service]\nExecStart=/bin/true\n", "socket": "[Socket]\nListenStream=1\n"}.get(own.rsplit(".", 1)[1], "")
    return f"[Unit]\nDescription={own}\n{body}" + "\n".join(install(rng, own)) + "\n"


def put(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not os.path.lexists(path):
        with open(path, "w") as f:
            f.write(content)


def link(path, target):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not os.path.lexists(path):
        os.symlink(target, path)


def tree(rng, top):
    for d in DIRS:
        os.makedirs(f"{top}/{d}")
    os.symlink("usr/lib", f"{top}/lib")
    names = []
    for target in ("multi-user.target", "sockets.target", "x.target", "graphical.target", "t@.target"):
        put(f"{top}/usr/lib/systemd/system/{target}", "[Unit]\nDescription=target\n")
    for _ in range(rng.randint(3, 9)):
        own = name(rng)
        where = rng.choices(DIRS, weights=[2, 1, 1, 6])[0]
        put(f"{top}/{where}/{own}", "" if rng.random() < 0.04 else text(rng, own))
        names.append(own)
    for _ in range(rng.randint(0, 3)):
        where = rng.choices(DIRS, weights=[4, 1, 1, 1])[0]
        own, other = rng.choice(names), name(rng)
        kind = rng.random()
        if kind < 0.3 and not other.endswith(".mount"):
            link(f"{top}/{where}/{other}", f"/lib/systemd/system/{own}" if rng.random() < 0.7 else own)
        elif kind < 0.45:
            link(f"{top}/{where}/{other}", "/dev/null")
        elif kind < 0.8:
            link(f"{top}/{where}/{rng.choice(TARGETS[:3])}.wants/{own.replace('@.', '@i.')}",
                 f"/lib/systemd/system/{own}" if rng.random() < 0.7 else f"../{own}")
        else:
            put(f"{top}/opt/{other}", text(rng, other))
            link(f"{top}/{where}/{other}", f"/opt/{other}")
            names.append(other)
    out = name(rng)
    put(f"{top}/opt/{out}", text(rng, out))
    for d in PRESETS:
        if rng.random() < 0.5:
            rules = []
            for _ in range(rng.randint(1, 4)):
                pattern = rng.choice(["*", "a*", "*.socket", rng.choice(names), rng.choice(names)])
                verb = rng.choice(["enable", "disable"])
                more = " i j" if "@." in pattern and verb == "enable" and rng.random() < 0.5 else ""
                rules.append(f"{verb} {pattern}{more}")
            put(f"{top}/{d}/{rng.choice(['10', '90'])}-x.preset", "# rules\n" + "\n".join(rules) + "\n")
    return names, f"/opt/{out}"


def commands(rng, names, out):
    for _ in range(rng.randint(1, 6)):
        verb = rng.choice(["enable"] * 4 + ["disable"] * 3 + ["reenable", "mask", "unmask", "preset", "preset-all", "link", "revert",
                          "set-default", "add-wants", "add-requires", "get-default"])
        some = rng.sample(names, min(len(names), rng.choice([1, 1, 1, 2])))
        if verb != "reenable":
            some = [n.replace("@.", "@k.") if rng.random() < 0.3 else n for n in some]
        if rng.random() < 0.1:
            some[0] = name(rng)
        if verb == "reenable" and "@" in some[0]:
            some[0] = "a.service"
        options = []
        if rng.random() < 0.15:
            options.append("--runtime")
        if rng.random() < 0.15 and verb in ("enable", "link", "mask", "preset"):
            options.append("--force")
        if verb == "preset" and rng.random() < 0.3 or verb == "preset-all" and rng.random() < 0.3:
            options.append("--preset-mode=" + rng.choice(["full", "enable-only", "disable-only"]))
        if verb in ("preset-all", "get-default"):
            some = []
        elif verb == "link" or verb in ("enable", "reenable") and rng.random() < 0.1:
            some = [out]
        elif verb == "set-default":
            some = [rng.choice(TARGETS[:4])]
            options = []
        elif verb.startswith("add-"):
            some = [rng.choice(TARGETS[:3])] + some
        yield [verb, *options, *some]


def links(top):
    """Every link with its text, every file that a command may write."""
    found = {}
    for d in DIRS:
        for folder, folders, files in os.walk(f"{top}/{d}"):
            for one in folders + files:
                path = f"{folder}/{one}"
                if os.path.islink(path):
                    found[path[len(top):]] = os.readlink(path)
                elif not os.path.isdir(path):
                    found[path[len(top):]] = "file"
    return found


def run(tool, top, command):
    env = {"PATH": os.environ["PATH"], "HARK_RUN_DIR": "/nonexistent"}
    done = subprocess.run([tool, f"--root={top}", *command], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60)
    return done.returncode, done.stdout, done.stderr


def words(tool, top, names):
    found = {}
    for one in names:
        rc, out, _ = run(tool, top, ["is-enabled", one])
        found[one] = (rc, out.strip())
    return found


def main():
    harkctl, folder, seeds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    first = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    bad = n_commands = n_words = 0
    for seed in range(first, first + seeds):
        rng = random.Random(seed)
        tops = [f"{folder}/hark", f"{folder}/systemd"]
        for top in tops:
            shutil.rmtree(top, ignore_errors=True)
        os.makedirs(tops[0])
        names, out = tree(rng, tops[0])
        shutil.copytree(tops[0], tops[1], symlinks=True)
        done = []
        for command in commands(rng, names, out):
            done.append(" ".join(command))
            n_commands += 1
            ours, theirs = run(harkctl, tops[0], command), run("systemctl", tops[1], command)
            after = [links(top) for top in tops]
            status = "get-default" in command and ours[1] != theirs[1] or ours[0] != theirs[0]
            if after[0] != after[1] or status:
                bad += 1
                print(f"seed {seed}: after {'; '.join(done)}: exit {ours[0]} and {theirs[0]}")
                for path in sorted(set(after[0]) | set(after[1])):
                    if after[0].get(path) != after[1].get(path):
                        print(f"    {path}: hark {after[0].get(path)}, systemctl {after[1].get(path)}")
                print("    hark: " + ours[2].strip().replace("\n", " | ") + "\n    systemctl: " +
                      theirs[2].strip().replace("\n", " | "))
                break
        else:
            asked = sorted(set(names + [n.replace("@.", "@i.") for n in names] + ["default.target"]))
            ours, theirs = words(harkctl, tops[0], asked), words("systemctl", tops[1], asked)
            n_words += len(asked)
            for one in asked:
                if ours[one] != theirs[one]:
                    bad += 1
                    print(f"seed {seed}: {one} after {'; '.join(done)}: hark {ours[one]}, systemctl {theirs[one]}")
    print(f"{seeds} trees, {n_commands} commands, {n_words} words, {bad} differences")
    sys.exit(bad > 0)


main()
