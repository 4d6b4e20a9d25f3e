# The kernel: make -f kernel/build.mk CONFIG=kernel all (the Makefile calls it).
#   kernel        release, build/kernel/alien.elf (what QEMU's -kernel takes) and alien.bin (flat)
#   kernel-debug  lock-rank checks, expensive assertions, UBSan traps
#   kernel-clang  objects only: the same sources through clang's warnings
#
# Each folder of kernel/ lists its files in sources.mk (no globs):
#   KERNEL_SRC += kernel/sched/sched.c        C, GNU C17
#   KERNEL_ASM += kernel/arch/riscv64/vectors.S  assembly (preprocessed)
#   KERNEL_FP_ASM += ...                      assembly that may use FP instructions
#   KERNEL_GEN += ...                         generated C (a rule for it in the same sources.mk, below $(OUT)/gen)
# Units of subsystems/ come in by their own sources.mk, with the flags of their STD (mk/units.mk).
CONFIG ?= kernel
OUT := build/$(CONFIG)
CROSS ?= riscv64-linux-gnu-
CC := $(if $(filter kernel-clang,$(CONFIG)),clang,$(CROSS)gcc)
Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)")
all: $(if $(filter kernel-clang,$(CONFIG)),objects,$(OUT)/alien.elf $(OUT)/alien.bin)

include mk/flags.mk
KERNEL_UNITS := base mm drivers vfs dbfs net
KERNEL_SRC :=
KERNEL_ASM :=
KERNEL_FP_ASM :=
KERNEL_GEN :=
UNITS :=
TESTS :=
PROGS :=
include $(wildcard $(KERNEL_UNITS:%=subsystems/%/sources.mk))
include $(wildcard kernel/*/sources.mk kernel/*/*/sources.mk)

# libfdt, fetched as a Debian source package (scripts/fetch-source; offline after the first time)
FDT := build/cache/src/device-tree-compiler
FDT_SRC := $(addprefix $(FDT)/libfdt/,fdt.c fdt_ro.c fdt_addresses.c)
$(FDT)/.fetched:
	$(call say,FETCH   device-tree-compiler)
	$(Q)scripts/fetch-source device-tree-compiler $(FDT)
$(FDT_SRC): $(FDT)/.fetched ;

# gcc believes -mno-strict-align only of cores whose tuning says that misaligned accesses are fast: else each is taken
# to pieces, byte by byte (memcmp, memcpy, every field of a record on disk).
MACHINE_gcc := -march=rv64imac_zicsr_zifencei -mno-strict-align -mtune=thead-c906 -mno-relax -fno-pie -fconserve-stack
MACHINE_clang := --target=riscv64-linux-gnu -march=rv64imac -mno-relax -fno-pie
MACHINE := $(MACHINE_$(CC_FAMILY)) -mabi=lp64 -mcmodel=medany -fstack-protector-strong -fno-omit-frame-pointer \
	-ffreestanding -nostdlib -nostdinc -isystem $(shell $(CC) -print-file-name=include) -fno-builtin-printf \
	-fno-asynchronous-unwind-tables -fno-unwind-tables -ffile-prefix-map=$(CURDIR)/= -fstack-usage
MACHINE := $(if $(filter clang,$(CC_FAMILY)),$(filter-out -fstack-usage,$(MACHINE)),$(MACHINE))
OPT_kernel := -O2 -g
OPT_kernel-debug := -O2 -g -DKERNEL_DEBUG -DBASE_DEBUG -fsanitize=undefined -fsanitize-undefined-trap-on-error
OPT_kernel-clang := -O2
INC := -Ikernel -Ikernel/arch/include -Ikernel/port/include $(KERNEL_UNITS:%=-Isubsystems/%/include) \
	-Isubsystems/port/include -I$(OUT)/gen -isystem kernel/lib/libc
STD_core := $(CORE_STD) $(CORE_FRAME)
STD_host := $(HOST_STD) $(CORE_FRAME)
STD_kernel := -std=gnu17 $(CORE_FRAME)
STD_fdt := -std=gnu17 -w -I$(FDT)/libfdt

# $(call compile,SRC,STD,INC): one object
define compile
$(OUT)/obj/$(1:.c=.o): $(1)
	$$(call say,CC      $(1))
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(MACHINE) $$(OPT_$(CONFIG)) $$(WARN) $$(STD_$(2)) $(3) $$(INC) -MMD -MP -c $$< -o $$@
-include $(OUT)/obj/$(1:.c=.d)
endef
define assemble
$(OUT)/obj/$(1:.S=.o): $(1)
	$$(call say,AS      $(1))
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(MACHINE) $(2) -g -D__ASSEMBLER__ $$(INC) -MMD -MP -c $$< -o $$@
-include $(OUT)/obj/$(1:.S=.d)
endef

$(foreach u,$(KERNEL_UNITS),$(foreach s,$($(u)_SRC),$(eval $(call compile,$(s),$($(u)_STD),$(addprefix -I,$(filter-out %/tests/platform,$($(u)_INC)))))))
$(foreach s,$(KERNEL_SRC) $(KERNEL_GEN),$(eval $(call compile,$(s),kernel,-isystem $(FDT)/libfdt)))
$(foreach s,$(FDT_SRC),$(eval $(call compile,$(s),fdt)))
$(foreach s,$(KERNEL_ASM),$(eval $(call assemble,$(s))))
$(foreach s,$(KERNEL_FP_ASM),$(eval $(call assemble,$(s),-march=rv64imafdc_zicsr_zifencei)))

ALL_SRC := $(KERNEL_SRC) $(KERNEL_GEN) $(FDT_SRC) $(foreach u,$(KERNEL_UNITS),$($(u)_SRC))
C_OBJ := $(ALL_SRC:%.c=$(OUT)/obj/%.o)
OBJ := $(KERNEL_ASM:%.S=$(OUT)/obj/%.o) $(KERNEL_FP_ASM:%.S=$(OUT)/obj/%.o) $(C_OBJ)
LDSCRIPT := kernel/arch/riscv64/kernel.ld
LD := $(CROSS)ld -nostdlib -static --no-relax --gc-sections -z max-page-size=4096 --build-id=none -T $(LDSCRIPT)

$(C_OBJ): $(KERNEL_GEN) $(FDT)/.fetched kernel/build.mk mk/flags.mk
objects: $(C_OBJ)

# Linked twice: the symbol table comes last in rodata, so it moves no address that it lists.
$(OUT)/pass1.elf: $(OBJ) $(LDSCRIPT)
	$(Q)$(LD) -o $@ $(OBJ)
$(OUT)/symtab.o: $(OUT)/pass1.elf scripts/gen_symtab.py
	$(Q)$(CROSS)nm -n $< | scripts/gen_symtab.py >$(OUT)/symtab.S
	$(Q)$(CC) $(MACHINE) -c $(OUT)/symtab.S -o $@
$(OUT)/alien.elf: $(OUT)/symtab.o
	$(call say,LD      $@)
	$(Q)$(LD) -o $@ $(OBJ) $<
$(OUT)/alien.bin: $(OUT)/alien.elf
	$(Q)$(CROSS)objcopy -O binary $< $@

# The largest frames, from gcc's -fstack-usage
stack: $(C_OBJ)
	@find $(OUT)/obj -name '*.su' | xargs cat | awk -F'\t' '{print $$2 "\t" $$3 "\t" $$1}' | sort -rn | head -25

.PHONY: all objects stack
