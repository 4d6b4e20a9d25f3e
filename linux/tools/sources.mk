# The image tools: mkfs.dbfs, fsck.dbfs, dbfs.
TOOLS := linux/tools
PROGS += mkfs.dbfs fsck.dbfs dbfs-tool
# The unit of the core is called dbfs too, so its program has another name here.
dbfs-tool_BIN := dbfs
mkfs.dbfs_SRC := $(addprefix $(TOOLS)/,mkfs.c import.c import_dir.c import_tar.c tool.c)
mkfs.dbfs_LD := -larchive
fsck.dbfs_SRC := $(addprefix $(TOOLS)/,fsck.c tool.c)
dbfs-tool_SRC := $(addprefix $(TOOLS)/,dbfs.c cmd_ls.c cmd_cp.c cmd_info.c import.c import_dir.c tool.c)
$(foreach p,mkfs.dbfs fsck.dbfs dbfs-tool,$(eval $(p)_INC := linux)$(eval $(p)_LIBS := dbfs base port_posix))
