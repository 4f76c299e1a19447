# SPDX-License-Identifier: MIT
"""members.py run CALLS OUT: what org.freedesktop.systemd1 on the system bus offers, what its properties are, and what it answers to good and bad calls.
members.py compare OURS THEIRS DIFFERS: where do two such runs differ?"""
import ast
import json
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

from golden import Table
import wire

PRIVATE = "/run/systemd/private"
BUS, NOBODY = "/run/dbus/system_bus_socket", 65534
NAME, MANAGER, PROPERTIES = "org.freedesktop.systemd1", "org.freedesktop.systemd1.Manager", "org.freedesktop.DBus.Properties"
UNITS = ("a.service", "s.socket", "test.target", "t.timer", "p.path", "srv-gold.mount", "srv-auto.automount", "gold.swap", "lab.slice", "sc.scope",
         "dev-nosuch.device")
LASTING = ("never.service", "afternever.service")  # jobs that wait
# Who calls one of these with rights and the right arguments ends the test.
ENDS = ("Exit", "Reboot", "PowerOff", "Halt", "KExec", "SwitchRoot", "SoftReboot", "Reexecute", "Reload", "ClearJobs", "PresetAllUnitFiles")
NOTHING = {"s": "", "o": "/", "b": False, "a": [], "v": ("s", "")}  # all others: 0


def unit_path(name):
    return f"/{NAME.replace('.', '/')}/unit/" + "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):02x}" for c in name)


