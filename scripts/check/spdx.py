#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""Rule spdx: sources begin with the license identifier and the copyright line (scripts after #!)."""
import lib

WANT = ["SPDX-License-Identifier: MIT", "Copyright (c) the Alien OS authors"]


def main():
    report = lib.Report("spdx")
    paths = lib.files(".c", ".h", ".S", ".py")
    for path in paths:
        head = lib.read(path).splitlines()[:4]
        for want in WANT:
            if not any(want in line for line in head):
                report.fail(path, 1, f"lacks the line: {want}")
    report.exit(f"{len(paths)} files")


main()
