# Slower checkers, coverage and fuzzing.
SECS ?= 60

lint: | setup-build+test+lint ## clang-tidy, cppcheck, gcc -fanalyzer [REF=commit: only what changed since]
	@scripts/lint/run $(if $(REF),--changed $(REF))

cov: | setup-build+test ## lines and branches that the unit tests reach, by module
	@rm -f $$(find build/cov -name '*.gcda' 2>/dev/null)
	@$(HOSTMAKE) CONFIG=cov run-tests
	@scripts/lint/coverage

fuzz: | setup-build+test ## fuzz each target, or T=NAME, for SECS=60 seconds
	@$(HOSTMAKE) CONFIG=fuzz fuzzers
	@scripts/lint/fuzz $(SECS) $(T)

.PHONY: lint cov fuzz
