# Compiler flags. One place for warnings, so that gcc and clang, host and kernel, say the same things.
# WERROR=1 turns warnings into errors. It is the default with the two compilers that the warnings
# were tried with; another version's new warnings are shown and do not stop anybody's build.

CC_FAMILY := $(if $(findstring clang,$(CC)),clang,gcc)
CC_MAJOR := $(firstword $(subst ., ,$(shell $(CC) -dumpversion 2>/dev/null)))
WERROR ?= $(if $(filter gcc-12 clang-14,$(CC_FAMILY)-$(CC_MAJOR)),1)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wundef \
	-Wvla -Wwrite-strings -Wcast-qual -Wcast-align -Wpointer-arith -Wconversion -Wsign-conversion \
	-Wformat=2 -Wswitch-enum -Wimplicit-fallthrough -Wnull-dereference -fno-common -fno-strict-aliasing
WARN_gcc := -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wjump-misses-init -Walloca
WARN_clang := -Wthread-safety -Wno-unknown-warning-option
WARN += $(WARN_$(CC_FAMILY)) $(if $(filter 1,$(WERROR)),-Werror)

# The portable units: no libc, no platform. Everything else on the host and in the kernel: GNU C17.
CORE_STD := -std=c17 -Wpedantic -ffreestanding
HOST_STD := -std=gnu17 -D_GNU_SOURCE
CORE_FRAME := -Wframe-larger-than=1024
HOST_FRAME := -Wframe-larger-than=4096
