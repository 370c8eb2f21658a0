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

/* Insert one of the tests' own modules: it is beside the pool's, or right here. */
static inline int module_insert_own(const char *name)
{
	const char *pool = getenv("BUFPOOL_KO");
	const char *slash = pool ? strrchr(pool, '/') : NULL;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%.*s/%s.ko", slash ? (int)(slash - pool) : 1,
		 slash ? pool : ".", name);
	return module_insert(path, "");
}

/* Fails while the module is in use. */
static inline int module_remove(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

#endif /* KMOD_H */
