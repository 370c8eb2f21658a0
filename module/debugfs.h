/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_DEBUGFS_H
#define _BUFPOOL_DEBUGFS_H

struct bufpool_pool;
struct dentry;

struct dentry *bufpool_debugfs_create(struct bufpool_pool *pool);
void bufpool_debugfs_destroy(struct dentry *dir);

#endif /* _BUFPOOL_DEBUGFS_H */
