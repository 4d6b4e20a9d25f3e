/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#ifndef FS_PROCFS_INIT_H
#define FS_PROCFS_INIT_H

/* Registers the file system type "proc". Once at start. */
void procfs_init(void);

#endif
