# In the root directory, where those who follow the announcement look for it: ./final_test
USER_PROGS += final_test
final_test_SRC := user/final_test/final_test.c linux/client/dbfs-tx.c
final_test_INC := subsystems/dbfs/include linux/client
final_test_DIR := .
