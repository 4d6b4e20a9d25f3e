# Alien OS. `make help` lists the targets. Thin on purpose: the work is in mk/ and scripts/.
MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/bash
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z_-]+:.*## ' Makefile mk/*.mk | sed -E 's/^([a-z_-]+):[^#]*## /\1\t/' | sort | awk -F'\t' '{printf "  %-14s %s\n", $$1, $$2}'

build-host: ## build the Linux programs and libraries
	@$(MAKE) -f mk/host.mk CONFIG=host WERROR=$(WERROR) units progs

clean: ## remove what was built (downloads under build/cache stay)
	rm -rf build/host build/asan build/tsan build/clang build/cov build/bin build/kernel

.PHONY: help build-host clean
