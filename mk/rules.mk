# Compiles the units, tests and programs of mk/units.mk for one CONFIG into build/CONFIG.
#   host   gcc -O2 (release; its programs land in build/bin)      clang  the same with clang
#   asan   ASan+UBSan    tsan  ThreadSanitizer    cov  coverage
CONFIG ?= host
OUT := build/$(CONFIG)

CC_host := gcc
CC_clang := clang
CC_asan := gcc
CC_tsan := gcc
CC_cov := gcc
CC := $(CC_$(CONFIG))
include mk/flags.mk

OPT_host := -O2 -g
OPT_clang := -O2 -g
OPT_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_tsan := -O1 -g -fsanitize=thread
OPT_cov := -O0 -g --coverage
OPT := $(OPT_$(CONFIG))
LDOPT := $(filter -fsanitize% --coverage,$(OPT))

INC := -Isubsystems/base/include -Isubsystems/port/include -Isubsystems/dbfs/include
STD_core = $(CORE_STD) $(CORE_FRAME)
STD_host = $(HOST_STD) $(HOST_FRAME)

Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)")

# $(call compile,SRC,STD,INC): one object
define compile
$(OUT)/obj/$(1:.c=.o): $(1)
	$$(call say,CC      $(1))
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(OPT) $$(WARN) $$(STD_$(2)) $(3) $$(INC) -MMD -MP -c $$< -o $$@
-include $(OUT)/obj/$(1:.c=.d)
endef

define unit
$(foreach s,$($(1)_SRC),$(eval $(call compile,$(s),$($(1)_STD),$(addprefix -I,$($(1)_INC)))))
$(OUT)/lib$(1).a: $($(1)_SRC:%.c=$(OUT)/obj/%.o)
	$$(call say,AR      $$@)
	@rm -f $$@
	$$(Q)ar rcs $$@ $$^
endef

# $(call link,NAME,TARGET): a program or a test. Its own sources are host code. Libraries are grouped, so order is free.
define link
$(foreach s,$($(1)_SRC),$(eval $(call compile,$(s),host,$(addprefix -I,$($(1)_INC)))))
$(2): $($(1)_SRC:%.c=$(OUT)/obj/%.o) $(foreach l,$($(1)_LIBS),$(OUT)/lib$(l).a)
	$$(call say,LD      $$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(LDOPT) -o $$@ $($(1)_SRC:%.c=$(OUT)/obj/%.o) -Wl,--start-group $(foreach l,$($(1)_LIBS),$(OUT)/lib$(l).a) -Wl,--end-group $($(1)_LD) -lpthread
endef

BIN := $(if $(filter host,$(CONFIG)),build/bin,$(OUT)/bin)
$(foreach u,$(UNITS),$(eval $(call unit,$(u))))
$(foreach t,$(sort $(TESTS)),$(eval $(call link,$(t),$(OUT)/tests/$(t))))
$(foreach p,$(sort $(PROGS)),$(eval $(call link,$(p),$(BIN)/$(p))))

units: $(UNITS:%=$(OUT)/lib%.a)
tests: $(TESTS:%=$(OUT)/tests/%)
progs: $(PROGS:%=$(BIN)/%)
.PHONY: units tests progs
