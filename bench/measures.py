# SPDX-License-Identifier: MIT
"""The measures (a) to (j). Each returns rows for its table and leaves figures for the gates.

All managers of a measure are interleaved (A B C A B C ...); what is printed are medians.
"""
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time

from box import Box, Failed
from managers import NAMES, FloorBus, HarkBus, HarkFirst, Load

# What hark is held against; both make a cgroup for each service. At boot spawns can overlap; where each
# start waits for an event the goals were set beside the loop that waits for each exec.
FLOOR = "floor-vm"
FLOOR_EVENT = "floor-vfork"
FLOORS = (FLOOR_EVENT, "floor-vm", "floor-fork")


def median(values):
    return statistics.median(values) if values else None


def interleave(managers, load, repetitions, measure):
    """{manager: {key: median}} of measure(box) -> {key: value}."""
    seen, broken = {m.name: [] for m in managers}, set()
    for _ in range(repetitions):
        for m in managers:
            if m.name in broken or not m.can(load):
                continue
            try:
                with Box(load.bench, m, load) as box:
                    seen[m.name].append(measure(box))
            except Failed as why:
                broken.add(m.name)
                print(f"bench: {why}", file=sys.stderr)
    return {name: {k: median([r[k] for r in runs]) for k in runs[0]} for name, runs in seen.items() if runs}


def ratio(results, key, over, of="hark"):
    """of's value over another's; None where one is missing."""
    a, b = results.get(of, {}).get(key), results.get(over, {}).get(key)
    return a / b if a is not None and b else None


class Plan:
    """How much of everything: full, or quick for CI."""

    def __init__(self, bench, managers, quick):
        self.bench, self.quick = bench, quick
        self.all = managers
        self.repetitions = 3 if quick else 7
        self.sizes = [100] if quick else [100, 1000]
        self.families = ["unix"] if quick else ["unix", "tcp"]
        self.others = 1000 if quick else 10000
        self.figures = {}
        self.noisy = set()  # keys of figures that were taken while others used the machine
        self.raw = {}

    def load(self, **words):
        load = Load(**words)
        load.bench = self.bench
        return load

    def named(self, *names):
        return [m for m in self.all if m.name in names or not m.name.startswith("floor") and "peers" in names]

    def run(self, label, managers, load, measure, repetitions=None):
        results = interleave(managers, load, repetitions or self.repetitions, measure)
        self.raw[label] = results
        return results

    def note(self, key, figure):
        self.figures[key] = figure

    def note_ratios(self, label, results, key, others, faster="<"):
        """label/floor and so on; against a peer ">" is how many times faster hark is."""
        for other, name in others.items():
            r = ratio(results, key, name)
            if r is not None:
                self.note(f"{label}/{other}", 1 / r if other not in ("floor", "fork") and faster == "<" else r)


def table_rows(results, columns, key, label, floor=FLOOR):
    """One row for each manager: its values and the ratio of `key` to the floor's."""
    rows = []
    for name, values in results.items():
        r = ratio(results, key, floor, name)
        rows.append([label, name] + [fmt(values.get(c)) for c in columns] + [fmt(r)])
    return rows


def fmt(value):
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


# --- (a) and (b): boot ---

def boot(box):
    n = box.load.services
    box.wait_reports(n, 60)
    cpu = box.cpu_ms()
    return {"wall_ms": box.last_report_ms(), "cpu_ms": cpu, "pids": box.pids_used()}


def measure_a(plan):
    """the floor: N services by a bare loop, with and without a cgroup for each"""
    rows, columns = [], ["wall_ms", "cpu_ms", "pids"]
    for n in plan.sizes:
        managers = plan.named("floor-vm", "floor-fork", "floor-vm-", "floor-fork-")
        results = plan.run(f"floor-{n}", managers, plan.load(services=n), boot)
        rows += table_rows(results, columns, "wall_ms", f"{n} services")
    return ["", "manager"] + columns + ["x floor"], rows


def measure_b(plan):
    """from the execve of the manager to the report of the last of N services"""
    rows, columns = [], ["wall_ms", "cpu_ms", "pids"]
    for n in plan.sizes:
        results = plan.run(f"boot-{n}", plan.named(FLOOR, "floor-fork", "peers"), plan.load(services=n), boot)
        rows += table_rows(results, columns, "wall_ms", f"{n} services")
        plan.note_ratios(f"boot-{n}", results, "wall_ms", {"floor": FLOOR, "fork": "floor-fork", "systemd": "systemd"})
        plan.note_ratios(f"boot-{n}-cpu", results, "cpu_ms", {"floor": FLOOR})
        if "hark" in results:
            plan.note("pids-extra", results["hark"]["pids"] - n)
    return ["", "manager"] + columns + ["x floor"], rows


