#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""nm -n output on stdin -> assembly of the kernel's symbol table (kernel/lib/symbols.c reads it).

symtab_count: number of entries; symtab_offsets: 32-bit offsets from the start of the image, rising;
symtab_names: 32-bit offsets into symtab_strings, NUL-terminated names.
"""
import sys

BASE = 0xFFFFFFFF80200000


def main():
    syms = []
    for line in sys.stdin:
        fields = line.split()
        if len(fields) == 3 and fields[1] in "tTwW" and not fields[2].startswith((".", "$")):
            syms.append((int(fields[0], 16) - BASE, fields[2]))
    print('.section .rodata.symtab, "a"\n.balign 8')
    print(f".globl symtab_count\nsymtab_count: .quad {len(syms)}")
    print(".globl symtab_offsets\nsymtab_offsets:")
    for off, _ in syms:
        print(f".word {off}")
    print(".globl symtab_names\nsymtab_names:")
    pos = 0
    for _, name in syms:
        print(f".word {pos}")
        pos += len(name) + 1
    print(".globl symtab_strings\nsymtab_strings:")
    for _, name in syms:
        print(f'.asciz "{name}"')


main()
