# SPDX-License-Identifier: MIT
"""What cockpit's page of services does with one unit, over cockpit-bridge: programs.sh. Prints a word a step."""
import json
import subprocess

UNIT, PATH = "nginx.service", "/org/freedesktop/systemd1/unit/nginx_2eservice"
MANAGER = ["/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"]
bridge = subprocess.Popen(["cockpit-bridge"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
seen = []  # of the channel, in the order in which it came


def send(channel, message):
    data = channel.encode() + b"\n" + json.dumps(message).encode()
    bridge.stdin.write(b"%d\n" % len(data) + data)
    bridge.stdin.flush()


def receive():
    n = int(bridge.stdout.readline())
    channel, _, body = bridge.stdout.read(n).partition(b"\n")
    message = json.loads(body)
    if channel == b"a":
        seen.append(message)
    return message


def until(found):
    """The first message, of those that came and come, that found() takes."""
    at = 0
    while True:
        while at < len(seen):
            if found(seen[at]):
                return seen[at]
            at += 1
        receive()


def call(method, *args):
    serial = f"{method}{len(seen)}"
    send("a", {"call": MANAGER + [method, list(args)], "id": serial})
    answer = until(lambda m: m.get("id") == serial)
    return answer["reply"][0] if "reply" in answer else answer


def job(method, *args):
    """Until the signal that its job is over: the result."""
    path = call(method, *args)[0]
    return until(lambda m: m.get("signal", [0, 0, 0])[2] == "JobRemoved" and m["signal"][3][1] == path)["signal"][3][3]


receive()
send("", {"command": "init", "version": 1, "host": "localhost", "superuser": False})
send("", {"command": "open", "channel": "a", "payload": "dbus-json3", "name": "org.freedesktop.systemd1", "bus": "system"})
send("a", {"add-match": {"interface": MANAGER[1]}})
send("a", {"watch": {"path": PATH}, "id": "watch"})
until(lambda m: m.get("id") == "watch")
call("Subscribe")
print(any(u[0] == UNIT and u[3] == "active" for u in call("ListUnits")[0]))
print(any(f[0].endswith("/" + UNIT) and f[1] == "enabled" for f in call("ListUnitFiles")[0]))
print(call("LoadUnit", UNIT)[0] == PATH)
seen.clear()
print(job("StopUnit", UNIT, "fail"))
until(lambda m: "inactive" in json.dumps(m.get("notify", {})))  # its own picture of the unit follows
print(job("StartUnit", UNIT, "fail"), job("RestartUnit", UNIT, "fail"))
print(call("DisableUnitFiles", [UNIT], False)[0][0][0], call("EnableUnitFiles", [UNIT], False, False)[1][0][0])
seen.clear()
call("Reload")
print(*[m["signal"][3][0] for m in [until(lambda m, want=w: m.get("signal", [0, 0, 0])[2:] == ["Reloading", [want]])
                                    for w in (True, False)]])
bridge.terminate()
