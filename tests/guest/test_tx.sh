#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
# Transactions from the guest's shell, in one boot: tests/guest/tx_inside.sh.
cd "$(dirname "$0")/../.." || exit 1
exec scripts/guest -f tests/guest/tx_inside.sh
