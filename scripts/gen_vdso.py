#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""gen_vdso.py VDSO.SO: the image as a C array, and the offset of __vdso_rt_sigreturn in it."""
import struct
import sys


def sigreturn(image):
    """Offset of the symbol, from .dynsym; the instruction words there are checked."""
    shoff, = struct.unpack_from("<Q", image, 40)
    shnum, = struct.unpack_from("<H", image, 60)
    sections = [struct.unpack_from("<IIQQQQIIQQ", image, shoff + 64 * i) for i in range(shnum)]
    for s in sections:
        if s[1] != 11:  # SHT_DYNSYM
            continue
        strings = sections[s[6]][4]
        for at in range(s[4], s[4] + s[5], 24):
            name, _, _, _, value, _ = struct.unpack_from("<IBBHQQ", image, at)
            start = strings + name
            if image[start:image.index(0, start)] == b"__vdso_rt_sigreturn":
                if struct.unpack_from("<II", image, value) != (0x08b00893, 0x00000073):
                    sys.exit("gen_vdso: wrong instruction words at __vdso_rt_sigreturn")
                return value
    sys.exit("gen_vdso: no __vdso_rt_sigreturn")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    image = open(sys.argv[1], "rb").read()
    offset = sigreturn(image)
    print("/* Generated from kernel/vdso. */\n#include \"vdso/vdso_image.h\"\n")
    print(f"const uint64_t vdso_image_sigreturn = {offset};")
    print(f"const size_t vdso_image_size = {len(image)};")
    print("const uint8_t vdso_image[] = {")
    for i in range(0, len(image), 16):
        print("\t" + ", ".join(str(b) for b in image[i:i + 16]) + ",")
    print("};")


main()
