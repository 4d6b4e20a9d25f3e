#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""Rule sizes: functions up to 60 lines (warning) and 100 (violation), files 700 and 1000, at most 6
parameters. Exceptions with a reason each: scripts/check/sizes-exceptions.txt, lines
`PATH[:FUNCTION] LIMIT REASON`. Generated files are exempt."""
import lib
import cscan

WARN_FUNCTION, MAX_FUNCTION = 60, 100
WARN_FILE, MAX_FILE = 700, 1000
MAX_PARAMS = 6


def exceptions():
    out = {}
    for number, line in lib.table("sizes-exceptions.txt"):
        fields = line.split(None, 2)
        if len(fields) != 3 or not fields[1].isdigit():
            raise SystemExit(f"sizes-exceptions.txt:{number}: expected PATH[:FUNCTION] LIMIT REASON")
        out[fields[0]] = int(fields[1])
    return out


def main():
    report, allowed, used = lib.Report("sizes"), exceptions(), set()
    paths = lib.files(".c", ".h", ".S")

    def judge(path, line, key, what, size, warn, limit):
        if size > limit and key in allowed:
            used.add(key)
            limit = allowed[key]
        if size > limit:
            report.fail(path, line, f"{what} has {size} lines (limit {limit})")
        elif size > warn and key not in allowed:
            report.warn(path, line, f"{what} has {size} lines (aim for {warn})")

    count = 0
    for path in paths:
        text = lib.read(path)
        if lib.generated(text):
            continue
        judge(path, 1, path, "file", text.count("\n"), WARN_FILE, MAX_FILE)
        for f in cscan.functions(text) if not path.endswith(".S") else []:
            count += f.body > 0
            judge(path, f.line, f"{path}:{f.name}", f"{f.name}()", f.body, WARN_FUNCTION, MAX_FUNCTION)
            if f.params > MAX_PARAMS:
                report.fail(path, f.line, f"{f.name}() has {f.params} parameters (limit {MAX_PARAMS})")
    for key in sorted(set(allowed) - used):
        report.fail("scripts/check/sizes-exceptions.txt", 1, f"{key} needs no exception (any more)")
    report.exit(f"{len(paths)} files, {count} functions")


main()
