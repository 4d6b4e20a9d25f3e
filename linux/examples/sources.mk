# The examples of docs/kv.md.
PROGS += kv_hello kv_bank kv_blob
kv_hello_SRC := linux/examples/kv_hello.c
kv_bank_SRC := linux/examples/kv_bank.c
kv_blob_SRC := linux/examples/kv_blob.c
kv_hello_INC := linux
kv_bank_INC := linux
kv_blob_INC := linux
kv_hello_LIBS := kvfile dbfs base port_posix
kv_bank_LIBS := kvfile dbfs base port_posix
kv_blob_LIBS := kvfile dbfs base port_posix
