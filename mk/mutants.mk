mutants: | setup-build+test ## break each guard on purpose; a test must notice [T=NAME]
	@scripts/mutants/run $(T)

mutants-guest: kernel $(G)/alien.img build-host ## the same for guards that only a guest's power cuts show
	@scripts/mutants/run --group guest

.PHONY: mutants mutants-guest
