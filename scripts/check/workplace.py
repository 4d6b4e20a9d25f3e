#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""Rule workplace: no file names this machine: the place of this checkout, the user's home, or a host
that apt or the environment is configured with here, other than the distributions' own."""
import glob
import os
import re

import lib

PUBLIC = re.compile(r"(^|\.)(debian\.org|ubuntu\.com|github\.com)$")
COMMON = {"home", "tmp", "usr", "var", "root", "mnt", "srv", "opt", "media"}


def needles():
    out = set()
    top = lib.ROOT.strip("/").split("/")
    out.add(lib.ROOT if top[0] in COMMON else f"/{top[0]}/")
    home = os.path.expanduser("~")
    if home not in ("/", "/root"):
        out.add(home)
    for path in glob.glob("/etc/apt/sources.list") + glob.glob("/etc/apt/sources.list.d/*"):
        try:
            with open(path, encoding="utf-8", errors="replace") as f:
                hosts = re.findall(r"https?://(?:[^@/\s]*@)?([\w.-]+)", f.read())
        except OSError:
            continue
        out.update(h for h in hosts if not PUBLIC.search(h) and "." in h)
    for name, value in os.environ.items():
        if name.upper().endswith(("_PROXY", "_INDEX_URL", "_MIRROR", "PROXY_URL")):
            hosts = re.findall(r"https?://(?:[^@/\s]*@)?([\w.-]+)", value)
            out.update(h for h in hosts if not PUBLIC.search(h) and "." in h)
    return out


def main():
    report, words = lib.Report("workplace"), needles()
    paths = lib.files()
    for path in paths:
        text = lib.read(path)
        for word in words:
            for m in re.finditer(r"(?<![\w.])" + re.escape(word), text):
                report.fail(path, text.count("\n", 0, m.start()) + 1, "names a place or host of this machine")
    report.exit(f"{len(paths)} files")


main()
