/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#ifndef FS_DBFS_INIT_H
#define FS_DBFS_INIT_H

/* Registers the file system type "dbfs". Once at start. */
void dbfs_init(void);

#endif
