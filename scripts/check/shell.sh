#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
#
# Rule shell: every script parses (sh -n, bash -n, python) and shellcheck finds no error.
set -u
cd "$(dirname "$0")/../.." || exit 1
fail=0 count=0 shells=()
while read -r f; do
	[ -f "$f" ] || continue
	read -r first <"$f" 2>/dev/null || continue
	case $first in
	'#!'*bash*) bash -n "$f" || fail=1 ;;
	'#!'*/sh*) sh -n "$f" || fail=1 ;;
	'#!'*python*) python3 - "$f" <<<'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' || { echo "$f: python cannot parse it"; fail=1; } ;;
	*) continue ;;
	esac
	count=$((count + 1))
	case $first in *python*) ;; *) shells+=("$f") ;; esac
done < <(git ls-files --cached --others --exclude-standard | sort -u | grep -vE '\.(c|h|S|md|txt|png)$')
if command -v shellcheck >/dev/null && [ ${#shells[@]} -gt 0 ]; then
	shellcheck -S error -f gcc "${shells[@]}" || fail=1
fi
echo "shell: $count scripts"
exit $fail
