// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "fail.h"
#include "paths.h"

static noreturn void fail_missing(const char *path)
{
	if (access(MODULE_PATH, F_OK))
		fail(STATUS_NO_DEVICE,
		     "the module is not loaded: as root, run 'modprobe bufpool'");
	if (!strcmp(path, DEVICE_PATH))
		fail(STATUS_NO_DEVICE,
		     "the module is loaded, but there is no %s: is /dev a devtmpfs?",
		     path);
	fail(STATUS_FAILED,
	     "there is no %s: the module is older than this program",
	     path);
}

static noreturn void fail_permission(const char *path)
{
	if (!strcmp(path, DEVICE_PATH))
		fail(STATUS_NO_PERMISSION,
		     "you may not open %s: become a member of the group bufpool ('usermod -aG bufpool USER' as root, then log in again), or root",
		     path);
	fail(STATUS_NO_PERMISSION, "you may not use %s: become root", path);
}

void access_fail(const char *path)
{
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		fail_missing(path);
	case EACCES:
	case EPERM:
	case EROFS:
		fail_permission(path);
	default:
		fail(STATUS_FAILED, "%s: %s", path, strerror(errno));
	}
}
