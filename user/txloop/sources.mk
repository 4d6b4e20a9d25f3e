USER_PROGS += txloop
txloop_SRC := user/txloop/txloop.c linux/client/dbfs-tx.c
txloop_INC := subsystems/dbfs/include linux/client
txloop_DIR := usr/bin
