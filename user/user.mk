# The guest's own programs (make -f user/user.mk; mk/guest.mk calls it): riscv64, statically linked, laid
# out in build/guest/overlay as they go into the image. A program's sources.mk says
#   USER_PROGS += NAME   NAME_SRC := files   NAME_DIR := usr/bin   [NAME_LINKS := other names] [NAME_INC := dirs]
G := build/guest
OVERLAY := $(G)/overlay
CC := riscv64-linux-gnu-gcc
include mk/flags.mk
SHELL := /bin/bash
Q := $(if $(V),,@)
CFLAGS := -O2 -g -ffile-prefix-map=$(CURDIR)=. $(WARN) $(HOST_STD) $(HOST_FRAME) -MMD -MP

USER_PROGS :=
include $(wildcard user/*/sources.mk)

# What a removed or renamed program left in the overlay goes away, so that the image is that of a fresh clone.
EXPECTED := $(sort $(patsubst ./%,%,$(foreach p,$(USER_PROGS),$(addprefix $($(p)_DIR)/,$(p) $($(p)_LINKS)))))

all: $(USER_PROGS:%=$(G)/stamp/%)
	@cd $(OVERLAY) && find . ! -type d -printf '%P\n' | LC_ALL=C sort | \
		LC_ALL=C comm -23 - <(printf '%s\n' $(EXPECTED) | LC_ALL=C sort) | \
		while read -r f; do rm "$$f"; touch ../stamp/removed; done

define program
$(G)/user/$(1): $($(1)_SRC) user/$(1)/sources.mk user/user.mk mk/flags.mk
	@echo "  GUESTCC $$@"
	@mkdir -p $$(@D) $(G)/obj
	$$(Q)$$(foreach s,$($(1)_SRC),$$(CC) $$(CFLAGS) $(addprefix -I,$($(1)_INC)) -MF $(G)/obj/$(1)-$$(notdir $$(s)).d -MT $$@ -c $$(s) -o $(G)/obj/$(1)-$$(notdir $$(s)).o &&) \
		$$(CC) -static -Wl,--build-id=none -o $$@ $$(foreach s,$($(1)_SRC),$(G)/obj/$(1)-$$(notdir $$(s)).o)
-include $$(wildcard $(G)/obj/$(1)-*.d)

$(G)/stamp/$(1): $(G)/user/$(1)
	@mkdir -p $$(@D) $(OVERLAY)/$($(1)_DIR)
	$$(Q)riscv64-linux-gnu-strip -o $(OVERLAY)/$($(1)_DIR)/$(1) $$<
	$$(Q)for l in $($(1)_LINKS); do ln -sf $(1) $(OVERLAY)/$($(1)_DIR)/$$$$l || exit; done
	@touch $$@
endef
$(foreach p,$(USER_PROGS),$(eval $(call program,$(p))))

.PHONY: all
