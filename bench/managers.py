# SPDX-License-Identifier: MIT
"""How each manager is told to do the same work. A load says what the work is."""
import os
import shutil


class Load:
    """services: N payloads that report and stay; address: one socket with a service behind it; with_bus: D-Bus, and what is asked for by it."""

    def __init__(self, services=0, restart=False, address=None, accept=False, others=0, bare="boot", with_bus=False):
        self.services, self.restart = services, restart
        self.address, self.accept, self.others = address, accept, others
        self.with_bus = with_bus
        self.bare = bare  # which loop of `floor` does the same

    @property
    def is_unix(self):
        return bool(self.address) and self.address.startswith("unix:")


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


class Manager:
    name = "?"
    is_init = False  # wants to be PID 1

    def can(self, load):
        return True

    def command(self, box):
        """Write the configuration below box.dir; return (argv, environment)."""
        raise NotImplementedError


# --- the floor ---

class Floor(Manager):
    def __init__(self, how):
        self.how, self.name = how, "floor-" + how

    def command(self, box):
        load = box.load
        end = [load.address, str(load.others)] if load.address else [box.report, str(load.services)]
        return [box.bench.program("floor"), load.bare, self.how, box.cgroup, box.bench.program("payload")] + end, {}


class FloorBus(Manager):
    """Takes the manager's name on the bus and starts what is asked for: that a call needs of the bus, of an exec and of the service itself."""
    name, is_init = "floor-bus", True

    def command(self, box):
        write_names(box)
        programs = os.path.dirname(box.bench.program("floor"))
        return [box.bench.program("floor"), "bus", "vfork", "/sys/fs/cgroup", programs, box.dir + "/bus.conf", "0"], {}


# --- unit files: hark and systemd read the very same ---

UNIT = "[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n"
NULL = "StandardOutput=null\nStandardError=null\n"


def in_lines(key, names):
    return "".join(f"{key}={' '.join(names[i:i + 50])}\n" for i in range(0, len(names), 50))


def service(payload, words, more=""):
    return f"{UNIT}[Service]\nExecStart={payload} {words}\n{NULL}{more}"


def socket_unit(address, more=""):
    where = address[5:] if address.startswith("unix:") else "127.0.0.1:" + address[4:]
    limits = "Backlog=4096\nMaxConnections=4096\nTriggerLimitIntervalSec=0\n"
    return f"{UNIT}[Socket]\nListenStream={where}\n{limits}{more}"


def write_units(box):
    units, load, payload = box.dir + "/units", box.load, box.bench.program("payload")
    names = [f"s{i}.service" for i in range(load.services)]
    again = "Restart=always\nRestartSec=0\n" if load.restart else ""
    for i, name in enumerate(names):
        write(f"{units}/{name}", service(payload, f"r:{box.report}:{i}", "StandardInput=null\n" + again))
    sockets = []
    if load.address:
        sockets = ["k.socket"]
        write(units + "/k.socket", socket_unit(load.address, f"Accept={'yes' if load.accept else 'no'}\n"))
        if load.accept:
            write(units + "/k@.service", service(payload, "e", "StandardInput=socket\n"))
        else:
            write(units + "/k.service", service(payload, "a"))
    for i in range(load.others):
        sockets.append(f"other{i}.socket")
        write(f"{units}/other{i}.socket", socket_unit(f"unix:@hark-bench/{i}", "Service=idle.service\n"))
    if load.others:
        write(units + "/idle.service", service(payload, "x"))
    if sockets:  # says that all listen
        names = names + ["ready.service"]
        write(units + "/ready.service", UNIT + in_lines("After", sockets) +
              f"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart={payload} o:{box.report}:9999\n{NULL}")
    if load.with_bus:
        sockets = sockets + write_bus(box, units)
    write(units + "/bench.target", "[Unit]\nDefaultDependencies=no\n" + in_lines("Wants", sockets + names))
    return units


BUS = """<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth><servicedir>{0}</servicedir>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="signal"/><allow receive_type="method_return"/><allow receive_type="error"/>
</policy></busconfig>
"""


# Services of a name: the least that there can be (bench/name.c), and one that is linked with libdbus (tests/ns/own_name.c).
NAMES = {program: "org.bench." + program for program in ("name", "own_name")}


def write_names(box):
    write(box.dir + "/bus.conf", BUS.format(box.dir + "/names"))
    for program, name in NAMES.items():
        write(f"{box.dir}/names/{name}.service",
              f"[D-BUS Service]\nName={name}\nExec=/bin/false\nUser=root\nSystemdService={program}.service\n")


def write_bus(box, units):
    """A bus, names on it that a call activates, and a unit that ends at once. What is to be started."""
    write_names(box)
    for program, name in NAMES.items():
        write(f"{units}/{program}.service", service(box.bench.program(program), name + " 0", f"Type=dbus\nBusName={name}\n"))
    write(units + "/trivial.service", service(box.bench.program("payload"), "x", "Type=oneshot\n"))
    write(units + "/dbus.socket", UNIT + "[Socket]\nListenStream=/run/dbus/system_bus_socket\n")
    daemon = f"{shutil.which('dbus-daemon')} --config-file={box.dir}/bus.conf"
    write(units + "/dbus.service", service(daemon, "--address=systemd: --nofork --nopidfile --systemd-activation --syslog-only", "Type=notify\n"))
    return ["dbus.socket", "dbus.service"]


