# Targets of the kernel; the rules are in kernel/build.mk, the source lists in kernel/*/sources.mk.
KERNELMAKE = $(SUBMAKE) -f kernel/build.mk

build: kernel

kernel: ## build the kernel (build/kernel/alien.elf); DEBUG=1: lock checks and UBSan traps
	@$(KERNELMAKE) CONFIG=kernel$(if $(DEBUG),-debug) all

kernel-clang-check: ## compile the kernel's sources with clang's warnings (objects only)
	@$(KERNELMAKE) CONFIG=kernel-clang WERROR=1 objects

kernel-selftest: kernel ## the kernel's own tests in QEMU on 1, 2 and 4 harts
	@tests/kernel/selftest.sh kernel$(if $(DEBUG),-debug)
	@tests/kernel/panic.sh kernel$(if $(DEBUG),-debug)

stack: ## the largest stack frames of the kernel
	@$(KERNELMAKE) CONFIG=kernel stack

.PHONY: kernel kernel-selftest kernel-clang-check stack
