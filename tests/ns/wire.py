# SPDX-License-Identifier: MIT
"""A client of D-Bus that says exactly what it is told to, right or wrong: values by their signature, one connection, calls and the signals meanwhile."""
import os
import socket
import struct

NUMBERS = {"y": "B", "b": "I", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d", "h": "I"}
ALIGNED = {"y": 1, "g": 1, "v": 1, "n": 2, "q": 2, "x": 8, "t": 8, "d": 8, "(": 8, "{": 8}  # all others: 4
HEADER = "yyyyuua(yv)"
CALL, REPLY, ERROR, SIGNAL = 1, 2, 3, 4
PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_TO, DESTINATION, SENDER, SIGNATURE = range(1, 9)  # fields of a header


def types(signature):
    """Its complete types: "sa(uo)" is "s" and "a(uo)"."""
    found, begin, depth = [], 0, 0
    for at, c in enumerate(signature):
        depth += (c in "({") - (c in ")}")
        if depth == 0 and c != "a":
            found.append(signature[begin:at + 1])
            begin = at + 1
    return found


def pad(out, kind):
    out.extend(b"\0" * (-len(out) % ALIGNED.get(kind[0], 4)))


def put(out, kind, value):
    """Append a value to a bytearray; a variant is (signature, value)."""
    pad(out, kind)
    if kind in NUMBERS:
        out += struct.pack("<" + NUMBERS[kind], value)
    elif kind in "so":
        out += struct.pack("<I", len(value.encode())) + value.encode() + b"\0"
    elif kind == "g":
        out += struct.pack("<B", len(value)) + value.encode() + b"\0"
    elif kind == "v":
        put(out, "g", value[0])
        put(out, *value)
    elif kind[0] == "a":
        at = len(out)
        out += bytes(4)
        pad(out, kind[1:])
        begin = len(out)
        for item in value.items() if isinstance(value, dict) else value:
            put(out, kind[1:], item)
        struct.pack_into("<I", out, at, len(out) - begin)
    else:
        for part, item in zip(types(kind[1:-1]), value):
            put(out, part, item)


def take(data, at, kind):
    """The value there and where the next one begins."""
    at += -at % ALIGNED.get(kind[0], 4)
    if kind in NUMBERS:
        form = "<" + NUMBERS[kind]
        return struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
    if kind in "sog":
        n, head = (data[at], 1) if kind == "g" else (struct.unpack_from("<I", data, at)[0], 4)
        return data[at + head:at + head + n].decode(), at + head + n + 1
    if kind == "v":
        inside, at = take(data, at, "g")
        value, at = take(data, at, inside)
        return (inside, value), at
    values = []
    if kind[0] == "a":
        n, at = take(data, at, "u")
        at += -at % ALIGNED.get(kind[1], 4)
        end = at + n
        while at < end:
            value, at = take(data, at, kind[1:])
            values.append(value)
        return dict(values) if kind[1] == "{" else values, at
    for part in types(kind[1:-1]):
        value, at = take(data, at, part)
        values.append(value)
    return tuple(values), at


class Connection:
    """To the bus whose socket lies at PATH, or to a peer there (hello=False), as that user."""

    def __init__(self, path, uid=0, hello=True, wait=100):
        self.serial, self.kept, self.signals = 0, b"", []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(wait)
        os.seteuid(uid)
        try:
            self.socket.connect(path)
        finally:
            os.seteuid(0)
        self.socket.sendall(b"\0AUTH EXTERNAL " + str(uid).encode().hex().encode() + b"\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n")
        for word in (b"OK", b"AGREE_UNIX_FD"):
            assert self.line().startswith(word)
        if hello:
            self.bus("Hello")

    def line(self):
        while b"\r\n" not in self.kept:
            self.more()
        line, _, self.kept = self.kept.partition(b"\r\n")
        return line

    def more(self):
        data = self.socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the connection was closed")
        self.kept += data

    def message(self):
        """The next one: its kind, fields and values."""
        while len(self.kept) < 16:
            self.more()
        body, fields = struct.unpack_from("<I", self.kept, 4)[0], struct.unpack_from("<I", self.kept, 12)[0]
        begin = 16 + fields + -fields % 8
        while len(self.kept) < begin + body:
            self.more()
        data, self.kept = self.kept[:begin + body], self.kept[begin + body:]
        header, _ = take(data, 0, f"({HEADER})")
        fields = {code: value for code, (_, value) in header[-1]}
        values, at = [], 0
        for kind in types(fields.get(SIGNATURE, "")):
            value, at = take(data[begin:], at, kind)
            values.append(value)
        return header[1], fields, values

    def call(self, destination, path, interface, member, signature="", *values):
        """The signature of the answer and its values, or the name of the error and its text. Signals meanwhile are in self.signals."""
        self.serial += 1
        body, message, fields = bytearray(), bytearray(), [(PATH, ("o", path)), (MEMBER, ("s", member))]
        put(body, f"({signature})", values)
        for code, kind, value in (INTERFACE, "s", interface), (DESTINATION, "s", destination), (SIGNATURE, "g", signature):
            if value:
                fields.append((code, (kind, value)))
        put(message, f"({HEADER})", (ord("l"), CALL, 0, 1, len(body), self.serial, fields))
        pad(message, "(")
        self.socket.sendall(message + body)
        while True:
            kind, fields, values = self.message()
            if kind == SIGNAL:
                self.signals.append((fields, values))
            elif fields.get(REPLY_TO) == self.serial:
                return (fields[ERROR_NAME] if kind == ERROR else fields.get(SIGNATURE, "")), values

    def bus(self, member, *strings):
        """A call of the bus itself."""
        return self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", member, "s" * len(strings), *strings)
