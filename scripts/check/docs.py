#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""Rule docs: relative links of Markdown files lead somewhere (their #anchors too), and a path of this
tree written in `code` exists, in documents and in comments that point to docs/."""
import os
import re

import lib

TOP = r"(?:subsystems|kernel|linux|user|tests|bench|docs|scripts|mk)/"
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE_PATH = re.compile(r"`(" + TOP + r"[^`\s:,;]*)")
DOC_PATH = re.compile(r"\b(docs/[\w/.-]+\.md)\b")


def anchors(text):
    """The anchors that GitHub makes of a document's headings."""
    out = set()
    for line in re.sub(r"```.*?```", "", text, flags=re.DOTALL).splitlines():
        m = re.match(r"#+\s+(.*)", line)
        if m:
            plain = re.sub(r"[`*]", "", m.group(1)).lower()
            out.add(re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-"))
    return out


def exists(path):
    return os.path.exists(os.path.join(lib.ROOT, path))


def check_markdown(report, path, text):
    body = re.sub(r"```.*?```", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.DOTALL)
    for number, line in enumerate(body.splitlines(), 1):
        for target in LINK.findall(line):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            full = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
            if not exists(full):
                report.fail(path, number, f"link to {target}: no such file")
            elif anchor and full.endswith(".md") and anchor not in anchors(lib.read(full)):
                report.fail(path, number, f"link to {target}: no such heading")
        for name in CODE_PATH.findall(line):
            name = name.rstrip("/.")
            if not re.search(r"[*{}<>$\[\]()…]|\.\.\.|NNNN|NAME|/[A-Z]$", name) and not exists(name):
                report.fail(path, number, f"`{name}` does not exist")


def main():
    report = lib.Report("docs")
    pages = lib.files(".md")
    for path in pages:
        check_markdown(report, path, lib.read(path))
    for path in lib.files(".c", ".h", ".S", ".py", ".sh", ".mk"):
        for number, line in enumerate(lib.read(path).splitlines(), 1):
            for name in DOC_PATH.findall(line):
                if not exists(name):
                    report.fail(path, number, f"{name} does not exist")
    report.exit(f"{len(pages)} documents")


main()
