# Process 1 of the guest, and the commands that end it (the same program under other names).
USER_PROGS += init
init_SRC := user/init/args.c user/init/console.c user/init/init.c user/init/mounts.c user/init/power.c \
	user/init/run.c
init_DIR := usr/sbin
init_LINKS := poweroff halt reboot
