# SPDX-License-Identifier: MIT
"""A manager in a box: its own PID namespace and cgroup, started and timed by the program `box`."""
import os
import shutil
import subprocess
import tempfile
import time
from struct import iter_unpack

RECORD = "=QII"  # ns, pid, id: struct record of bench.h
RECORD_SIZE = 16


class Failed(Exception):
    """A manager did not do what it was to do; the text says what and where its log is."""


class Bench:
    """What a whole run shares: programs, the directory on tmpfs, the cgroup."""

    def __init__(self, programs, work, cgroup, hark):
        self.programs, self.work, self.cgroup, self.hark = programs, work, cgroup, hark
        self.patience = 2  # seconds that a box waits for a quiet machine
        self.count = 0

    def program(self, name):
        return os.path.join(self.programs, name)

    def path(self, name):
        return os.path.join(self.work, name)


class Box:
    """One start of a manager. `with Box(bench, manager, load) as box: ...`"""

    def __init__(self, bench, manager, load):
        bench.count += 1
        self.bench, self.manager, self.load = bench, manager, load
        self.dir = tempfile.mkdtemp(prefix=manager.name + "-", dir=bench.work)
        self.report = os.path.join(self.dir, "report")
        self.log = os.path.join(self.dir, "log")
        self.cgroup = os.path.join(bench.cgroup, f"box{bench.count}")
        self.process = None
        os.mkdir(self.cgroup)
        open(self.report, "w").close()

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def wait_quiet(self):
        """Until the kernel has freed the cgroups of the box before: it holds the lock that mkdir needs."""
        end = time.monotonic() + 5
        while time.monotonic() < end:
            with open(self.bench.cgroup + "/cgroup.stat") as f:
                if "nr_dying_descendants 0\n" in f.read():
                    break
            time.sleep(0.05)
        end = time.monotonic() + self.bench.patience
        while machine_busy(0.06) > 0.25 and time.monotonic() < end:
            continue

    def start(self):
        self.wait_quiet()
        if os.path.exists(self.bench.path("socket")):
            os.unlink(self.bench.path("socket"))
        argv, env = self.manager.command(self)
        kind = "init" if self.manager.is_init else "child"
        self.process = subprocess.Popen(
            [self.bench.program("box"), self.cgroup, kind, self.log, "--"] + argv,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"], **env})
        words = self.process.stdout.readline().split()
        if len(words) != 2:
            raise Failed(f"{self.manager.name}: could not be started")
        self.pid, self.start_ns = int(words[0]), int(words[1])

    # --- what came in ---

    def wait_reports(self, n, seconds=30):
        """Until n reports are there. The times are in them, so looking late costs nothing."""
        end = time.monotonic() + seconds
        while os.stat(self.report).st_size < n * RECORD_SIZE:
            if time.monotonic() > end:
                got = os.stat(self.report).st_size // RECORD_SIZE
                raise Failed(f"{self.manager.name}: {got} of {n} reports after {seconds} s\n{self.tail()}")
            time.sleep(0.002)

    def last_report_ms(self):
        with open(self.report, "rb") as f:
            return (max(r[0] for r in iter_unpack(RECORD, f.read())) - self.start_ns) / 1e6

    def tail(self):
        try:
            with open(self.log, errors="replace") as f:
                return "".join(f.readlines()[-8:])
        except OSError:
            return ""

    # --- what it cost ---

    def cpu_ms(self):
        return cpu_seconds(self.cgroup) * 1e3

    def pids_used(self):
        """PIDs given out so far to the manager and what it started (not to the stub, not to us)."""
        last = int(self.inside(["cat", "/proc/sys/kernel/ns_last_pid"])) - 1
        return last if self.manager.is_init else last - 1

    def processes(self):
        """(pid, comm) of the manager and its helpers: all but the payloads (run: by way of a #! line) and the stub."""
        found = []
        for where, _, _ in os.walk(self.cgroup):
            try:
                with open(where + "/cgroup.procs") as f:
                    pids = [int(p) for p in f.read().split()]
                found += [(p, open(f"/proc/{p}/comm").read().strip()) for p in pids]
            except OSError:
                pass
        return [(p, c) for p, c in found if c not in ("payload", "run", "box")]

    def settle(self, most_s=10):
        """Until the box uses less than 2 % of a processor."""
        end, before = time.monotonic() + most_s, self.cpu_ms()
        while time.monotonic() < end:
            time.sleep(0.1)
            now = self.cpu_ms()
            if now - before < 2:
                return
            before = now

    # --- to act on it ---

    def inside(self, argv, env=None):
        """Run a command in the manager's namespaces and return what it prints."""
        enter = ["nsenter", "-t", str(self.pid), "-p", "-m", "-C", "--"]
        done = subprocess.run(enter + argv, capture_output=True, text=True, timeout=120,
                              env={"PATH": os.environ["PATH"], **(env or {})})
        if done.returncode:
            raise Failed(f"{self.manager.name}: {' '.join(argv[:6])}: {done.stderr.strip() or done.returncode}")
        return done.stdout

    def close(self):
        if self.process:
            self.process.stdin.close()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        remove_cgroup(self.cgroup)
        shutil.rmtree(self.dir, ignore_errors=True)


def machine_ticks():
    """(all, busy) ticks of the processors so far."""
    with open("/proc/stat") as f:
        ticks = [int(w) for w in f.readline().split()[1:9]]
    return sum(ticks), sum(ticks) - ticks[3] - ticks[4]


def machine_busy(seconds):
    """Which part of the processors' time went to anything, over so long."""
    total, busy = machine_ticks()
    time.sleep(seconds)
    total2, busy2 = machine_ticks()
    return (busy2 - busy) / max(1, total2 - total)


class Others:
    """Which part of the processors' time others took meanwhile: what a run's figures cannot be cleaned of."""

    def __init__(self, cgroup):
        self.cgroup = cgroup
        self.total, self.busy = machine_ticks()
        self.ours = cpu_seconds(cgroup)

    def share(self):
        total, busy = machine_ticks()
        ours = (cpu_seconds(self.cgroup) - self.ours) * os.sysconf("SC_CLK_TCK")
        return max(0, (busy - self.busy - ours) / max(1, total - self.total))


def cpu_seconds(cgroup):
    with open(cgroup + "/cpu.stat") as f:
        return int(next(l for l in f if l.startswith("usage_usec")).split()[1]) / 1e6


def remove_cgroup(path):
    """Kill what is left in a cgroup of ours and remove it with its children."""
    for _ in range(100):
        if not os.path.isdir(path):
            return
        try:
            with open(path + "/cgroup.kill", "w") as f:
                f.write("1")
        except OSError:
            pass
        for where, _, _ in os.walk(path, topdown=False):
            try:
                os.rmdir(where)
            except OSError:
                pass
        time.sleep(0.02)
