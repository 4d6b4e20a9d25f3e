PROGS += alien-nbd
alien-nbd_SRC := $(addprefix linux/nbd/,main.c control.c client.c disk.c) $(addprefix subsystems/port/sim/src/,model.c cut.c)
alien-nbd_INC := subsystems/port/sim/include
