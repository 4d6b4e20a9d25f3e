# make -f mk/host.mk CONFIG=asan tests: the host build of one configuration (the Makefile calls it).
MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/bash
all: units tests progs
include mk/units.mk
include mk/rules.mk
