#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""gen_syscalls.py TABLE c|md: the dispatch array, or the document, of the table of system calls."""
import sys


def rows(path):
    out, seen = [], {}
    for n, line in enumerate(open(path), 1):
        line = line.split("#")[0].split()
        if not line:
            continue
        if len(line) != 4 or not line[0].isdigit() or not line[2].isdigit():
            sys.exit(f"{path}:{n}: expected: number name arguments family")
        num, name, args, family = int(line[0]), line[1], int(line[2]), line[3]
        if num in seen or num > 1023 or args > 6:
            sys.exit(f"{path}:{n}: bad or repeated number, or more than 6 arguments")
        seen[num] = 1
        out.append((num, name, args, family))
    return sorted(out)


def main():
    if len(sys.argv) != 3 or sys.argv[2] not in ("c", "md"):
        sys.exit(__doc__)
    table = rows(sys.argv[1])
    if sys.argv[2] == "c":
        print("/* Generated from kernel/sys/table. */\n#include \"sys/syscall.h\"\n")
        for _, name, _, _ in table:
            print(f"syscall_fn sys_{name};")
        print("\nconst struct syscall_entry syscall_table[] = {")
        for num, name, args, _ in table:
            print(f"\t[{num}] = {{sys_{name}, \"{name}\", {args}}},")
        print("};\nconst uint32_t syscall_count = ARRAY_SIZE(syscall_table);")
        return
    print("# System calls\n\nGenerated from `kernel/sys/table` by `scripts/gen_syscalls.py`. Numbers and"
          "\nsemantics are those of Linux on riscv64; every number that is not listed gives `ENOSYS`.\n")
    for family in sorted({r[3] for r in table}):
        print(f"## {family}\n\n| Number | Name | Arguments |\n|---|---|---|")
        for num, name, args, fam in table:
            if fam == family:
                print(f"| {num} | {name} | {args} |")
        print()


main()