# --- (c) and (d): sockets ---


def address_of(plan, family):
    return f"unix:{plan.bench.path('socket')}" if family == "unix" else "tcp:7777"


def client(box, *words):
    """The client runs outside: it only needs the network namespace, which is ours."""
    out = subprocess.run([box.bench.program("client"), *map(str, words)], capture_output=True, text=True, timeout=300)
    if out.returncode or not out.stdout:
        raise Failed(f"{box.manager.name}: client {words[0]}: {out.stderr.strip()}\n{box.tail()}")
    result = json.loads(out.stdout)
    if result["fail"] or not result["n"]:
        raise Failed(f"{box.manager.name}: client {words[0]}: {result['fail']} failed\n{box.tail()}")
    return result


def wait_socket(box):
    """unit files report when all sockets listen; the others are dialled until they answer."""
    if os.path.isdir(box.dir + "/units"):
        box.wait_reports(1, 60)
        return
    for _ in range(200):
        time.sleep(0.02)
        try:
            return client(box, "first", box.load.address, 1, 0)
        except Failed:
            continue
    raise Failed(f"{box.manager.name}: does not answer\n{box.tail()}")


def first(count):
    def measure(box):
        wait_socket(box)
        box.settle(5)
        client(box, "first", box.load.address, 5, 2000)  # warm
        before = box.cpu_ms()
        result = client(box, "first", box.load.address, count, 2000)
        return {"p50_us": result["p50_us"], "p99_us": result["p99_us"],
                "cpu_us_each": (box.cpu_ms() - before) * 1e3 / count}
    return measure


def measure_c(plan):
    """connect to the first byte of a service that was not running (Accept=no)"""
    rows, columns, count = [], ["p50_us", "p99_us", "cpu_us_each"], 100 if plan.quick else 300
    for family in plan.families:
        load = plan.load(address=address_of(plan, family), bare="wait")
        results = plan.run(f"first-{family}", plan.named(*FLOORS, "peers"), load, first(count))
        rows += table_rows(results, columns, "p50_us", family, FLOOR_EVENT)
        others = {"floor": FLOOR_EVENT, "fork": "floor-fork", "systemd": "systemd"}
        plan.note_ratios(f"first-{family}", results, "p50_us", others)
        plan.note_ratios(f"first-{family}-p99", results, "p99_us", others)
        many = plan.load(address=address_of(plan, family), bare="wait", others=plan.others)
        crowd = plan.run(f"first-{family}-many", plan.named(FLOOR_EVENT, "hark", "systemd" if not plan.quick else ""),
                         many, first(count), max(3, plan.repetitions - 4))
        rows += table_rows(crowd, columns, "p50_us", f"{family}, {plan.others} others", FLOOR_EVENT)
        if "hark" in crowd and "hark" in results:
            plan.note(f"first-{family}-many/alone", crowd["hark"]["p50_us"] / results["hark"]["p50_us"])
    return ["", "manager"] + columns + ["x floor"], rows


def rate(count, concurrent):
    def measure(box):
        wait_socket(box)
        client(box, "rate", box.load.address, 20, 1)
        before = box.cpu_ms()
        result = client(box, "rate", box.load.address, count, concurrent)
        return {"per_s": result["per_s"], "p50_us": result["p50_us"], "p99_us": result["p99_us"],
                "cpu_us_each": (box.cpu_ms() - before) * 1e3 / count}
    return measure


def measure_d(plan):
    """connections per second, each with a process of its own (Accept=yes)"""
    rows, columns = [], ["per_s", "p50_us", "p99_us", "cpu_us_each"]
    for family in plan.families:
        for concurrent in (1, 16, 64):
            load = plan.load(address=address_of(plan, family), accept=True, bare="accept")
            count = 300 if plan.quick else 2000
            results = plan.run(f"rate-{family}-{concurrent}", plan.named(*FLOORS, "peers"), load,
                               rate(count, concurrent))
            rows += table_rows(results, columns, "per_s", f"{family} x {concurrent}", FLOOR_EVENT)
            others = {"floor": FLOOR_EVENT, "fork": "floor-fork", "systemd": "systemd", "inetd": "inetd",
                      "xinetd": "xinetd"}
            plan.note_ratios(f"rate-{family}-{concurrent}", results, "per_s", others, ">")
    return ["", "manager"] + columns + ["x floor"], rows


