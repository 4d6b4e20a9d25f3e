USER_PROGS += guestbench
guestbench_SRC := user/guestbench/guestbench.c
guestbench_DIR := usr/bin