class Hark(Manager):
    name = "hark"

    def command(self, box):
        units, run = write_units(box), self.run_dir(box)
        os.makedirs(run, exist_ok=True)
        init = os.path.join(box.bench.hark, "hark-init")
        return [init, "--unit-path", units, "--run-dir", run, "--cgroup-root", box.cgroup,
                "--default", "bench.target"], {"HARK_RUN_DIR": run}

    def run_dir(self, box):
        return box.dir + "/run"

    def status(self, box, unit):
        return [os.path.join(box.bench.hark, "harkctl"), "status", unit], {"HARK_RUN_DIR": self.run_dir(box)}


class HarkFirst(Hark):
    """As PID 1, like systemd: only the machine's own manager has a unit for each mount."""
    is_init = True

    def command(self, box):
        argv, env = super().command(box)
        return argv[:argv.index("--cgroup-root")] + ["--cgroup-root", "/sys/fs/cgroup", "--default", "bench.target"], env


class HarkBus(HarkFirst):
    """As PID 1, with the socket that systemctl knows."""

    def command(self, box):
        argv, env = super().command(box)
        units = box.dir + "/units"
        write(units + "/hark-bus.socket", UNIT + "[Socket]\nListenStream=/run/systemd/private\nSocketMode=0600\n")
        write(units + "/hark-bus.service", service(os.path.join(box.bench.hark, "hark-bus"), "", f"Environment=HARK_RUN_DIR={self.run_dir(box)}\n"))
        write(units + "/bench.target.d/bus.conf", "[Unit]\nWants=hark-bus.socket\n")
        write(units + "/dbus.service.d/bus.conf", "[Unit]\nWants=hark-bus.service\n")
        return argv, env


class Systemd(Manager):
    name, is_init = "systemd", True
    path = "/lib/systemd/systemd"

    def command(self, box):
        units = write_units(box)
        none = box.dir + "/none"
        os.makedirs(none, exist_ok=True)
        return [self.path, "--unit=bench.target", "--log-target=null", "--show-status=no"], {
            "container": "bench", "SYSTEMD_UNIT_PATH": units, "SYSTEMD_GENERATOR_PATH": none,
            "SYSTEMD_ENVIRONMENT_GENERATOR_PATH": none}

    def status(self, box, unit):
        return ["/usr/bin/systemctl", "is-active", unit], {}


# --- supervisors: one directory for each service, no cgroups ---

class Scan(Manager):
    """A `run` file names the payload as its interpreter: no shell is charged."""

    def __init__(self, root):
        self.root = root

    def can(self, load):
        return not load.address

    def scan_dir(self, box):
        os.makedirs(box.dir + "/scan")
        for i in range(box.load.services):
            write(f"{box.dir}/scan/s{i}/run", f"#!{box.bench.program('payload')} r:{box.report}:{i}\n", 0o755)
        return box.dir + "/scan"


class S6(Scan):
    name = "s6"

    def command(self, box):
        scan = self.scan_dir(box)
        return [find(self.root, "s6-svscan"), "-c", str(max(500, box.load.services + 100)), scan], peer_env(self.root)


class Runit(Scan):
    name = "runit"

    def command(self, box):
        return [find(self.root, "runsvdir"), self.scan_dir(box)], peer_env(self.root)


# --- super-servers ---

class Inetd(Manager):
    name = "inetd"

    def __init__(self, root):
        self.root = root

    def can(self, load):
        return bool(load.address) and not load.others

    def command(self, box):
        load, conf = box.load, box.dir + "/inetd.conf"
        where, family = load.address.split(":", 1)[1], "unix" if load.is_unix else "tcp"
        wait, word = ("nowait.1000000", "e") if load.accept else ("wait", "w")
        write(conf, f"{where} stream {family} {wait} root {box.bench.program('payload')} payload {word}\n")
        return [find(self.root, "inetd"), "-i", "-R", "1000000", conf], peer_env(self.root)


class Xinetd(Inetd):
    name = "xinetd"

    def can(self, load):
        return super().can(load) and not load.is_unix

    def command(self, box):
        load, conf = box.load, box.dir + "/xinetd.conf"
        wait, word = ("no", "e") if load.accept else ("yes", "w")
        write(conf, "defaults\n{\n instances = UNLIMITED\n per_source = UNLIMITED\n cps = 1000000 0\n"
              " log_type = FILE /dev/null\n}\nservice bench\n{\n type = UNLISTED\n"
              f" port = {load.address[4:]}\n socket_type = stream\n protocol = tcp\n wait = {wait}\n"
              f" user = root\n server = {box.bench.program('payload')}\n server_args = {word}\n}}\n")
        return [find(self.root, "xinetd"), "-dontfork", "-f", conf], peer_env(self.root)


# --- peers from apt, unpacked and not installed ---

PACKAGES = {"s6": ["s6", "libs6-2.11", "libskarnet2.13", "libexecline2.9"], "runit": ["runit"],
            "inetd": ["openbsd-inetd"], "xinetd": ["xinetd"]}
PEERS = {"s6": S6, "runit": Runit, "inetd": Inetd, "xinetd": Xinetd}


def find(root, name):
    for place in ("bin", "sbin", "usr/bin", "usr/sbin"):
        if os.access(f"{root}/{place}/{name}", os.X_OK):
            return f"{root}/{place}/{name}"
    return shutil.which(name)


def peer_env(root):
    return {"PATH": f"{root}/usr/bin:{root}/bin:{root}/usr/sbin:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": f"{root}/usr/lib/x86_64-linux-gnu:{root}/lib/x86_64-linux-gnu"}
