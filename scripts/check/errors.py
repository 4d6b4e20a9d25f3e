#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""Rule errors: in every header errors.h or errno.h, an error number that Linux has carries Linux's
value; one that Linux does not have is above all of Linux's and has a row in docs/errors.md."""
import errno
import re

import lib

OWN = 512
PAGE = "docs/errors.md"
NUMBER = re.compile(r"\b((?:[A-Z]+_)?(E[A-Z0-9]+))\s*(?:=\s*|\s+)(\d+)")


def main():
    report, count = lib.Report("errors"), 0
    linux = {name: getattr(errno, name) for name in dir(errno) if name.startswith("E")}
    rows = set(re.findall(r"^\|\s*`(\w+)`", lib.read(PAGE), re.MULTILINE))
    for path in lib.files("/errors.h", "/errno.h"):
        for line, text in enumerate(lib.strip_c(lib.read(path)).splitlines(), 1):
            for full, name, value in NUMBER.findall(text):
                count += 1
                if name in linux and linux[name] != int(value):
                    report.fail(path, line, f"{full} is {value}, Linux's {name} is {linux[name]}")
                elif name not in linux and int(value) < OWN:
                    report.fail(path, line, f"{full} = {value}: Linux has no {name}, so it must be {OWN} or more")
                elif name not in linux and full not in rows:
                    report.fail(path, line, f"{full} has no row | `{full}` | ... | in {PAGE}")
    report.exit(f"{count} numbers")


main()
