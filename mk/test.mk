# Tests. The steps are data: scripts/test/steps. The runner prints a line for each (scripts/test-runner).
CONFIG ?= host

test: | setup-build+test+guest ## what CI runs: every kind of test in its short form
	@scripts/test-runner --tier test

quick: | setup-build+test ## under two minutes: unit tests and the short forms
	@scripts/test-runner --tier quick

soak: | setup-build+test+guest ## hours: everything with all seeds, mutants, fuzzing
	@scripts/test-runner --tier soak

unit: | setup-build+test ## unit tests of one build: CONFIG=host|clang|asan|tsan [T=NAME]
	@$(HOSTMAKE) CONFIG=$(CONFIG) run-tests T=$(T)

.PHONY: test quick soak unit
