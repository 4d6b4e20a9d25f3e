mutants: | setup-build+test ## break each guard on purpose; a test must notice [T=NAME]
	@scripts/mutants/run $(T)

.PHONY: mutants
