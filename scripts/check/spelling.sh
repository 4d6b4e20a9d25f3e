#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
#
# Rule spelling: codespell knows no better word; American forms. Words to let pass: spelling-ignore.txt.
set -u
cd "$(dirname "$0")/../.." || exit 1
command -v codespell >/dev/null || { echo "codespell is not here"; exit 77; }
git ls-files -z --cached --others --exclude-standard | grep -zvE '^tests/corpus/|\.(png|img|gz|zst)$|spelling-ignore' |
	xargs -0 codespell --ignore-words scripts/check/spelling-ignore.txt --builtin clear,rare,en-GB_to_en-US -q 3 || exit 1
echo "spelling: clean"