# --- (e) restart ---

def kill(rounds, n):
    def measure(box):
        box.wait_reports(n)
        box.settle(5)
        out = box.inside([box.bench.program("client"), "kill", box.report, str(rounds), str(n)])
        result = json.loads(out)
        if result["fail"]:
            raise Failed(f"{box.manager.name}: {result['fail']} services did not come back\n{box.tail()}")
        return {"p50_ms": result["p50_us"] / 1e3, "max_ms": result["max_us"] / 1e3}
    return measure


def measure_e(plan):
    """SIGKILL to the report of the restarted service (RestartSec=0)"""
    rows, columns = [], ["p50_ms", "max_ms"]
    for n in (1, 100):
        # s6 waits a second by design
        managers = [m for m in plan.named(*FLOORS, "peers") if m.name != "s6"]
        rounds = 3 if plan.quick or n > 1 else 10
        load = plan.load(services=n, restart=True, bare="restart")
        results = plan.run(f"restart-{n}", managers, load, kill(rounds, n))
        rows += table_rows(results, columns, "p50_ms", f"{n} at once", FLOOR_EVENT)
        plan.note_ratios(f"restart-{n}", results, "p50_ms", {"floor": FLOOR_EVENT, "fork": "floor-fork"})
        if n == 1 and "hark" in results:
            plan.note("restart-1-max", results["hark"]["max_ms"])
    return ["", "manager"] + columns + ["x floor"], rows


# --- (f) memory ---

def private_kb(pid):
    """(private, of which no file's): a program's own text counts as private while one process runs it."""
    with open(f"/proc/{pid}/smaps_rollup") as f:
        text = f.read()
    return (sum(int(kb) for kb in re.findall(r"^Private_(?:Clean|Dirty): *(\d+)", text, re.M)),
            int(re.search(r"^Anonymous: *(\d+)", text, re.M).group(1)))


def memory(box):
    if box.load.services:
        box.wait_reports(box.load.services, 60)
    box.settle()
    sizes = dict.fromkeys(["all", "anon", "processes", "hark-init", "harkd"], 0)
    for pid, comm in box.processes():
        kb, anon = private_kb(pid)
        sizes["all"] += kb
        sizes["anon"] += anon
        sizes["processes"] += 1
        if comm in sizes:
            sizes[comm] += kb
    return sizes


def measure_f(plan):
    """private memory at rest, kB (all: the manager's processes together; anon: of that, no file's)"""
    rows, columns, seen = [], ["all", "anon", "processes", "hark-init", "harkd"], {}
    for n in (0, 100, 1000):
        results = plan.run(f"memory-{n}", plan.named(FLOOR, "peers") if n or not plan.quick else plan.named("hark"),
                           plan.load(services=n), memory, 1 if plan.quick else 3)
        rows += [[f"{n} services", name] + [fmt(v[c]) for c in columns] for name, v in results.items()]
        seen[n] = results.get("hark")
    if seen[1000]:
        plan.note("uss-init", seen[1000]["hark-init"])
        plan.note("uss-harkd", seen[1000]["harkd"])
    if seen[0] and seen[1000]:
        plan.note("uss-harkd-0", seen[0]["harkd"])
        plan.note("uss-service", (seen[1000]["harkd"] - seen[0]["harkd"]) / 1000)
    return ["", "manager"] + columns, rows


# --- (g) control ---

def control(count):
    def measure(box):
        box.wait_reports(box.load.services)
        box.settle(5)
        timer = [box.bench.program("client"), "time", str(count)]
        argv, env = box.manager.status(box, "s1.service")
        box.inside(argv, env)  # says so when it fails
        empty = json.loads(box.inside(timer + [box.bench.program("payload"), "x"]))
        status = json.loads(box.inside(timer + argv, env))
        return {"p50_ms": status["p50_us"] / 1e3, "p99_ms": status["p99_us"] / 1e3, "empty_ms": empty["p50_us"] / 1e3}
    return measure


def measure_g(plan):
    """status of one of 100 services: wall time of the client; beside it a client that does nothing"""
    columns = ["p50_ms", "p99_ms", "empty_ms"]
    managers = [m for m in plan.all if hasattr(m, "status")]
    results = plan.run("status", managers, plan.load(services=100), control(20 if plan.quick else 100))
    if "hark" in results:
        plan.note("status", results["hark"]["p50_ms"])
    return ["", "manager"] + columns, [["status", name] + [fmt(v[c]) for c in columns] for name, v in results.items()]


