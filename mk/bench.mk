bench-guest: kernel $(G)/alien.img linux-guest-ready ## calls in the guest beside Linux's on the same QEMU
	@bench/guest.py

.PHONY: bench-guest
