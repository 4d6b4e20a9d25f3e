# Alien OS. `make help` lists the targets. Thin on purpose: the work is in mk/ and scripts/.
#
#   mk/flags units rules host    one configuration of the host build (make -f mk/host.mk CONFIG=...)
#   mk/*.mk, all others          targets; each file owns its own, and adds `build: NAME` if it builds
MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/bash
.DEFAULT_GOAL := help
export PYTHONDONTWRITEBYTECODE := 1
JOBS ?= $(shell nproc 2>/dev/null || echo 1)
# A make below this one: with JOBS processes, or within the -j that the caller gave. Only at the start of a
# recipe line (the + hands over the job server).
SUBMAKE = +$(MAKE) $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS))
HOSTMAKE = $(SUBMAKE) -f mk/host.mk

help: ## list the targets
	@echo "Alien OS: make TARGET [V=1 for detail]"
	@grep -hE '^[a-zA-Z0-9_-]+:.*## ' Makefile mk/*.mk | sed -E 's/^([a-zA-Z0-9_-]+):.*## /\1\t/' \
		| sort -u | awk -F'\t' '{printf "  %-14s %s\n", $$1, $$2}'

build: build-host ## build everything: Linux programs, kernel, guest image

build-host: | setup-build ## build the Linux programs (build/bin) and libraries
	@$(HOSTMAKE) CONFIG=host units progs

clean: ## remove what was built (downloads under build/cache stay)
	@[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name cache -exec rm -rf {} +

.PHONY: help build build-host clean

include $(filter-out $(addprefix mk/,flags.mk units.mk rules.mk host.mk),$(wildcard mk/*.mk))