# --- (h) system calls ---

class Traced:
    """The system calls of the manager's processes, each under an strace of its own; payloads are not followed."""

    def __init__(self, box):
        self.calls = {}
        self.straces = []
        for pid, comm in box.processes():
            path = f"{box.dir}/strace.{pid}"
            strace = subprocess.Popen(["strace", "-c", "-p", str(pid), "-o", path], stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, text=True)
            if "attached" not in strace.stderr.readline():
                raise Failed(f"{box.manager.name}: strace cannot attach to {comm}")
            self.straces.append((strace, comm, path))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for strace, comm, path in self.straces:
            strace.send_signal(signal.SIGINT)
            strace.wait(30)
            with open(path) as f:
                total = re.search(r"^\s*100\.00\s+\S+\s+(?:\d+\s+)?(\d+)\s.*total$", f.read(), re.M)
            self.calls[comm] = self.calls.get(comm, 0) + (int(total.group(1)) if total else 0)


def calls(count, act):
    def measure(box):
        box.settle(5)
        with Traced(box) as traced:
            act(box, count)
        each = {comm: n / count for comm, n in traced.calls.items()}
        return {"all": sum(each.values()), "hark-init": each.get("hark-init", 0), "harkd": each.get("harkd", 0)}
    return measure


def ask(word, last):
    def act(box, count):
        client(box, word, box.load.address, count, last)
    return act


def restart(box, count):
    box.inside([box.bench.program("client"), "kill", box.report, str(count), "1"])


def measure_h(plan):
    """system calls of the manager for each activation, one at a time: what noise cannot spoil"""
    rows, columns, count = [], ["all", "hark-init", "harkd"], 50 if plan.quick else 200
    if not shutil.which("strace"):
        return ["", "manager"] + columns, [["no strace here", "", "", "", ""]]
    for label, load, act in (
            ("first connection", plan.load(address=address_of(plan, "unix"), bare="wait"), ask("first", 500)),
            ("Accept=yes", plan.load(address=address_of(plan, "unix"), accept=True, bare="accept"), ask("rate", 1)),
            ("restart", plan.load(services=1, restart=True, bare="restart"), restart)):
        results = plan.run(f"calls-{label}", [m for m in plan.all if m.name in ("hark", "systemd")], load,
                           calls(count, act), 1)
        rows += [[label, name] + [fmt(v[c]) for c in columns] for name, v in results.items()]
    return ["", "manager"] + columns, rows


# --- (i) mounts ---

def manager_us(box):
    """Processor time of the manager's processes so far, of which the kernel keeps nanoseconds."""
    return sum(int(open(f"/proc/{pid}/schedstat").read().split()[0]) for pid, _ in box.processes()) / 1e3


def storm(before, n, rate):
    def measure(box):
        program = box.bench.program("storm")
        for where, count in (("/run/before", before), ("/run/storm", 1)):
            box.inside(["mkdir", "-p", where])
            if count > 1:
                box.inside([program, where, str(count), "0", str(count)])
        box.settle(20)
        at = manager_us(box)
        took = float(box.inside([program, "/run/storm", str(n), str(rate), str(n)]))
        box.settle(30)
        us = manager_us(box) - at
        return {"us_each": us / n, "share": us / 1e4 / max(took, 1e-3)}
    return measure


def measure_i(plan):
    """mounts by somebody else: processor time of the manager for each (us), and its share of one processor meanwhile (%)"""
    rows, columns, load = [], ["us_each", "share"], plan.load(services=0)
    managers = [HarkFirst() if m.name == "hark" else m for m in plan.all if m.name in ("hark", "systemd")]
    n = 500 if plan.quick else 1000
    for before in (0, 1000):
        for rate, label in ((1000, "1000 a second"), (0, "at full speed")):
            key = f"mounts-{before}-{'rate' if rate else 'full'}"
            results = plan.run(key, managers, load, storm(before, n, rate), 1 if plan.quick else 3)
            rows += [[f"{label}, {before} there before", name] + [fmt(v[c]) for c in columns] for name, v in results.items()]
            if "hark" in results:
                plan.note(key, results["hark"]["share" if rate else "us_each"])
    return ["", "manager"] + columns, rows


# --- (j) D-Bus ---

PRIVATE = "/run/systemd/private"


def beyond(rounds, own, asked):
    """Median of what asked() gives beyond own(), in turns: what else the machine does meets both."""
    return median([asked() - own() for _ in range(rounds)])


