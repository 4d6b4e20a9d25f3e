bench-guest: kernel build/guest/alien.img linux-guest-ready ## calls in the guest beside Linux's on the same QEMU
	@bench/guest.py

.PHONY: bench-guest
