# Compiles the units, tests and programs of mk/units.mk for one CONFIG into build/CONFIG.
#   host   gcc -O2 (release; its programs land in build/bin)      clang  the same with clang, debug asserts
#   asan   ASan+UBSan    tsan  ThreadSanitizer    cov  coverage    fuzz  clang's libFuzzer with ASan+UBSan
# All but host define BASE_DEBUG (the expensive assertions of base/assert.h).
CONFIG ?= host
OUT := build/$(CONFIG)

CC_host := gcc
CC_clang := clang
CC_asan := gcc
CC_tsan := gcc
CC_cov := gcc
CC_fuzz := clang
CC := $(CC_$(CONFIG))
ifeq ($(CC),)
$(error CONFIG=$(CONFIG) is none of: host clang asan tsan cov fuzz)
endif
include mk/flags.mk

OPT_host := -O2 -g
OPT_clang := -O2 -g -DBASE_DEBUG
OPT_asan := -O1 -g -DBASE_DEBUG -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_tsan := -O1 -g -DBASE_DEBUG -fsanitize=thread
OPT_cov := -O0 -g -DBASE_DEBUG --coverage -fprofile-update=atomic
OPT_fuzz := -O1 -g -DBASE_DEBUG -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
OPT := $(OPT_$(CONFIG))
LDOPT := $(filter -fsanitize% --coverage,$(OPT))
ifneq ($(filter asan tsan cov fuzz,$(CONFIG)),)
# Instrumented code has larger frames and confuses the flow warnings: those are for host and clang.
WARN := -Wall -Wextra -fno-common -fno-strict-aliasing
CORE_FRAME :=
HOST_FRAME :=
endif

INC := $(patsubst %,-Isubsystems/%/include,base port port/posix dbfs vfs mm drivers net) -Isubsystems/mm/tests/platform
STD_core = $(CORE_STD) $(CORE_FRAME)
STD_host = $(HOST_STD) $(HOST_FRAME)

Q := $(if $(V),,@)
QUIET := $(findstring s,$(filter-out -%,$(firstword $(MAKEFLAGS))))
say = $(if $(V)$(QUIET),,@echo "  $(1)")

# Objects depend on this file, which changes with compiler and flags.
FLAGS_NOW := $(CC) $(CC_MAJOR) $(OPT) $(WARN) $(STD_core) $(STD_host) $(INC)
$(shell mkdir -p $(OUT); echo '$(FLAGS_NOW)' | cmp -s - $(OUT)/flags || echo '$(FLAGS_NOW)' >$(OUT)/flags)

# $(call compile,SRC,STD,INC): one object. A source that two programs list is compiled once.
define compile
ifeq ($$(filter $(1),$$(COMPILED)),)
COMPILED += $(1)
FLAGS_$(1) = $$(STD_$(2)) $(3) $$(INC)
$(OUT)/obj/$(1:.c=.o): $(1) $(OUT)/flags
	$$(call say,CC      $(1))
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(OPT) $$(WARN) $$(STD_$(2)) $(3) $$(INC) -MMD -MP -c $$< -o $$@
-include $(OUT)/obj/$(1:.c=.d)
endif
endef

define unit
$(foreach s,$($(1)_SRC),$(eval $(call compile,$(s),$($(1)_STD),$(addprefix -I,$($(1)_INC)))))
$(OUT)/lib$(1).a: $($(1)_SRC:%.c=$(OUT)/obj/%.o)
	$$(call say,AR      $$@)
	@rm -f $$@
	$$(Q)ar rcs $$@ $$^
endef

# $(call link,NAME,TARGET,LDFLAGS): a program or a test. Its own sources are host code. Libraries are
# grouped, so order is free.
define link
$(foreach s,$($(1)_SRC),$(eval $(call compile,$(s),host,$(addprefix -I,$($(1)_INC)))))
$(2): $($(1)_SRC:%.c=$(OUT)/obj/%.o) $(foreach l,$($(1)_LIBS),$(OUT)/lib$(l).a)
	$$(call say,LD      $$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(LDOPT) $(3) -o $$@ $($(1)_SRC:%.c=$(OUT)/obj/%.o) -Wl,--start-group $(foreach l,$($(1)_LIBS),$(OUT)/lib$(l).a) -Wl,--end-group $($(1)_LD) -lpthread
endef

BIN := $(if $(filter host,$(CONFIG)),build/bin,$(OUT)/bin)
# A program's file: NAME_BIN if it is set, for one that is called like a unit.
prog = $(BIN)/$(or $($(1)_BIN),$(1))
# The tests of this configuration: ThreadSanitizer is for those that use threads.
TESTS_HERE := $(sort $(if $(filter tsan,$(CONFIG)),$(TEST_tsan),$(TESTS)))
$(foreach u,$(UNITS),$(eval $(call unit,$(u))))
$(foreach t,$(sort $(TESTS)),$(eval $(call link,$(t),$(OUT)/tests/$(t))))
$(foreach p,$(sort $(PROGS)),$(eval $(call link,$(p),$(call prog,$(p)))))
$(foreach f,$(sort $(FUZZ)),$(eval $(call link,$(f),$(OUT)/fuzz/$(f),-fsanitize=fuzzer)))

units: $(UNITS:%=$(OUT)/lib%.a)
	@:
tests: $(TESTS_HERE:%=$(OUT)/tests/%)
	@:
progs: $(foreach p,$(PROGS),$(call prog,$(p)))
	@:
fuzzers: $(FUZZ:%=$(OUT)/fuzz/%)
	@:

# T=NAME: only this one, slow or not.
RUN := $(if $(T),$(T),$(TESTS_HERE))
run-tests: $(RUN:%=$(OUT)/tests/%)
	$(if $(RUN),@scripts/test/run-units $(OUT)/tests --slow $(if $(T),,$(TEST_slow)) --names $(RUN),@echo "no tests for $(CONFIG)")

list-fuzz:
	@echo $(FUZZ)

# For tools that parse: a line "SRC FLAG..." for each source.
list-compile:
	@: $(foreach s,$(COMPILED),$(info $(s) $(FLAGS_$(s))))
.PHONY: units tests progs fuzzers run-tests list-fuzz list-compile
