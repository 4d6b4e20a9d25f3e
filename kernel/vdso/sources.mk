KERNEL_SRC += kernel/vdso/vdso.c
KERNEL_GEN += $(OUT)/gen/vdso_image.c

# The image is a program of its own: position independent, for user mode.
VDSO_CC := $(CROSS)gcc -march=rv64imac_zicsr_zifencei -mabi=lp64 -O2 -fPIC -ffreestanding -nostdlib -nostdinc \
	-fno-stack-protector -fvisibility=default -fasynchronous-unwind-tables -std=gnu17 -Wall -Wextra -Werror \
	-Ikernel -Isubsystems/base/include
VDSO_LD := $(CROSS)ld -shared --soname=linux-vdso.so.1 --hash-style=both --eh-frame-hdr --build-id=none --no-relax \
	-Bsymbolic -z max-page-size=4096 -z noseparate-code -s

$(OUT)/gen/vdso_image.c: kernel/vdso/vdso_user.c kernel/vdso/sigreturn.S kernel/vdso/vdso.ld kernel/vdso/vdso.h scripts/gen_vdso.py
	@mkdir -p $(@D)
	$(Q)$(VDSO_CC) -isystem $$($(CROSS)gcc -print-file-name=include) -c kernel/vdso/vdso_user.c -o $(@D)/vdso_user.o
	$(Q)$(VDSO_CC) -c kernel/vdso/sigreturn.S -o $(@D)/vdso_sigreturn.o
	$(Q)$(VDSO_LD) -T kernel/vdso/vdso.ld $(@D)/vdso_sigreturn.o $(@D)/vdso_user.o -o $(@D)/vdso.so
	$(Q)scripts/gen_vdso.py $(@D)/vdso.so >$@.tmp && mv $@.tmp $@
