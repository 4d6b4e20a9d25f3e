# tx in the guest: the same sources as on Linux.
USER_PROGS += tx
tx_SRC := $(addprefix linux/tx/,tx.c view.c command.c) linux/client/dbfs-tx.c
tx_INC := subsystems/dbfs/include linux/client
tx_DIR := usr/bin
