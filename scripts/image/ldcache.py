# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""/etc/ld.so.cache in glibc's format `glibc-ld.so.cache1.1`, made without running ldconfig.

A header of 48 bytes, one 24-byte entry a library (flags, offsets of its SONAME and path, hwcap), sorted
descending by glibc's comparison of names (digits compare as numbers), the strings, and no extensions. The
dynamic loader searches the table by bisection, so the order is part of the format.
"""
import struct
from functools import cmp_to_key

MAGIC = b'glibc-ld.so.cache1.1'
ENDIAN_LITTLE = 2
FLAG_ELF_LIBC6 = 3
FLAG_RISCV_DOUBLE = 0x1000
EM_RISCV = 243
ET_DYN = 3
PT_LOAD, PT_DYNAMIC = 1, 2
DT_STRTAB, DT_SONAME = 5, 14


def soname(data):
    """The SONAME of a riscv64 shared object; None for anything else, damaged ones included."""
    try:
        return read_soname(data)
    except (struct.error, ValueError):
        return None


def read_soname(data):
    if data[:6] != b'\x7fELF\x02\x01' or len(data) < 64:
        return None
    kind, machine = struct.unpack_from('<HH', data, 16)
    phoff, = struct.unpack_from('<Q', data, 32)
    phentsize, phnum = struct.unpack_from('<HH', data, 54)
    if kind != ET_DYN or machine != EM_RISCV:
        return None
    loads, dynamic = [], None
    for i in range(phnum):
        ptype, _, off, vaddr, _, filesz = struct.unpack_from('<IIQQQQ', data, phoff + i * phentsize)
        if ptype == PT_LOAD:
            loads.append((vaddr, off, filesz))
        elif ptype == PT_DYNAMIC:
            dynamic = (off, filesz)
    if not dynamic:
        return None
    tags = dict(struct.unpack_from('<qQ', data, dynamic[0] + i) for i in range(0, dynamic[1] - 15, 16))
    if DT_SONAME not in tags:
        return None
    for vaddr, off, filesz in loads:
        if vaddr <= tags[DT_STRTAB] < vaddr + filesz:
            start = off + tags[DT_STRTAB] - vaddr + tags[DT_SONAME]
            return data[start:data.index(b'\0', start)]
    return None


def compare(a, b):
    """glibc's _dl_cache_libcmp on byte strings."""
    i = j = 0
    while i < len(a):
        ca = a[i]
        cb = b[j] if j < len(b) else 0
        if 48 <= ca <= 57:
            if not 48 <= cb <= 57:
                return 1
            ei, ej = i, j
            while ei < len(a) and 48 <= a[ei] <= 57:
                ei += 1
            while ej < len(b) and 48 <= b[ej] <= 57:
                ej += 1
            if int(a[i:ei]) != int(b[j:ej]):
                return int(a[i:ei]) - int(b[j:ej])
            i, j = ei, ej
        elif 48 <= cb <= 57:
            return -1
        elif ca != cb:
            return ca - cb
        else:
            i, j = i + 1, j + 1
    return 0 - (b[j] if j < len(b) else 0)


def build(tree, directories):
    """The cache for the libraries that lie in `directories` (in that order of preference)."""
    entries = {}
    for place in directories:
        prefix = tree.resolve(place) + '/'
        for path in sorted(tree.nodes):
            name = path[len(prefix):]
            if not path.startswith(prefix) or '/' in name or '.so' not in name:
                continue
            data = tree.read(path)
            so = soname(data) if data else None
            if so == name.encode():
                entries.setdefault(so, ('/' + place + '/' + name).encode())
    ordered = sorted(entries.items(), key=cmp_to_key(lambda x, y: compare(y[0], x[0])))
    base = 48 + 24 * len(ordered)
    table, strings = b'', b''
    for so, path in ordered:
        key = base + len(strings)
        strings += so + b'\0'
        value = base + len(strings)
        strings += path + b'\0'
        table += struct.pack('<iIIIQ', FLAG_ELF_LIBC6 | FLAG_RISCV_DOUBLE, key, value, 0, 0)
    head = MAGIC + struct.pack('<IIBxxxI12x', len(ordered), len(strings), ENDIAN_LITTLE, 0)
    return head + table + strings
