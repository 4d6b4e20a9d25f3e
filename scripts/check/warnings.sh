#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
#
# Rule warnings: everything on the host compiles without a warning on gcc and clang, and so does the
# kernel. (-Werror is on for the compilers that the warnings were tried with, see mk/flags.mk.)
set -u
cd "$(dirname "$0")/../.." || exit 1
unset MAKEFLAGS MFLAGS MAKELEVEL
for config in host clang; do
	make -s -j2 -f mk/host.mk CONFIG=$config units tests progs || { echo "warnings: CONFIG=$config failed"; exit 1; }
done
if make -n kernel-warnings >/dev/null 2>&1; then
	make -s -j2 kernel-warnings || { echo "warnings: the kernel failed"; exit 1; }
elif make -n kernel >/dev/null 2>&1; then
	make -s -j2 kernel || { echo "warnings: the kernel failed"; exit 1; }
fi
echo "warnings: none"
