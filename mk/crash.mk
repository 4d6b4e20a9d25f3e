N ?= 100
CRASH_SEED ?= 1

crash-guest: kernel build/guest/alien.img build-host ## cut a guest's power N times (N=100, CRASH_SEED=1) and check what is left
	@tests/crash/crash_guest.py --seed $(CRASH_SEED) $(N)

.PHONY: crash-guest
