# SPDX-License-Identifier: MIT
"""The goals, in one table: what is held against what, how far is good. See docs/PERFORMANCE.md."""

# key: (goal, first aim, final gate, sign): the figure must be <= ("<") or >= (">") the limit.
# A ratio is hark's median over the median of the named other in the same run. Lines that begin with "-" are no
# goals: they show how far it is from a loop that forks.
GATES = {
    "boot-1000/floor": ("G1 wall of 1000 services / floor", 1.5, 1.5, "<"),
    "boot-1000-cpu/floor": ("G1 CPU of 1000 services / floor", None, 1.4, "<"),
    "boot-1000/systemd": ("G1 times faster than systemd", None, 8, ">"),
    "boot-100/floor": ("G2 wall of 100 services / floor", 1.5, 1.5, "<"),
    "boot-1000/fork": ("- wall of 1000 / floor-fork", None, None, "<"),
    "boot-100/fork": ("- wall of 100 / floor-fork", None, None, "<"),
    "pids-extra": ("G3 PIDs beyond one for each service", None, 3, "<"),
    "first-unix/floor": ("G6 first byte p50 unix / floor", 1.5, 1.25, "<"),
    "first-tcp/floor": ("G6 first byte p50 tcp / floor", 1.5, 1.25, "<"),
    "first-unix/fork": ("- p50 unix / floor-fork", None, None, "<"),
    "first-tcp/fork": ("- p50 tcp / floor-fork", None, None, "<"),
    "first-unix-p99/floor": ("G6 first byte p99 unix / floor", None, 2, "<"),
    "first-tcp-p99/floor": ("G6 first byte p99 tcp / floor", None, 2, "<"),
    "first-unix/systemd": ("G6 times faster than systemd, p50", None, 3.5, ">"),
    "first-unix-p99/systemd": ("G6 times faster than systemd, p99", None, 20, ">"),
    "first-unix-many/alone": ("G7 p50 with many other sockets / alone", None, 1.15, "<"),
    "rate-unix-1/floor": ("Accept=yes per second, 1 at a time / floor", 0.7, None, ">"),
    "rate-unix-16/floor": ("G8 Accept=yes per second, 16 / floor", 0.7, 0.85, ">"),
    "rate-unix-64/floor": ("G8 Accept=yes per second, 64 / floor", 0.7, 0.85, ">"),
    "rate-unix-16/systemd": ("G8 16 / systemd", None, 5, ">"),
    "rate-unix-16/inetd": ("G8 16 / openbsd-inetd (no cgroups)", None, 1.3, ">"),
    "rate-unix-16/fork": ("- 16 / floor-fork", None, None, ">"),
    "rate-unix-64/fork": ("- 64 / floor-fork", None, None, ">"),
    "rate-tcp-1/floor": ("Accept=yes per second tcp, 1 at a time / floor", 0.7, None, ">"),
    "rate-tcp-16/floor": ("G8 Accept=yes per second tcp, 16 / floor", 0.7, 0.85, ">"),
    "rate-tcp-64/floor": ("G8 Accept=yes per second tcp, 64 / floor", 0.7, 0.85, ">"),
    "rate-tcp-16/systemd": ("G8 tcp 16 / systemd", None, 8, ">"),
    "rate-tcp-16/xinetd": ("G8 tcp 16 / xinetd (no cgroups)", None, 1.3, ">"),
    "restart-1/floor": ("G12 SIGKILL to report, 1 / floor", 2, 1.5, "<"),
    "restart-1/fork": ("- the same / floor-fork", None, None, "<"),
    "restart-1-max": ("G12 the slowest of them, ms", None, 2, "<"),
    "restart-100/floor": ("G12 SIGKILL to report, 100 / floor", 2, 1.4, "<"),
    "restart-100/fork": ("- the same / floor-fork", None, None, "<"),
    "uss-init": ("G11 private kB of hark-init, 1000 services", 150, 44, "<"),
    "uss-harkd": ("G11 private kB of harkd, 1000 services", 2500, 1700, "<"),
    "uss-harkd-0": ("G11 private kB of harkd, empty", None, 700, "<"),
    "uss-service": ("G10 kB more for each running service", None, 1.7, "<"),
    "mounts-0-rate": ("G15 % of a processor at 1000 mounts a second", 2, 2, "<"),
    "mounts-1000-rate": ("G15 the same, 1000 there before", 2, 2, "<"),
    "mounts-0-full": ("G15 us for each mount at full speed", 20, 20, "<"),
    "mounts-1000-full": ("G15 the same, 1000 there before", 20, 20, "<"),
    "bus-start/systemd": ("G17 systemctl start / systemd", 0.5, 0.5, "<"),
    "bus-list/systemd": ("G17 systemctl list-units of 150 / systemd", 0.5, 0.5, "<"),
    "bus-list_cpu/systemd": ("G17 the same, processor time of the manager", 0.5, 0.5, "<"),
    "bus-reload/systemd": ("G17 systemctl daemon-reload / systemd", 0.5, 0.5, "<"),
    "bus-activation_name/systemd": ("G17 first call of a bus name / systemd", 0.5, 0.5, "<"),
    "bus-activation_own_name/systemd": ("G17 the same of a service linked with libdbus", 0.5, 0.5, "<"),
    "bus-activation_name/floor-bus": ("- first call of a bus name / floor-bus", None, None, "<"),
    "bus-activation_own_name/floor-bus": ("- the same of a service linked with libdbus", None, None, "<"),
    "status": ("G13 harkctl status, ms", 1, 0.6, "<"),
}

# Not run here (not packaged in Debian 12): measured earlier on the same kind of machine.
PUBLISHED = [
    "dinit 0.22, published and not of this run: 100 services 2.6 x floor, 1000 services 2.3 x floor (no cgroups);",
    "restart 0.65 ms for 1, 20-26 ms for 100; 1.9 MB empty, 3.8 MB with 1000; dinitctl status 1.2 ms.",
]


NOISY = 0.2  # others' share of the processors from which on no verdict is given


def verdict(figure, limit, sign, is_noisy):
    if limit is None:
        return "-"
    good = figure <= limit if sign == "<" else figure >= limit
    word = "noisy" if is_noisy else "ok" if good else "not yet"
    return f"{'<=' if sign == '<' else '>='} {limit:g} {word}"


def rows(figures, noisy):
    """[(goal, figure, first aim, final gate)] for what was measured; noisy: the keys that are not to be trusted."""
    found = []
    for key, (goal, aim, final, sign) in GATES.items():
        if figures.get(key) is not None:
            f = figures[key]
            found.append((goal, f"{f:.3g}", verdict(f, aim, sign, key in noisy), verdict(f, final, sign, key in noisy)))
    return found
