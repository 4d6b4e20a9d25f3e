#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""Rule layers: every #include is allowed by scripts/check/layers.txt, and the portable units do not
ask for the platform (#ifdef __linux__ and the like)."""
import fnmatch
import os
import re

import lib

PLATFORM = re.compile(r"\b(__linux__|__linux|__gnu_linux__|__unix__|__APPLE__|__FreeBSD__|_WIN32|__riscv\w*|"
                      r"__x86_64__|__amd64__|__aarch64__|__KERNEL__|KERNEL|ALIEN_KERNEL|ALIEN_OS)\b")
PORTABLE = ("subsystems/base/", "subsystems/port/include/", "subsystems/dbfs/", "subsystems/vfs/",
            "subsystems/mm/", "subsystems/drivers/", "subsystems/net/")


class Layers:
    def __init__(self):
        self.roots, self.aliases, self.groups = [], {}, {}
        self.modules = {}  # name -> (path, list of words)
        self.exceptions = {}  # (path, module) -> line of layers.txt; dropped when met
        self.met = set()
        for number, line in lib.table("layers.txt"):
            kind, rest = line.split(None, 1)
            if kind == "root":
                where, *only = rest.split()
                self.roots.append((where, tuple(only) or ("",)))
            elif kind == "alias":
                name, module = rest.split()
                self.aliases[name] = module
            elif kind == "group":
                name, words = rest.split("=", 1)
                self.groups[name.strip()] = words.split()
            elif kind == "module":
                head, words = rest.split(":", 1)
                name, path = head.split()
                self.modules[name] = (path.rstrip("/"), words.split())
            elif kind == "except":
                path, target, reason = rest.split(None, 2)
                self.exceptions[(path, target)] = number
            elif kind == "order":
                names = [n.strip() for n in rest.split("<")]
                for i, name in enumerate(names):
                    self.modules[name][1].extend(names[:i])
            else:
                raise SystemExit(f"layers.txt:{number}: unknown line {kind!r}")
        self.allowed = {name: self.expand(words) for name, (_, words) in self.modules.items()}

    def expand(self, words):
        out = []
        for w in words:
            out += self.expand(self.groups[w[1:]]) if w.startswith("@") else [w]
        return out

    def module_of(self, path):
        best = None
        for name, (prefix, _) in self.modules.items():
            if (path == prefix or path.startswith(prefix + "/")) and (
                    best is None or len(prefix) > len(self.modules[best][0])):
                best = name
        return best

    def resolve(self, path, quote, name):
        """The path of an included file of this tree, or None."""
        where = [os.path.dirname(path)] if quote == '"' else []
        for d in where + [r for r, only in self.roots if path.startswith(only)]:
            candidate = os.path.normpath(os.path.join(d, name))
            if not candidate.startswith("..") and os.path.isfile(os.path.join(lib.ROOT, candidate)):
                return candidate
        return None

    def permits(self, module, target):
        return target == module or any(fnmatch.fnmatchcase(target, w) for w in self.allowed[module])


def check_include(layers, report, path, module, include):
    line, quote, name = include
    if name in layers.aliases:
        target, shown = layers.aliases[name], name
    else:
        found = layers.resolve(path, quote, name)
        if found is None and quote == "<":
            target, shown = f"<{name}>", f"<{name}>"
        elif found is None and name.startswith("gen/"):
            return
        elif found is None:
            report.fail(path, line, f'"{name}" is not found under any root of layers.txt')
            return
        else:
            target, shown = layers.module_of(found), found
    if target is None:
        report.fail(path, line, f"{shown} belongs to no module of layers.txt")
    elif not layers.permits(module, target):
        if (path, target) in layers.exceptions:
            layers.met.add((path, target))
            return
        report.fail(path, line, f"{module} may not include {shown}"
                    + ("" if target.startswith("<") else f" ({target})"))


def main():
    report, layers = lib.Report("layers"), Layers()
    paths = lib.files(".c", ".h", ".S")
    for path in paths:
        text = lib.read(path)
        module = layers.module_of(path)
        if module is None:
            report.fail(path, 1, "no line of scripts/check/layers.txt covers this file")
            continue
        for include in lib.include_lines(text):
            check_include(layers, report, path, module, include)
        if path.startswith(PORTABLE) and "/tests/" not in path and "_tests/" not in path:
            for number, line in enumerate(lib.strip_c(text).splitlines(), 1):
                if re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b", line) and PLATFORM.search(line):
                    report.fail(path, number, "platform conditional in a portable unit (use the port)")
    for key in sorted(set(layers.exceptions) - layers.met):
        report.warn("scripts/check/layers.txt", layers.exceptions[key], f"{key[0]} does not need its exception any more")
    report.exit(f"{len(paths)} files, {len(layers.modules)} modules, {len(layers.met)} exceptions")


main()
