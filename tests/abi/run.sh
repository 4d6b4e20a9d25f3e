#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
#
# run.sh [GUEST]...: builds the programs of tests/abi for riscv64 and runs each in every GUEST (default:
# scripts/linux-guest scripts/guest). All must pass everywhere, with the same output.
# CROSS=riscv64-linux-gnu-, SEED=1, FUZZ=40 (children of fuzz_calls), T="proc memory" (only these) may be set. Exit status 0: all the same, none failed.
set -euo pipefail
here=tests/abi
[ $# -gt 0 ] || set -- scripts/linux-guest scripts/guest
names=${T:-proc signals memory threads timers files events}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/abi"
for n in $names fuzz_calls; do
	"${CROSS:-riscv64-linux-gnu-}gcc" -O1 -Wall -Wextra -Werror -Wno-stringop-overflow -Wno-stringop-overread \
		-Wno-nonnull -Wno-unused-result -D_GNU_SOURCE -fno-omit-frame-pointer \
		-funwind-tables -o "$tmp/abi/$n" "$here/$n.c" -lpthread
done
{
	echo "cd /tmp && base64 -d <<'END' | tar xz || exit 2"
	tar cz -C "$tmp" abi | base64
	echo END
	echo "cd abi; for t in $names; do echo \"== \$t\"; timeout 120 ./\$t; echo \"status \$?\"; done"
	echo "echo == fuzz_calls; ./fuzz_calls ${SEED:-1} ${FUZZ:-40} >/dev/null 2>&1; echo \"status \$?\""
} >"$tmp/cmd"

failed=0 first=
for guest; do
	out=$tmp/$(basename "$guest")
	TIMEOUT=${TIMEOUT:-300} "$guest" -f "$tmp/cmd" >"$out" || { echo "abi: $guest: status $?"; failed=1; }
	ok=$(grep -cE '^(ok|=) ' "$out" || true)
	bad=$(grep -vcE '^ok |^= |^done$|^== |^status 0$' "$out" || true)
	echo "abi: $guest: $ok passed, $bad bad lines"
	if [ "$ok" = 0 ] || [ "$bad" != 0 ]; then
		grep -vE '^(ok|=) ' "$out" | head -40
		failed=1
	fi
	if [ -z "$first" ]; then
		first=$out
	elif ! diff "$first" "$out"; then
		echo "abi: the outputs differ"
		failed=1
	fi
done
exit $failed
