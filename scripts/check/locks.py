#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""Rule locks: docs/locking.md has one row for each rank of base/lockrank.h, in its order and with its
number, and none for a rank that is not there."""
import re

import lib

HEADER, PAGE = "subsystems/base/include/base/lockrank.h", "docs/locking.md"


def main():
    report = lib.Report("locks")
    code = lib.strip_c(lib.read(HEADER))
    ranks = [(n, int(v)) for n, v in re.findall(r"\b(LOCK_RANK_\w+)\s*=\s*(\d+)", code) if n != "LOCK_RANK_NONE"]
    rows = []
    for number, line in enumerate(lib.read(PAGE).splitlines(), 1):
        m = re.match(r"\|\s*(\d+)\s*\|\s*`(\w+)`\s*\|(.*)\|", line)
        if m:
            rows.append(("LOCK_RANK_" + m.group(2), int(m.group(1))))
            if any(not cell.strip() for cell in m.group(3).split("|")):
                report.fail(PAGE, number, f"{m.group(2)}: an empty cell")
    for rank in ranks:
        if rank not in rows:
            report.fail(PAGE, 1, f"no row | {rank[1]} | `{rank[0][10:]}` | ... |")
    for row in rows:
        if row not in ranks:
            report.fail(PAGE, 1, f"{row[0]} = {row[1]} is not in {HEADER}")
    if not report.failures and rows != ranks:
        report.fail(PAGE, 1, "the rows are not in the order of the ranks")
    if [v for _, v in ranks] != sorted({v for _, v in ranks}):
        report.fail(HEADER, 1, "ranks do not rise strictly")
    report.exit(f"{len(ranks)} ranks")


main()
