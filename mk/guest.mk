# The guest: root file system from Debian packages, our programs in it, image, runner.
# docs/guest-image.md and docs/guest-runner.md say how; scripts/image/packages* say what.
G := build/guest
IMAGE_TOOLS := $(wildcard scripts/image/*)
PYTHON ?= python3
export PYTHONDONTWRITEBYTECODE := 1

rootfs-tar: $(G)/root.tar $(G)/root-small.tar ## the guest's root as tar files (build/guest/root*.tar)

build/cache/base.lock: scripts/image/packages | setup-guest
	@scripts/image/fetch $< base
	@touch -c $@

build/cache/small.lock: scripts/image/packages-small | setup-guest
	@scripts/image/fetch $< small
	@touch -c $@

$(G)/root.tar: build/cache/base.lock $(IMAGE_TOOLS)
	@$(PYTHON) scripts/image/mkroot base $@

$(G)/root-small.tar: build/cache/small.lock $(IMAGE_TOOLS)
	@$(PYTHON) scripts/image/mkroot small $@

.PHONY: rootfs-tar
