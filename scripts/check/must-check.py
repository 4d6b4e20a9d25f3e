#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""Rule must-check: a prototype in a header of subsystems/ or kernel/ that returns `int` returns an
error, and says MUST_CHECK. Functions whose int is something else: must-check-exceptions.txt, lines
`FUNCTION REASON`. `must-check.py --fix` adds the word (make fmt and a build then show who ignored one)."""
import os
import re
import sys

import lib
import cscan


def fix(path, functions):
    """Adds MUST_CHECK before the semicolon of each prototype."""
    text = lib.read(path)
    blank = lib.strip_preprocessor(lib.strip_c(text))
    starts = [0] + [m.end() for m in re.finditer("\n", text)]
    for f in sorted(functions, key=lambda f: -f.line):
        end = blank.index(";", starts[f.line - 1])
        text = text[:end] + " MUST_CHECK" + text[end:]
    with open(os.path.join(lib.ROOT, path), "w", encoding="utf-8") as out:
        out.write(text)


def main():
    report = lib.Report("must-check")
    allowed, seen, count = {}, set(), 0
    for number, line in lib.table("must-check-exceptions.txt"):
        name, _, reason = line.partition(" ")
        if not reason.strip():
            raise SystemExit(f"must-check-exceptions.txt:{number}: expected FUNCTION REASON")
        allowed[name] = number
    for path in lib.files(".h"):
        if not path.startswith(("subsystems/", "kernel/")) or "/tests/" in path:
            continue
        unmarked = []
        for f in cscan.functions(lib.read(path)):
            if not re.match(r"\s*(extern\s+|static\s+|inline\s+|MUST_CHECK\s+)*int\s+\w+\s*\(", f.head):
                continue
            count += 1
            seen.add(f.name)
            if "MUST_CHECK" not in f.head and f.name not in allowed and f.body == 0:
                unmarked.append(f)
        if "--fix" in sys.argv[1:] and unmarked:
            fix(path, unmarked)
            continue
        for f in unmarked:
            report.fail(path, f.line, f"{f.name}() returns int without MUST_CHECK")
    for name in sorted(set(allowed) - seen):
        report.fail("scripts/check/must-check-exceptions.txt", allowed[name], f"no prototype of {name}() any more")
    report.exit(f"{count} prototypes")


main()
