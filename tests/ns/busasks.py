# SPDX-License-Identifier: MIT
# busasks.py BUS API SEED N UNIT...: N calls of the methods in src/activate/bus_api.def, with arguments of the right kind, of another or none, about units, things that
# are none, and ways out of the directories; over the D-Bus socket BUS. Prints how many were answered.
import random, re, socket, struct, sys

bus, api, seed, n, units = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]
NAME, ROOT = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
methods = re.findall(r'^M\((\w+), (\w+), "([^"]*)"', open(api).read(), re.M)
seeded = random.Random(seed)
words = units + ["../../x.service", "..", "", "/", "/etc/passwd", "@.service", "%n%s.service", "\x1b[2J", "a\nb.service", "x" * 4000, "*", "é.service", "replace", "isolate",
                 "all", "main", "ExecStart", "Environment", "-1", "99999999999999999999", "unit/a"]
paths = ["/", ROOT, ROOT + "/unit/none_2eservice", ROOT + "/job/1", ROOT + "/job/99999999999999", ROOT + "/unit/" + "x" * 3000, ROOT + "/unit/_2e_2e_2f"] + \
        [ROOT + "/unit/" + "".join(c if c.isalnum() else "_%02x" % ord(c) for c in u) for u in units]
NUMBERS = {"y": "B", "b": "I", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d", "h": "I"}


def one_type(signature):
    """The first complete type of it."""
    if signature[0] == "a":
        return "a" + one_type(signature[1:])
    if signature[0] not in "({":
        return signature[0]
    end, depth = 0, 0
    while True:
        depth += (signature[end] in "({") - (signature[end] in ")}")
        end += 1
        if depth == 0:
            return signature[:end]


def align_of(kind):
    return {"y": 1, "g": 1, "v": 1, "n": 2, "q": 2, "x": 8, "t": 8, "d": 8, "(": 8, "{": 8}.get(kind, 4)


class Body:
    def __init__(self):
        self.bytes = bytearray()

    def pad(self, n):
        self.bytes += bytes(-len(self.bytes) % n)

    def text(self, value):
        self.pad(4)
        self.bytes += struct.pack("<I", len(value.encode())) + value.encode() + b"\0"

    def signature(self, value):
        self.bytes += bytes([len(value)]) + value.encode() + b"\0"

    def any(self, kinds, depth=0):
        while kinds:
            kind = one_type(kinds)
            kinds = kinds[len(kind):]
            self.value(kind, depth)

    def value(self, kind, depth):
        if kind in NUMBERS:
            self.pad(align_of(kind))
            size = 8 * struct.calcsize(NUMBERS[kind])
            if kind == "d":
                self.bytes += struct.pack("<d", seeded.choice((0.0, -1.0, 1e300)))
            else: # no descriptor is sent along, so "h" has none
                top = 2 if kind == "b" else 1 if kind == "h" else 2 ** (size - NUMBERS[kind].islower())
                self.bytes += struct.pack("<" + NUMBERS[kind], seeded.choice((0, 1 % top, top - 1, seeded.randrange(top))))
        elif kind == "s":
            self.text(seeded.choice(words))
        elif kind == "o":
            self.text(seeded.choice(paths))
        elif kind == "g":
            self.signature(seeded.choice(("", "s", "a(sv)", "aaaaaaaai")))
        elif kind == "v":
            inner = seeded.choice(("s", "b", "i", "u", "t", "as", "a(sv)", "a(sasb)", "v", "ay") if depth < 3 else ("s", "t"))
            self.signature(inner)
            self.value(inner, depth + 1)
        elif kind[0] == "a":
            self.pad(4)
            at = len(self.bytes)
            self.bytes += bytes(4)
            self.pad(align_of(kind[1]))
            begin = len(self.bytes)
            for i in range(seeded.choice((0, 1, 1, 2, 30)) if depth < 3 else 0):
                self.value(kind[1:], depth + 1)
            struct.pack_into("<I", self.bytes, at, len(self.bytes) - begin)
        else:
            self.pad(8)
            self.any(kind[1:-1], depth + 1)


def message(serial, path, interface, member, kinds, to=NAME):
    body, head = Body(), Body()
    if kinds:
        body.any(kinds)
    head.bytes += struct.pack("<cBBBIII", b"l", 1, 0, 1, len(body.bytes), serial, 0)
    for code, kind, value in ((1, "o", path), (2, "s", interface), (3, "s", member), (6, "s", to), (8, "g", kinds)):
        if value:
            head.pad(8)
            head.bytes.append(code)
            head.signature(kind)
            head.signature(value) if kind == "g" else head.text(value)
    struct.pack_into("<I", head.bytes, 12, len(head.bytes) - 16)
    head.pad(8)
    return bytes(head.bytes + body.bytes)


def receive(s, size):
    got = b""
    while len(got) < size:
        more = s.recv(size - len(got))
        if not more:
            raise ConnectionError
        got += more
    return got


def reply(s, serial):
    while True:
        head = receive(s, 16)
        fields = receive(s, -(-struct.unpack_from("<I", head, 12)[0] // 8) * 8)
        receive(s, struct.unpack_from("<I", head, 4)[0])
        # REPLY_SERIAL: code 5, type u
        if head[1] in (2, 3) and b"\x05\x01u\0" + struct.pack("<I", serial) in fields:
            return


def call(serial):
    group, member, takes = seeded.choice(methods)
    kinds = "".join(argument.rpartition(":")[2] for argument in takes.split(","))
    if seeded.random() < 0.1:
        kinds = seeded.choice(("", "s", "ss", "a{sv}", "v", "aas", "(((s)))", "ay", "ssa(sv)a(sa(sv))"))
    if group == "MANAGER":
        return message(serial, ROOT if seeded.random() < 0.95 else seeded.choice(paths), NAME + ".Manager", member, kinds)
    if seeded.random() < 0.3:
        return message(serial, seeded.choice(paths), "org.freedesktop.DBus.Properties", *seeded.choice((("Get", "ss"), ("GetAll", "s"), ("Set", "ssv"), ("Get", "v"))))
    return message(serial, seeded.choice(paths), NAME + seeded.choice((".Unit", ".Service", ".Job", ".Scope", "")), member, kinds)


s = socket.socket(socket.AF_UNIX)
s.settimeout(60)
s.connect(bus)
s.send(b"\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n")
said = b""
while said.count(b"\r\n") < 3:
    said += s.recv(1)
s.send(message(1, "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello", "", "org.freedesktop.DBus"))
reply(s, 1)
answered, lost = 0, ""
for i in range(2, n + 2):
    asked = call(i)
    s.send(asked)
    try:
        reply(s, i)
        answered += 1
    except (OSError, ConnectionError):
        lost = repr(asked[:200])
        break
print("answered %d of %d" % (answered, n), lost)
