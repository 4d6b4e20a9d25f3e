# The guest: root file system from Debian packages, our programs in it, image, runner.
# docs/guest-image.md and docs/guest-runner.md say how; scripts/image/packages* say what.
G := build/guest
IMAGE_TOOLS := $(addprefix scripts/image/,mkroot debs.py dpkgdb.py ldcache.py setup.py tree.py path-exclude)
SIZE ?= 1G
unexport CMD
GUEST_CMD := $(value CMD)
export GUEST_CMD

user: | setup-build ## build the guest's own programs (build/guest/overlay)
	@$(SUBMAKE) -s -f user/user.mk WERROR=$(WERROR)

rootfs-tar: $(G)/root.tar $(G)/root-small.tar ## the guest's root as tar files (build/guest/root*.tar)

image: $(G)/alien.img ## the guest's disk, DBFS with Debian (build/guest/alien.img, SIZE=1G)

build/cache/base.lock build/cache/small.lock: build/cache/%.lock: | setup-guest
build/cache/base.lock: scripts/image/packages
build/cache/small.lock: scripts/image/packages-small
build/cache/base.lock build/cache/small.lock:
	@scripts/image/fetch $< $(basename $(@F))
	@touch -c $@

build/cache/linux.lock: scripts/image/packages-linux | setup-guest
	@scripts/image/fetch --only 'linux-image-[0-9]*' $< linux
	@touch -c $@

# The overlay's time stamp changes only when a program does, so the tars follow.
$(G)/stamp/overlay: user
	@mkdir -p $(@D)
	@[ -e $@ ] && [ -z "$$(find $(G)/stamp $(G)/overlay -newer $@ ! -type d ! -name overlay -print -quit)" ] || touch $@

$(G)/root.tar: build/cache/base.lock $(IMAGE_TOOLS) $(G)/stamp/overlay
	@scripts/image/mkroot base $@ $(G)/overlay

$(G)/root-small.tar: build/cache/small.lock $(IMAGE_TOOLS) $(G)/stamp/overlay
	@scripts/image/mkroot small $@ $(G)/overlay

$(G)/alien.img: $(G)/root.tar | build-host
	@build/bin/mkfs.dbfs $(SIZE) $@.new --from $(G)/root.tar
	@mv $@.new $@

$(G)/linux/initrd.cpio: build/cache/linux.lock $(G)/root.tar scripts/image/mkinitrd
	@echo "  CPIO    $@"
	@scripts/image/mkinitrd $(G)/root.tar $(G)/linux

guest: kernel $(G)/alien.img ## run one command in a fresh guest: make guest CMD='...' [TIMEOUT= SMP= MEM= KEEP=1]
	@scripts/guest "$$GUEST_CMD"

linux-guest-ready: $(G)/linux/initrd.cpio ## what scripts/linux-guest needs (the reference for ABI tests)

run: kernel $(G)/alien.img ## boot to a shell on the persistent image (Ctrl-A x ends QEMU)
	@scripts/run

f_test: $(G)/alien.img kernel ## boot to a shell in / where ./final_test tries each promise once
	@APPEND='alien.dir=/' scripts/run

run-gdb: kernel $(G)/alien.img ## the same, waiting for gdb on port 1234
	@scripts/run --gdb

build: image

.PHONY: f_test user rootfs-tar image guest linux-guest-ready run run-gdb
