#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
#
# Rule warnings: everything on the host compiles without a warning on gcc and clang, and so does the
# kernel. (-Werror is on for the compilers that the warnings were tried with, see mk/flags.mk.)
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
unset MAKEFLAGS MFLAGS MAKELEVEL
for config in host clang; do
	make -s -j2 -f mk/host.mk CONFIG=$config units tests progs || { echo "warnings: CONFIG=$config failed"; exit 1; }
done
for target in kernel kernel-clang-check; do
	make -s $target 2>&1 | { grep -vE '^  [A-Z]+ +[^ ]+$' || true; } || { echo "warnings: make $target failed"; exit 1; }
done
if [ "$(gcc -dumpversion)" != 12 ] || [[ $(clang -dumpversion) != 14.* ]]; then
	echo "built, but warnings are judged with gcc 12 and clang 14 only"
	exit 77
fi
echo "warnings: none"
