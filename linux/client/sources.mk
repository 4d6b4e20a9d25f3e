# libdbfs-tx and tx: the same sources on Linux and, cross-compiled, in the guest (mk/guest.mk).
UNITS += dbfs-tx
dbfs-tx_STD := host
dbfs-tx_SRC := linux/client/dbfs-tx.c

PROGS += tx
tx_SRC := linux/tx/tx.c linux/tx/view.c linux/tx/command.c
tx_INC := linux/client
tx_LIBS := dbfs-tx
