#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""subscribe.py SOCKET: calls Subscribe() there, as a private client of systemd1, and prints all that is told, as it comes, until it is killed."""
import socket
import struct
import sys


def field(code, signature, text):
    data = text.encode()
    size = struct.pack("<B" if signature == "g" else "<I", len(data))
    return struct.pack("<BB", code, 1) + signature.encode() + b"\0" + size + data + b"\0"


def padded(data, to=8):
    return data + b"\0" * (-len(data) % to)


def call(path, interface, member):
    fields = b""
    for code, signature, text in ((1, "o", path), (2, "s", interface), (3, "s", member)):
        fields = padded(fields) + field(code, signature, text)
    return padded(struct.pack("<cBBBIII", b"l", 1, 0, 1, 0, 1, len(fields)) + fields)


with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    s.sendall(b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n")
    s.sendall(call("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "Subscribe"))
    while data := s.recv(65536):
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