def answered_list(box, timed, listing, rounds):
    """What a list takes beyond its client's own work, which is the same client beside a server that has the very answer ready: wall time. And the
    processor time of the manager. Both in us."""
    parrot = f"{box.bench.program('parrot')} {PRIVATE}.parrot {PRIVATE}.real </dev/null >/dev/null 2>&1"
    cpu = []

    def from_whom(server):
        box.inside(["ln", "-sfn", f"{PRIVATE}.{server}", PRIVATE])
        at = manager_us(box)
        us = timed(*listing)
        if server == "real":
            cpu.append((manager_us(box) - at) / 5)
        return us

    box.inside(["mv", PRIVATE, PRIVATE + ".real"])
    box.inside(["sh", "-c", f"setsid {parrot} & until [ -S {PRIVATE}.parrot ]; do sleep 0.01; done"])
    from_whom("parrot")
    return beyond(rounds, lambda: from_whom("parrot"), lambda: from_whom("real")), median(cpu)


def timer(box):
    """timed(COMMAND...): p50 of a command in us, of n times."""
    def timed(*argv, n=5):
        return json.loads(box.inside([box.bench.program("client"), "time", str(n), *argv]))["p50_us"]
    return timed


CTL = "/usr/bin/systemctl"


def activations(box, rounds):
    """What the first call of a name takes beyond the same call when its service runs, in us, for each service of a name."""
    is_floor = isinstance(box.manager, FloorBus)
    result = {}
    for program, name in NAMES.items():
        ping = ["/usr/bin/dbus-send", "--system", "--print-reply", "--dest=" + name, "/", "org.freedesktop.DBus.Peer.Ping"]

        def first_call():
            box.inside(["/bin/kill", "-USR1", "1"] if is_floor else [CTL, "stop", program + ".service"])
            time.sleep(0.02)  # what follows the stop is not the call's
            return timer(box)(*ping, n=1)

        def next_call():
            return timer(box)(*ping, n=1)

        next_call()
        box.settle(5)
        result[f"activation_{program}_us"] = beyond(rounds, next_call, first_call)
    return result


def over_bus(rounds):
    """p50 of what Debian's own clients take, in us, beyond the same clients when they ask for nothing."""
    def measure(box):
        if isinstance(box.manager, FloorBus):
            return activations(box, rounds)
        box.wait_reports(box.load.services)
        timed = timer(box)
        box.inside([CTL, "start", "trivial.service"])
        box.settle(5)
        empty = lambda: timed(CTL, "--version")
        result = {"start_us": beyond(rounds, empty, lambda: timed(CTL, "start", "trivial.service")),
                  "reload_us": beyond(rounds, empty, lambda: timed(CTL, "daemon-reload")),
                  **activations(box, rounds), "empty_us": empty()}
        result["list_us"], result["list_cpu_us"] = answered_list(box, timed, [CTL, "list-units", "--no-pager"], rounds)
        return result
    return measure


def measure_j(plan):
    """over D-Bus, by Debian's systemctl and dbus-send, without what the client itself costs: start of a unit that ends at once, daemon-reload,
    first call of a name whose service does not run (beyond the same call when it runs; the service is the least there can be, or linked with
    libdbus; floor-bus is a bare loop that the bus takes for the manager), list of 150 units (25 kB, which the client takes apart: that is its time
    beside a server that has the answer ready) and what processor time a list costs the manager"""
    columns = ["start_us", "reload_us", "activation_name_us", "activation_own_name_us", "list_us", "list_cpu_us", "empty_us"]
    managers = [FloorBus()] + plan.named("systemd")
    if plan.bench.hark and os.access(os.path.join(plan.bench.hark, "hark-bus"), os.X_OK):
        managers = [HarkBus()] + managers
    results = plan.run("bus", managers, plan.load(services=145, with_bus=True), over_bus(5 if plan.quick else 20), 3)
    for column in columns[:-1]:
        for other in ("systemd", "floor-bus"):
            r = ratio(results, column, other)
            if r is not None:
                plan.note(f"bus-{column[:-3]}/{other}", r)
    return ["", "manager"] + columns, [["bus", name] + [fmt(v.get(c)) for c in columns] for name, v in results.items()]


MEASURES = {"a": measure_a, "b": measure_b, "c": measure_c, "d": measure_d, "e": measure_e, "f": measure_f,
            "g": measure_g, "h": measure_h, "i": measure_i, "j": measure_j}
