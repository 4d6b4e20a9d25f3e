#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""Rule headers: each header compiles alone and twice, with the flags of its part of the tree
(headers.txt), and has a guard that ends with its file name, one guard per file name."""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys

import lib


def profiles():
    """[(path prefix, compiler, flags)], longest prefix first. A flag @NAME stands for a line NAME = ..."""
    named, rows = {}, []
    for _, line in lib.table("headers.txt"):
        if " = " in line:
            name, flags = line.split(" = ", 1)
            named[name.strip()] = flags.split()
        else:
            prefix, compiler, *flags = line.split()
            full = []
            for f in flags:
                full += named[f[1:]] if f.startswith("@") else [f]
            rows.append((prefix, compiler, full))
    return sorted(rows, key=lambda r: -len(r[0]))


def compile_twice(job):
    path, compiler, flags = job
    source = f'#include "{path}"\n#include "{path}"\nextern int headers_check;\n'
    p = subprocess.run([compiler, "-x", "c", "-fsyntax-only", "-Wall", "-Werror", "-Wno-unused", *flags, "-I.", "-"],
                       input=source, capture_output=True, text=True, cwd=lib.ROOT, check=False)
    return path, p.returncode, p.stderr


def check_guards(report, paths):
    seen = {}
    for path in paths:
        code = lib.strip_c(lib.read(path))
        directives = [(code.count("\n", 0, m.start()) + 1, m.group(1), m.group(2))
                      for m in re.finditer(r"^[ \t]*#[ \t]*(\w+)[ \t]*(\w*)", code, re.MULTILINE)]
        want = re.sub(r"\W", "_", os.path.basename(path)).upper()
        if (len(directives) < 3 or directives[0][1] != "ifndef" or directives[1][1] != "define"
                or directives[0][2] != directives[1][2] or directives[-1][1] != "endif"):
            report.fail(path, 1, "no include guard (#ifndef X_H, #define X_H ... #endif)")
            continue
        guard = directives[0][2]
        if not guard.endswith(want) or not re.fullmatch(r"[A-Z][A-Z0-9_]*", guard):
            report.fail(path, directives[0][0], f"guard {guard} does not end with {want}")
        if guard in seen and os.path.basename(path) != os.path.basename(seen[guard]):
            report.fail(path, directives[0][0], f"guard {guard} is also that of {seen[guard]}")
        seen[guard] = path


def main():
    report = lib.Report("headers")
    rows, jobs, lacking = profiles(), [], set()
    paths = lib.files(".h")
    check_guards(report, [p for p in paths if next((r[1] for r in rows if p.startswith(r[0])), "") != "skip"])
    for path in paths:
        row = next((r for r in rows if path.startswith(r[0])), None)
        if row is None:
            report.fail(path, 1, "no line of scripts/check/headers.txt covers this header")
        elif row[1] == "skip":
            continue
        elif shutil.which(row[1]) is None:
            lacking.add(row[1])
        else:
            jobs.append((path, row[1], row[2]))
    if lacking:
        sys.exit(f"headers: no {' '.join(sorted(lacking))} on this machine (make setup)")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for path, code, err in pool.map(compile_twice, jobs):
            if code:
                first = next((line for line in err.splitlines() if "error" in line), err[:200])
                report.fail(path, 1, f"does not compile alone and twice: {first}")
    report.exit(f"{len(paths)} headers")


main()
