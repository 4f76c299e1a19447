#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Calendar events and time spans: what systemd-analyze makes of generated expressions, and what we make of them.

times.py TIMES_PROGRAM [--count N] [--seed S]: says "ok" or "not ok" and prints what differs.
The words are those of systemd.time(7); some expressions are cut, joined or misspelled, for both must refuse the same ones.

systemd 252 passes over an event now and then when a step runs over the end of its part: "*-*-1/9" goes from December 28 to
January 10, "*-*-1,10,19,28" goes to January 1. Where it agrees with us about the second form, the first is counted apart."""
import argparse
import calendar
import os
import random
import re
import shutil
import subprocess
import sys
import time

DAYS = "Mon Tue Wed Thu Fri Sat Sun monday TUESDAY Wednesday thursday Friday saturday sunday".split()
WORDS = ("minutely hourly daily weekly monthly quarterly semiannually semi-annually biannually bi-annually yearly "
         "annually anually DAILY Hourly").split()
# Not Europe/Dublin, whose summer time tzdata calls standard: of a time that comes twice systemd takes the second there.
# Not Pacific/Chatham: systemd gives up about times that begin within its gap of 2:45 to 3:45.
ZONES = ("UTC utc Europe/Berlin America/New_York Asia/Kathmandu Australia/Lord_Howe America/Sao_Paulo "
         "Africa/Casablanca Pacific/Apia Asia/Tehran America/St_Johns Etc/GMT+5 America/Godthab").split()
BAD_ZONES = "europe/berlin Europe/Nowhere Europe/ ../UTC Utc+1 Foo".split()
LOCAL = "UTC Europe/Berlin America/New_York Australia/Lord_Howe Asia/Kolkata America/Sao_Paulo Pacific/Apia".split()
UNITS = ("us usec \u00b5s ms msec s sec second seconds m min minute minutes h hr hour hours d day days w week weeks M month "
         "months y year years").split()
ITERATIONS = 4


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def number(self, low, high):
        n = self.r.randint(low, high)
        return f"{n:02d}" if self.r.random() < 0.4 else str(n)

    def fraction(self):
        return "." + "".join(self.r.choice("0123456789") for _ in range(self.r.randint(1, 8))) if self.r.random() < 0.15 else ""

    def one_range(self, low, high, seconds):
        more = self.fraction if seconds else str
        r = self.r.random()
        if r < 0.6:
            return self.number(low, high) + more()
        begin = self.r.randint(low, high)
        end = self.r.randint(begin, high) if self.r.random() < 0.95 else self.r.randint(low, high)
        step = f"/{self.r.randint(1, max(1, (high - low) // 3))}{more()}"
        if r < 0.75:
            return f"{begin}{more()}..{end}{more()}"
        if r < 0.9:
            return f"{low if self.r.random() < 0.5 else begin}{more()}{step}"
        return f"{begin}{more()}..{end}{more()}{step}"

    def part(self, low, high, star=0.45, seconds=False):
        if self.r.random() < star:
            return "*"
        n = 1 if self.r.random() < 0.75 else self.r.randint(2, 4)
        return ",".join(self.one_range(low, high, seconds) for _ in range(n))

    def weekdays(self):
        def one():
            if self.r.random() < 0.6:
                return self.r.choice(DAYS)
            a, b = sorted(self.r.choices(range(7), k=2))
            return DAYS[a] + self.r.choice(["..", "..", "-"]) + DAYS[b]
        return ",".join(one() for _ in range(1 if self.r.random() < 0.6 else self.r.randint(2, 3)))

    def date(self):
        year = self.r.choice(["*", "*", "*", self.part(2018, 2032, 0.2), self.part(2024, 2030, 0), str(self.r.randint(0, 99)),
                              "2020/3", "2199", "2096..2104"])
        month, from_end = self.part(1, 12), self.r.random() < 0.2
        day = self.part(1, 10 if from_end else 31, 0.3)
        separator = "~" if from_end else "-"
        if self.r.random() < 0.2:
            return month + separator + day
        return f"{year}-{month}{separator}{day}"

    def clock(self):
        text = self.part(0, 23) + ":" + self.part(0, 59)
        return text + ":" + self.part(0, 59, 0.3, True) if self.r.random() < 0.5 else text

    def spoil(self, text):
        at = self.r.randint(0, len(text))
        r = self.r.random()
        if r < 0.4:
            return text[:at] + text[at + 1:]
        if r < 0.8:
            return text[:at] + self.r.choice("*-:~/.,0159 xM@") + text[at:]
        return text[:at] + text[:at // 2]

    def calendar(self):
        r = self.r.random()
        if r < 0.04:
            text = self.r.choice(WORDS)
        elif r < 0.06:
            text = f"@{self.r.randint(0, 1 << self.r.randint(8, 34))}"
        else:
            pieces = [self.weekdays()] if self.r.random() < 0.3 else []
            pieces += [self.date()] if self.r.random() < 0.75 else []
            pieces += [self.clock()] if self.r.random() < 0.75 or not pieces else []
            text = " ".join(pieces)
        if self.r.random() < 0.25:
            text += " " + self.r.choice(ZONES if self.r.random() < 0.95 else BAD_ZONES)
        return self.spoil(text) if self.r.random() < 0.15 else text

    def span(self):
        def one():
            number = str(self.r.randint(0, 10 ** self.r.randint(1, 6)))
            if self.r.random() < 0.25:
                number += "." + str(self.r.randint(0, 10 ** self.r.randint(1, 7)))
            return number + self.r.choice(["", " "]) + (self.r.choice(UNITS) if self.r.random() < 0.9 else "")
        text = self.r.choice(["", " "]).join(one() for _ in range(self.r.randint(1, 4)))
        if self.r.random() < 0.02:
            text = self.r.choice(["infinity", "0", "18446744073709551615us", "18446744073709us", "5000000y", "infinity s"])
        return self.spoil_span(text) if self.r.random() < 0.15 else text

    def spoil_span(self, text):
        at = self.r.randint(0, len(text))
        return text[:at] + self.r.choice([".", "-", "x", " ", "+", ",", "5 ", "s"]) + text[at + self.r.randint(0, 1):]


def ours(program, arguments, lines):
    done = subprocess.run([program, *arguments], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=120, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def show(number, what, theirs, mine):
    if number <= 20:
        print(f"{what}\n   theirs {theirs}\n   ours   {mine}")


def seconds_of(line):
    at = re.search(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d) UTC", line)
    return calendar.timegm(tuple(map(int, at.groups()))) if at else None


def their_calendars(expressions, base, zone):
    env = dict(os.environ, TZ=zone, SYSTEMD_COLORS="0", LC_ALL="C.UTF-8")
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(base))
    done = subprocess.run(["systemd-analyze", "calendar", f"--iterations={ITERATIONS}", f"--base-time={when}", "--", *expressions],
                          env=env, capture_output=True, text=True, timeout=300)
    refused = re.findall(r"^Failed to (parse|determine).* '(.*)': ", done.stderr, re.M)
    answers, block = [], None
    for line in done.stdout.splitlines():
        if line.startswith("Normalized form: "):
            block = [line.split(": ", 1)[1], []]
            answers.append(block)
        elif "Next elapse: " in line or "Iter. #" in line:
            block[1].append(line)
        elif "(in UTC): " in line:
            block[1][-1] = line
    result, at = [], 0
    for text in expressions:
        if refused and refused[0][1] == text:
            result.append(None if refused.pop(0)[0] == "parse" else "gave up")
        elif at < len(answers):
            form, lines = answers[at]
            at += 1
            result.append((form, [s for s in map(seconds_of, lines) if s is not None]))
        else:
            sys.exit(f"systemd-analyze said nothing about {text!r}")
    if refused or at != len(answers):
        sys.exit("cannot tell the answers of systemd-analyze apart")
    return result


def written_out(form):
    """The same event without open steps: "01/9" of days becomes "01,10,19,28"."""
    def part(text, high, scale):
        def values(m):
            begin, step = (round(float(x) * scale) for x in m.groups())
            return ",".join(str(v / scale if v % scale else v // scale) for v in range(begin, high * scale, step))
        return re.sub(r"(?<![.\d])([\d.]+?)(?<!\.)/([\d.]+)", values, re.sub(r"\.\.[\d.]+/[\d.]+", lambda m: m.group().replace("/", "|"), text))
    words = form.split(" ")
    day = next(n for n, word in enumerate(words) if "-" in word or "~" in word)
    date, clock = words[day], words[day + 1].split(":")
    if "~" not in date:
        head, last = date.rsplit("-", 1)
        words[day] = head + "-" + part(last, 32, 1)
    words[day + 1] = ":".join([part(clock[0], 24, 1), part(clock[1], 60, 1), part(clock[2], 60, 1000000)])
    return " ".join(words).replace("|", "/")


def they_skipped(zone, base, them, us):
    """Does systemd name the same times as we do when the steps are written out?"""
    if them != "gave up" and them[0] != us[0]:
        return False
    again = their_calendars([written_out(us[0])], base, zone)[0]
    return isinstance(again, tuple) and again[1] == us[1]


def compare_calendars(program, generator, count):
    bad = refused = skipped = 0
    batch = 250
    for _ in range(0, count, batch):
        zone = generator.r.choice(LOCAL)
        base = generator.r.randint(1577836800, 1893456000)
        texts = [generator.calendar() for _ in range(min(batch, count))]
        texts = [t for t in texts if t and "\n" not in t]
        mine = ours(program, ["calendar", str(base * 1000000), str(ITERATIONS), zone], texts)
        for text, us, them in zip(texts, mine, their_calendars(texts, base, zone)):
            refused += them is None
            if us[0] == "invalid":
                same, shown = them is None, "invalid: " + us[1]
            else:
                shown = (us[0], [int(s) for s in us[1].split()])
                same = them == shown
            if not same and them is not None and us[0] != "invalid" and they_skipped(zone, base, them, shown):
                skipped += 1
            elif not same:
                bad += 1
                show(bad, f"{text!r} TZ={zone} base={base}", them, shown)
    print(f"{'not ok' if bad else 'ok'} {count} calendar events as systemd-analyze has them, {refused} refused by both"
          f" ({bad} differ, {skipped} times systemd passes over an event, or gives up, but not with steps written out)")
    return bad


def their_spans(texts):
    done = subprocess.run(["systemd-analyze", "timespan", "--", *texts], capture_output=True, text=True, timeout=300,
                          env=dict(os.environ, SYSTEMD_COLORS="0", LC_ALL="C.UTF-8"))
    return list(zip(re.findall(r"^ *\S+s: (\d+)$", done.stdout, re.M), re.findall(r"^ *Human: (.*)$", done.stdout, re.M)))


def compare_spans(program, generator, count):
    texts = [t for t in (generator.span() for _ in range(count)) if t.strip()]
    mine = ours(program, ["span"], texts)
    good = [(t, m) for t, m in zip(texts, mine) if m[0] != "invalid"]
    refused = [t for t, m in zip(texts, mine) if m[0] == "invalid"]
    bad = 0
    # It stops at the first it cannot read.
    for at in range(0, len(good), 500):
        part = good[at:at + 500]
        theirs = []
        while len(theirs) < len(part):
            theirs += their_spans([t for t, _ in part[len(theirs):]])
            theirs += [("refused", "")] if len(theirs) < len(part) else []
        for (text, us), them in zip(part, theirs):
            if tuple(us) != tuple(them):
                bad += 1
                show(bad, repr(text), them, us)
    for text in refused[:400]:
        them = their_spans([text])
        if them:
            bad += 1
            show(bad, repr(text), them, "refused")
    print(f"{'not ok' if bad else 'ok'} {len(texts)} time spans as systemd-analyze has them, {len(refused)} refused ({bad} differ)")
    return bad


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("program")
    arguments.add_argument("--count", type=int, default=10000)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    if not shutil.which("systemd-analyze"):
        print("skip calendar events and time spans: there is no systemd-analyze here")
        return
    generator = Generator(given.seed)
    bad = compare_calendars(given.program, generator, given.count)
    bad += compare_spans(given.program, generator, given.count)
    sys.exit(1 if bad else 0)


main()
