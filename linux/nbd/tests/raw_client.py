#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""A bare NBD client for test_nbd.sh: raw_client.py SOCKET COMMAND... Unlike qemu-io it never flushes unasked.

    write BYTE OFFSET LENGTH   force BYTE OFFSET LENGTH (FUA)   trim OFFSET LENGTH
    read BYTE OFFSET LENGTH (fails unless all bytes are BYTE)   flush

Exit status 1 if a request fails or the connection drops.
"""
import socket
import struct
import sys

REQUEST = struct.Struct(">IHHQQI")


def receive(sock, length):
    data = b""
    while len(data) < length:
        part = sock.recv(length - len(data))
        if not part:
            sys.exit("connection closed")
        data += part
    return data


def request(sock, kind, flags, offset, length, payload=b"", want=0):
    sock.sendall(REQUEST.pack(0x25609513, flags, kind, 1, offset, length) + payload)
    magic, error, cookie = struct.unpack(">IIQ", receive(sock, 16))
    if magic != 0x67446698 or cookie != 1 or error:
        sys.exit(f"request {kind} failed: {magic:#x} {error}")
    return receive(sock, want)


def main():
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(20)
    sock.connect(sys.argv[1])
    if receive(sock, 18)[:16] != b"NBDMAGICIHAVEOPT":
        sys.exit("no NBD server")
    sock.sendall(struct.pack(">IQII", 3, 0x49484156454F5054, 1, 0))
    receive(sock, 10)
    for command in sys.argv[2:]:
        name, *numbers = command.split()
        args = [int(n, 0) for n in numbers]
        if name == "flush":
            request(sock, 3, 0, 0, 0)
        elif name == "trim":
            request(sock, 4, 0, args[0], args[1])
        elif name in ("write", "force"):
            request(sock, 1, int(name == "force"), args[1], args[2], bytes([args[0]]) * args[2])
        elif name == "read":
            if request(sock, 0, 0, args[1], args[2], want=args[2]) != bytes([args[0]]) * args[2]:
                sys.exit(f"wrong data: {command}")
        else:
            sys.exit(f"unknown command {name}")


main()
