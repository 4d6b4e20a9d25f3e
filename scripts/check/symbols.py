#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""Rule symbols: what each library of symbols.txt leaves undefined is within its list (so the core
needs no libc, libgcc or libatomic), and what it defines carries its prefix. Builds the host units."""
import fnmatch
import os
import subprocess
import sys

import lib


def nm(archive):
    """(undefined, defined) names of an archive; undefined without those that it defines itself."""
    out = subprocess.run(["nm", "-g", "-P", archive], capture_output=True, text=True, check=True).stdout
    undefined, defined = {}, {}
    member = ""
    for line in out.splitlines():
        fields = line.split()
        if line.endswith("]:"):
            member = line.split("[")[1][:-2]
        elif len(fields) >= 2 and fields[1] in "Uwv":
            undefined.setdefault(fields[0], member)
        elif len(fields) >= 2:
            defined.setdefault(fields[0], member)
    return {n: m for n, m in undefined.items() if n not in defined}, defined


def main():
    report, checked = lib.Report("symbols"), 0
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    p = subprocess.run(["make", "-s", "-f", "mk/host.mk", "CONFIG=host", "units"], cwd=lib.ROOT, env=env,
                       capture_output=True, text=True, check=False)
    if p.returncode:
        sys.exit(f"symbols: the host units do not build\n{p.stderr[-2000:]}")
    for _, line in lib.table("symbols.txt"):
        archive, kind, *patterns = line.split()
        path = os.path.join(lib.ROOT, "build/host", archive)
        if not os.path.exists(path):
            continue  # this unit is not in the tree yet
        checked += 1
        undefined, defined = nm(path)
        names = undefined if kind == "needs" else defined
        for name, member in sorted(names.items()):
            if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
                verb = "needs" if kind == "needs" else "defines"
                report.fail(f"build/host/{archive}", member, f"{verb} {name}, allowed: {' '.join(patterns)}")
    report.exit(f"{checked} lists")


main()
