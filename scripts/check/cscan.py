# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""A small scanner of C: the function definitions and prototypes of a file.

It works on text without comments, literals and preprocessor lines, and needs no more of the language
than this: at file level a definition or declaration ends with `;` or `{...}`. A `}` in column 0
always ends one (clang-format sees to that), so that an #if with a brace in each branch cannot make
the scanner lose its place.
"""
import collections
import re

import lib

# line: of the first word; body: number of lines from `{` to `}`, 0 for a prototype; head: the words
# before `{` or `;`; params: their number.
Function = collections.namedtuple("Function", "name line body params head")

_WORD = re.compile(r"[A-Za-z_]\w*|[^\s\w]|\d\w*")
_NOT_NAMES = {"__attribute__", "_Static_assert", "static_assert", "_Alignas", "alignas", "typeof",
              "__typeof__", "asm", "__asm__", "if", "for", "while", "switch", "return", "sizeof"}


def _close(words, i):
    """The index after the parenthesis that closes the one at i."""
    depth = 0
    for k in range(i, len(words)):
        depth += (words[k] == "(") - (words[k] == ")")
        if depth == 0:
            return k + 1
    return len(words)


def _count(words):
    """Parameters in the words between a function's parentheses."""
    if not words or words == ["void"]:
        return 0
    depth, n = 0, 1
    for w in words:
        depth += (w in "([{") - (w in ")]}") if len(w) == 1 else 0
        n += w == "," and depth == 0
    return n


def _parse(head):
    """(name, parameters) if these words declare a function."""
    words = _WORD.findall(head)
    if not words or words[0] == "typedef" or "=" in words:
        return None
    best, i = None, 0
    while i < len(words) - 1:
        if words[i + 1] == "(" and re.match(r"[A-Za-z_]", words[i]):
            end = _close(words, i + 1)
            macro = re.fullmatch(r"[A-Z][A-Z0-9_]*", words[i])
            if words[i] not in _NOT_NAMES and i > 0 and not macro and words[i + 2:i + 3] != ["*"]:
                return words[i], _count(words[i + 2:end - 1])
            if macro and i == 0 and end == len(words):
                best = words[i], 0  # TEST(name) { ... }
            i = end
        else:
            i += 1
    return best


def functions(text):
    text = lib.strip_preprocessor(lib.strip_c(text))
    out, head, head_line, depth, opened, pending = [], "", 0, 0, 0, None
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("}") and depth > 1:
            depth = 1  # resynchronize, see above
        for c in line + "\n":
            if c == "{":
                if depth == 0:
                    opened, pending = number, _parse(head)
                depth += 1
            elif c == "}":
                depth = max(0, depth - 1)
                if depth == 0:
                    if pending:
                        out.append(Function(pending[0], head_line, number - opened + 1, pending[1], head))
                        head = ""
                    else:
                        head += "{}"  # struct x { ... } name;
            elif depth == 0:
                if c == ";":
                    found = _parse(head)
                    if found and not head.rstrip().endswith("}"):
                        out.append(Function(found[0], head_line, 0, found[1], head))
                    head = ""
                else:
                    if not head.strip() and not c.isspace():
                        head_line, head = number, ""
                    head += c
    return out
