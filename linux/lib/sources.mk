# What the Linux programs share.
UNITS += kvfile
kvfile_STD := host
kvfile_INC := linux/lib
kvfile_SRC := linux/lib/kvfile.c
