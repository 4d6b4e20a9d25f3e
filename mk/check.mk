# The rules of docs/style.md, one script each: scripts/check/rules.
check: | setup-build+test ## the rules: layers, symbols, headers, sizes, format, warnings, docs ...
	@scripts/test-runner --steps scripts/check/rules --log build/log/check --tier $(or $(TIER),test)

fmt: | setup-test ## let clang-format lay out every .c and .h
	@scripts/check/format.sh --fix

.PHONY: check fmt
