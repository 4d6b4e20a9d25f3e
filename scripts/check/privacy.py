#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""Rule privacy: a header *_priv.h is included from its own folder, and by the unit tests of its unit."""
import os

import lib


def main():
    report = lib.Report("privacy")
    paths = lib.files(".c", ".h")
    private = {}
    for p in paths:
        if p.endswith("_priv.h"):
            private.setdefault(os.path.basename(p), []).append(p)
    for path in paths:
        for line, _, name in lib.include_lines(lib.read(path)):
            base = os.path.basename(name)
            if not base.endswith("_priv.h"):
                continue
            here = os.path.dirname(path)
            owners = [p for p in private.get(base, []) if p.endswith("/" + name.lstrip("./"))]
            unit = path.split("/tests/")[0] + "/" if "/tests/" in path else None
            if here not in [os.path.dirname(p) for p in owners] and not (
                    unit and any(p.startswith(unit) for p in owners)):
                report.fail(path, line, f'"{name}" is private to ' + (", ".join(owners) or "a folder that is not here"))
    report.exit(f"{sum(map(len, private.values()))} private headers")


main()