class Sweep:
    def __init__(self):
        self.root, self.nobody = wire.Connection(BUS), wire.Connection(BUS, NOBODY)
        self.root.bus("AddMatch", f"sender='{NAME}'")
        self.paths = {unit: unit_path(unit) for unit in UNITS}
        self.paths |= {"manager": "/org/freedesktop/systemd1", "log": "/org/freedesktop/LogControl1", "nothing": "/org/freedesktop/nothing"}
        self.members, self.properties, self.said = {}, {}, {}
        self.offers = {}  # object: interface: methods: their name and signature

    def ask(self, who, obj, interface, member, signature="", *values):
        return (self.root if who == "root" else self.nobody).call(NAME, self.paths[obj], interface, member, signature, *values)

    def manager(self, member, signature="", *values):
        return self.ask("root", "manager", MANAGER, member, signature, *values)

    def job(self):
        """A job that lasts."""
        for unit in LASTING:
            self.paths["job"] = self.manager("StartUnit", "ss", unit, "replace")[1][0]

    def settle(self):
        """Until only those jobs are left."""
        end = time.monotonic() + 60
        while len(self.manager("ListJobs")[1][0]) > len(LASTING) and time.monotonic() < end:
            time.sleep(0.01)

    # ---- what there is

    def introspect(self, obj):
        for interface in xml.fromstring(self.ask("root", obj, "org.freedesktop.DBus.Introspectable", "Introspect")[1][0]).findall("interface"):
            name, methods = interface.get("name"), []
            for member in interface:
                arguments = {way: "".join(a.get("type") for a in member.findall("arg") if a.get("direction", "out") == way) for way in ("in", "out")}
                words = [f"{way} {types}" for way, types in arguments.items() if types]
                words += [member.get(key) for key in ("type", "access") if member.get(key)]
                words += sorted(f"{a.get('name').rpartition('.')[2]}={a.get('value')}" for a in member.findall("annotation"))
                self.members[f"{obj} {name} {member.tag} {member.get('name')}"] = ", ".join(words)
                if member.tag == "method":
                    methods.append((member.get("name"), arguments["in"]))
                if member.tag == "property":
                    self.properties[obj, name, member.get("name")] = member.get("type"), member.get("access")
            self.offers.setdefault(obj, {})[name] = methods

    def values(self, obj):
        """GetAll() of each interface has all properties of the introspection, of their types; GetAll("") has those of all of them."""
        merged = {}
        for interface in [name for name in self.offers[obj] if name.startswith("org.freedesktop")] + [""]:
            signature, answer = self.ask("root", obj, PROPERTIES, "GetAll", "s", interface)
            if signature != "a{sv}":
                self.said[f"GetAll {obj} {interface}"] = signature
                continue
            got = {name: kind for name, (kind, _) in answer[0].items()}
            if not interface:
                want = merged
            else:
                want = {name: kind for (o, i, name), (kind, _) in self.properties.items() if (o, i) == (obj, interface)}
                merged |= want
            wrong = sorted(set(got.items()) ^ set(want.items()))
            self.said[f"GetAll {obj} {interface or 'merged'}"] = "as introspected" if not wrong else f"otherwise: {wrong}"

    def over_private(self, objects):
        """The private socket has the same objects."""
        private = wire.Connection(PRIVATE, hello=False)
        for obj in objects:
            answers = [c.call(NAME, self.paths[obj], "org.freedesktop.DBus.Introspectable", "Introspect")[1] for c in (self.root, private)]
            self.said[f"private {obj}"] = "as on the bus" if answers[0] == answers[1] else "otherwise"

    # ---- what it answers

    def until(self, is_so):
        """Asks for nothing until that is so, for a minute at the most: signals come with the answers."""
        end = time.monotonic() + 60
        while not is_so() and time.monotonic() < end:
            time.sleep(0.02)
            self.root.bus("GetId")

    def of_job(self, path):
        return [values[1] for fields, values in self.root.signals if (fields[wire.PATH], fields[wire.MEMBER]) == (path, "PropertiesChanged")]

    def job_begins(self):
        """That a job which waited begins is told."""
        for unit in "brief.service", "afterbrief.service":
            path = self.manager("StartUnit", "ss", unit, "replace")[1][0]
        self.until(lambda: self.of_job(path))
        self.said["a job that begins"] = str(self.of_job(path))
        self.manager("StopUnit", "ss", "afterbrief.service", "replace")
        self.settle()

    def job_lasts(self):
        """A job has a State until JobRemoved tells of its end: what comes on one connection comes in order."""
        self.paths["brief"] = path = self.manager("StartUnit", "ss", "brief.service", "replace")[1][0]
        while self.ask("root", "brief", PROPERTIES, "Get", "ss", NAME + ".Job", "State")[0] == "v":
            time.sleep(0.01)
        is_told = any(fields[wire.MEMBER] == "JobRemoved" and values[1] == path for fields, values in self.root.signals)
        self.said["a job until JobRemoved"] = "is there" if is_told else "goes before"

    def keep(self, question, answer):
        is_word = answer[0] == "s" and len(answer[1][0]) < 20
        self.said[question] = answer[0] if "." in answer[0] else answer[1][0] if is_word else f"({answer[0]})"

    def any_call(self, obj):
        """Each method without its arguments, or with one too many; with arguments that say nothing; by somebody without rights."""
        for interface, methods in self.offers[obj].items():
            for name, signature in methods:
                if not interface.startswith(NAME) or name.startswith("Dump"):  # of these systemd answers only some a minute
                    continue
                for wrong in "" if signature else "s", signature + "s":
                    values = [NOTHING.get(t[0], 0) if t[0] != "(" else () for t in wire.types(wrong)]
                    self.keep(f"root {obj} {name} ({wrong})", self.ask("root", obj, interface, name, wrong, *values))
                values = [NOTHING.get(t[0], 0) for t in wire.types(signature)]
                if name not in ENDS and signature:
                    self.keep(f"root {obj} {name} nothing", self.ask("root", obj, interface, name, signature, *values))
                    self.settle()
                self.keep(f"nobody {obj} {name} nothing", self.ask("nobody", obj, interface, name, signature, *values))

    def any_property(self, obj):
        """Each property set to what it is, to another type, and by somebody without rights; what is none."""
        for (o, interface, name), (kind, access) in self.properties.items():
            if o != obj or not interface.startswith("org.freedesktop."):
                continue
            signature, answer = self.ask("root", obj, PROPERTIES, "Get", "ss", interface, name)
            if signature != "v" or answer[0][0] != kind:
                self.said[f"Get {obj} {name}"] = f"{signature} {answer}"
            elif access != "read":
                self.keep(f"root {obj} Set {name}", self.ask("root", obj, PROPERTIES, "Set", "ssv", interface, name, answer[0]))
                self.keep(f"root {obj} Set {name} y", self.ask("root", obj, PROPERTIES, "Set", "ssv", interface, name, ("y", 1)))
                self.keep(f"nobody {obj} Set {name}", self.ask("nobody", obj, PROPERTIES, "Set", "ssv", interface, name, answer[0]))
            elif name in ("Version", "Id", "Unit", "ActiveState", "What"):
                self.keep(f"root {obj} Set {name}", self.ask("root", obj, PROPERTIES, "Set", "ssv", interface, name, answer[0]))

    def calls(self, path):
        """Lines of members.calls: WHO OBJECT MEMBER SIGNATURE VALUES; "-" is no signature, a member may have its interface before it."""
        for line in open(path):
            if line.startswith("#") or not line.strip():
                continue
            who, obj, member, signature, values = (line.strip() + "  ").split(" ", 4)
            interface, _, name = member.rpartition(".")
            values = ast.literal_eval(f"[{values}]")
            answer = self.ask(who, obj, interface or (MANAGER if obj == "manager" else NAME + ".Unit"), name, signature.strip("-"), *values)
            self.keep(line.strip(), answer)
            self.settle()

    def signals(self):
        """Which signals came, of which types, and whether the properties that they tell of are of theirs."""
        kinds = {path: obj for obj, path in self.paths.items()}
        for fields, values in self.root.signals:
            self.said[f"signal {fields[wire.INTERFACE]} {fields[wire.MEMBER]}"] = fields.get(wire.SIGNATURE, "")
            if fields[wire.MEMBER] != "PropertiesChanged" or kinds.get(fields[wire.PATH], "brief") == "brief":
                continue
            obj, interface = kinds[fields[wire.PATH]], values[0]
            told = [(name, kind) for name, (kind, _) in values[1].items()] + [(name, None) for name in values[2]]
            for name, kind in told:
                want = self.properties.get((obj, interface, name), ("none", ""))[0]
                if want != kind and (kind or want == "none"):
                    self.said[f"signal {obj} {interface} {name}"] = f"{kind} in place of {want}"


