# SPDX-License-Identifier: MIT
"""signals.py FILE [-v]: how many D-Bus signals `busctl capture` has written to FILE, and how many bytes they have; -v: each of them."""
import struct
import sys

PACKET, SIGNAL = 6, 4  # block of pcapng; kind of a D-Bus message


def messages(capture):
    at = 0
    while at + 28 <= len(capture):
        kind, size = struct.unpack_from("<II", capture, at)
        if kind == PACKET:
            kept = struct.unpack_from("<I", capture, at + 20)[0]
            yield capture[at + 28:at + 28 + kept]
        at += max(size, 12)


def fields(message):
    """Texts of the header by their code: 1 is the path, 3 the name."""
    found, at = {}, 16
    end = 16 + struct.unpack_from("<I", message, 12)[0]
    while at < end:
        at = at + 7 & ~7
        code, n = message[at], message[at + 1]
        kind = message[at + 2:at + 2 + n]
        at += 3 + n
        if kind in (b"s", b"o"):
            at = at + 3 & ~3
            n = struct.unpack_from("<I", message, at)[0]
            found[code] = message[at + 4:at + 4 + n].decode()
            at += 5 + n
        elif kind == b"g":
            at += 2 + message[at]
        else:
            at = (at + 3 & ~3) + 4
    return found


signals = [m for m in messages(open(sys.argv[1], "rb").read()) if m[1] == SIGNAL]
print(len(signals), sum(map(len, signals)))
if "-v" in sys.argv:
    for m in signals:
        print(len(m), fields(m).get(3), fields(m).get(1))
