/* SPDX-License-Identifier: MIT */
/*
 * Modules that a test loads and unloads itself.
 */
#ifndef KMOD_H
#define KMOD_H

#include "bufpool_test.h"

static inline int module_insert(const char *path, const char *parameters)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, parameters, 0);
	if (ret < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* Fails while the module is in use. */
static inline int module_remove(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

#endif /* KMOD_H */
