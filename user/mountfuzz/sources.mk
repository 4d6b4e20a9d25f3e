USER_PROGS += mountfuzz
mountfuzz_SRC := user/mountfuzz/mountfuzz.c
mountfuzz_DIR := usr/bin