def run(calls, out):
    sweep = Sweep()
    sweep.manager("Subscribe")
    for unit in "a.service", "s.socket", "t.timer", "p.path", "srv-gold.mount", "srv-auto.automount", "test.target":
        sweep.manager("StartUnit", "ss", unit, "replace")
    subprocess.run(["systemd-run", "-q", "--scope", "--unit=sc", "sh", "-c", "sleep 1000 </dev/null >/dev/null 2>&1 &"], stdin=subprocess.DEVNULL)
    sweep.job()
    sweep.settle()
    objects = ["manager", "log", "job", *UNITS]
    for obj in objects:
        sweep.introspect(obj)
        sweep.values(obj)
    for obj in objects:
        sweep.any_property(obj)
    sweep.over_private(objects)
    sweep.job_lasts()
    sweep.job_begins()
    sweep.calls(calls)
    for obj in objects:
        if obj == "job":
            sweep.job()
        sweep.any_call(obj)
    sweep.signals()
    json.dump({"members": sweep.members, "said": sweep.said}, open(out, "w"), indent=1)


def compare(ours_path, theirs_path, table_path):
    table, bad, same = Table(table_path), 0, 0
    ours, theirs = json.load(open(ours_path)), json.load(open(theirs_path))
    for part in "members", "said":
        for key in sorted(set(ours[part]) | set(theirs[part])):
            a, b = ours[part].get(key, "none"), theirs[part].get(key, "none")
            same += a == b
            if a != b and not table.takes(key, f"{a} | {b}"):
                bad += 1
                print(f"not ok {key}: {a} | systemd: {b}")
    bad += table.unused()
    if not bad:
        print(f"ok {len(ours['members'])} members and what {len(ours['said'])} calls give: {same} as with systemd, the others as {table_path.rpartition('/')[2]} says "
              "[rows: D+20]")
    return bad != 0


if __name__ == "__main__":
    if sys.argv[1] == "run":
        run(*sys.argv[2:4])
    else:
        sys.exit(compare(*sys.argv[2:5]))
