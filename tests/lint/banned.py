#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Calls and types that may appear only in the file that is their door, or nowhere."""

import re

from common import Report, line_of, read, sources, strip

MEM = ["src/core/mem.c"]
INIT = ["src/core/init.c"]
# Each entry: words, files that may use them, why.
CALLS = [
    ("malloc calloc realloc reallocarray free posix_memalign aligned_alloc", MEM, "use mem.h"),
    ("strdup strndup asprintf vasprintf getline getdelim open_memstream", [], "use mem.h and str.h"),
    ("scandir glob fopen fdopen popen system", [], "hides an allocation or a shell; use fd.h"),
    ("alloca setjmp longjmp sigsetjmp siglongjmp", [], "not in this house"),
    ("sprintf vsprintf gets strtok tmpnam mktemp atoi atol atof", [], "no bounds or no errors"),
    ("signal sigaction", INIT + ["src/core/exec.c", "src/core/raw.h", "src/core/main.c", "src/core/crash.c", "src/core/aside.c",
                                 "src/activate/bus_main.c"],
     "signals arrive through signalfd"),
    ("abort exit", [], "nothing may end the process but main()"),
    # The child is our own and not reaped yet, so its number is exact: PID 1 alone can say that.
    ("kill killpg tgkill", INIT + ["src/core/keeper.c", "src/core/final.c"], "signals go through a pidfd (proc.h)"),
    ("fork vfork clone clone3 raw_clone posix_spawn", ["src/core/init.c", "src/core/raw.h", "src/core/keeper.c", "src/core/final.c",
                                                            "src/core/aside.c", "src/core/isolate.c", "src/activate/generate_main.c",
                                                            "src/ctl/edit.c", "src/activate/bus_work.c"],
     "only PID 1 forks, generators their kind, harkctl an editor, and the manager and hark-bus who waits for the disk"),
    ("pthread_create thrd_create", [], "no threads"),
]
# Descriptors are born with close-on-exec: the flag must stand within the call.
CLOEXEC = {
    "open": "O_CLOEXEC", "openat": "O_CLOEXEC", "open_by_handle_at": "O_CLOEXEC", "pipe2": "O_CLOEXEC",
    "socket": "SOCK_CLOEXEC", "socketpair": "SOCK_CLOEXEC", "accept4": "SOCK_CLOEXEC",
    "memfd_create": "MFD_CLOEXEC", "epoll_create1": "EPOLL_CLOEXEC", "eventfd": "EFD_CLOEXEC",
    "signalfd": "SFD_CLOEXEC", "timerfd_create": "TFD_CLOEXEC", "inotify_init1": "IN_CLOEXEC",
    "dup3": "O_CLOEXEC",
}
BARE = {"pipe": "pipe2", "accept": "accept4", "epoll_create": "epoll_create1", "inotify_init": "inotify_init1",
        "dup": "fcntl(F_DUPFD_CLOEXEC)", "creat": "open"}
# The plan runner sets up the descriptors of a child, there they shall survive the exec.
INHERITS = ["src/core/plan_run.c", "src/core/exec.c"]


def arguments(text, start):
    """What stands between the bracket at START and its partner."""
    depth = 0
    for i in range(start, min(len(text), start + 2000)):
        if text[i] == "(":
            depth += 1
        elif text[i] == ")":
            depth -= 1
            if depth == 0:
                return text[start:i]
    return text[start:]


def calls(words):
    # Not a field (x->free, x.free), and not a longer name.
    return re.compile(r"(?<![\w.>])(" + "|".join(words) + r")\s*\(")


def main():
    report = Report("banned")
    patterns = [(calls(words.split()), allowed, why) for words, allowed, why in CALLS]
    cloexec = calls(CLOEXEC)
    bare = calls(BARE)
    floating = re.compile(r"\b(float|double)\b")
    raw = re.compile(r"\b(SYS|__NR)_(kill|tgkill|tkill)\b")
    exits = re.compile(r"\bmain\s*\(")
    n = 0
    for path in sources((".c", ".h", ".def")):
        n += 1
        lines = read(path).splitlines()
        text = strip(read(path))
        for pattern, allowed, why in patterns:
            if path in allowed:
                continue
            for match in pattern.finditer(text):
                if match.group(1) == "exit" and exits.search(text):
                    continue
                report.add(path, line_of(text, match.start()), f"{match.group(1)}(): {why}")
        for match in floating.finditer(text):
            report.add(path, line_of(text, match.start()), f"{match.group(1)}: no floating point in src/ (B32)")
        if path not in INIT:
            for match in raw.finditer(text):
                report.add(path, line_of(text, match.start()), "signals go through a pidfd (proc.h)")
        for match in cloexec.finditer(text):
            flag = CLOEXEC[match.group(1)]
            given = arguments(text, match.end() - 1)
            if flag in given or path in INHERITS or match.group(1) == "dup3" and path in INIT + ["src/core/keeper.c"]:
                continue
            if "inherited" in lines[line_of(text, match.start()) - 1]:
                continue  # says in a comment why the child shall have it
            if re.search(r"\bflags\b|\btype\b", given):
                continue  # a wrapper: its caller is checked by the same rule
            report.add(path, line_of(text, match.start()), f"{match.group(1)}() without {flag}")
        if path not in INHERITS:
            for match in bare.finditer(text):
                report.add(path, line_of(text, match.start()),
                           f"{match.group(1)}(): use {BARE[match.group(1)]}")
    report.finish(rows="B32", note=f"({n} files)")


main()
