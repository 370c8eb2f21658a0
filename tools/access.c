// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "access.h"
#include "fail.h"
#include "module.h"
#include "paths.h"
#include "permission.h"

static noreturn void fail_permission(const char *path, int err)
{
	if (!strcmp(path, DEVICE_PATH))
		permission_fail(err);
	if (err == EROFS)
		fail(STATUS_NO_PERMISSION,
		     "%s cannot be written in here: run this outside of the container, as root",
		     path);
	fail(STATUS_NO_PERMISSION, "you may not use %s: become root", path);
}

static noreturn void fail_no_module(const char *what)
{
	if (module_is_installed())
		fail(STATUS_NO_DEVICE,
		     "the module is not loaded%s: as root, run 'modprobe bufpool'",
		     what);
	fail(STATUS_NO_DEVICE,
	     "the module is not loaded%s, and not installed for this kernel: as root, run 'insmod bufpool.ko' with one that was built for it, or install it and run 'modprobe bufpool'",
	     what);
}

static noreturn void fail_no_node(dev_t device)
{
	fail(STATUS_NO_DEVICE,
	     "the module is loaded, but there is no %s: as root, run 'mknod -m 660 %s c %u %u', or give the device to the container that this runs in",
	     DEVICE_PATH, DEVICE_PATH, major(device), minor(device));
}

static noreturn void fail_other_node(dev_t device)
{
	fail(STATUS_NO_DEVICE,
	     "%s is not the module's device: as root, run 'rm %s' and 'mknod -m 660 %s c %u %u'",
	     DEVICE_PATH, DEVICE_PATH, DEVICE_PATH, major(device),
	     minor(device));
}

static noreturn void fail_device(int err)
{
	struct stat node;
	bool is_there = !stat(DEVICE_PATH, &node);

	if (!module_is_loaded())
		fail_no_module(is_there ?
			       ", and opening " DEVICE_PATH " did not load it" :
			       "");
	if (!is_there)
		fail_no_node(module_device());
	if (!S_ISCHR(node.st_mode) || node.st_rdev != module_device())
		fail_other_node(module_device());
	fail(STATUS_FAILED, "%s: %s", DEVICE_PATH, strerror(err));
}

/* Only an open of the device fails so. */
static noreturn void fail_clients(void)
{
	fail(STATUS_FAILED,
	     "you may not open %s once more: your user has as many clients, pollers, channels and stacks as one may: end programs that have some or, as root, raise max_clients in %s/parameters",
	     DEVICE_PATH, MODULE_PATH);
}

static noreturn void fail_missing(const char *path, int err)
{
	if (!strcmp(path, DEVICE_PATH))
		fail_device(err);
	if (!module_is_loaded())
		fail_no_module("");
	fail(STATUS_FAILED,
	     "there is no %s: the module is older than this program: as root, run 'rmmod bufpool', and load one of version %s",
	     path, BUFPOOL_VERSION);
}

void access_fail(const char *path)
{
	int err = errno;

	switch (err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
	case ENOTTY:
		fail_missing(path, err);
	case EACCES:
	case EPERM:
	case EROFS:
		fail_permission(path, err);
	case EDQUOT:
		fail_clients();
	default:
		fail(STATUS_FAILED, "%s: %s", path, strerror(err));
	}
}
