// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "access.h"
#include "device.h"
#include "fail.h"
#include "paths.h"

int device_open(void)
{
	int fd = open(DEVICE_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		access_fail(DEVICE_PATH);
	return fd;
}

void device_info(int fd, struct bufpool_info *info)
{
	*info = (struct bufpool_info){ .size = sizeof(*info) };
	if (ioctl(fd, BUFPOOL_IOC_INFO, info))
		access_fail(DEVICE_PATH);
}

/* A class of an older module, which does not describe its classes. */
static void class_by_number(const struct bufpool_info *info,
			    struct bufpool_class_info *class)
{
	class->backing = BUFPOOL_BACKING_SLAB;
	class->block_size = (__u64)info->page_size << class->nr;
	class->offset = class->nr * info->span;
	class->span = info->span;
	class->properties = class->block_size <= info->max_pooled ?
			    BUFPOOL_CLASS_POOLED : 0;
}

void device_class(int fd, const struct bufpool_info *info, __u32 nr,
		  struct bufpool_class_info *class)
{
	*class = (struct bufpool_class_info){ .size = sizeof(*class), .nr = nr };
	if (!ioctl(fd, BUFPOOL_IOC_CLASS, class))
		return;
	if (errno != ENOTTY)
		access_fail(DEVICE_PATH);
	class_by_number(info, class);
}

/*
 * An older module refuses what it does not know unless that is 0, which would look like a
 * number, and leaves alone what is beyond the size that it is told.
 */
static int stats_by_age(int fd, struct bufpool_stats *stats)
{
	const size_t older = offsetof(struct bufpool_stats, client_sent);
	int ret;

	stats->size = sizeof(*stats);
	memset((char *)stats + older, 0xff, sizeof(*stats) - older);
	ret = ioctl(fd, BUFPOOL_IOC_STATS, stats);
	if (!ret || errno != E2BIG)
		return ret;
	stats->size = older;
	return ioctl(fd, BUFPOOL_IOC_STATS, stats);
}

void device_stats(int fd, struct bufpool_stats *stats)
{
	*stats = (struct bufpool_stats){ };
	if (stats_by_age(fd, stats))
		access_fail(DEVICE_PATH);
	stats->clients--;
}

int device_quota(int fd, __u32 flags, __u32 uid, __u64 *bytes)
{
	struct bufpool_quota quota = {
		.size = sizeof(quota),
		.flags = flags,
		.uid = uid,
		.quota = *bytes,
	};

	if (!ioctl(fd, BUFPOOL_IOC_QUOTA, &quota)) {
		*bytes = quota.quota;
		return 0;
	}
	if (errno == ENOTTY)
		fail(STATUS_FAILED, "the module is too old to have quotas of single users");
	if (errno == EPERM)
		fail(STATUS_NO_PERMISSION,
		     "quotas of single users are for root: become root");
	if (errno != EINVAL)
		access_fail(DEVICE_PATH);
	return -EINVAL;
}

__u64 device_trim(int fd, __u64 min_size)
{
	struct bufpool_trim trim = {
		.size = sizeof(trim),
		.min_size = min_size,
	};

	if (!ioctl(fd, BUFPOOL_IOC_TRIM, &trim))
		return trim.trimmed;
	if (errno == ENOTTY || errno == EBADF)
		fail(STATUS_FAILED, "descriptor %d is no open %s", fd,
		     DEVICE_PATH);
	access_fail(DEVICE_PATH);
}

int device_rent(int fd, __u32 flags, __u64 size, __u32 count, __u64 timeout_ms,
		struct bufpool_block *blocks)
{
	struct bufpool_rent_many many = {
		.size = sizeof(many),
		.flags = flags | (timeout_ms ? 0 : BUFPOOL_RENT_NONBLOCK),
		.min_size = size,
		.count = count,
		.blocks = (uintptr_t)blocks,
	};
	int ret;

	if (timeout_ms != UINT64_MAX)
		many.timeout_ns = timeout_ms * 1000000;
	ret = ioctl(fd, BUFPOOL_IOC_RENT_MANY, &many);
	return ret < 0 ? -errno : ret;
}

static int attribute_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		access_fail(path);
	return fd;
}

__u64 attribute_read(const char *path)
{
	int fd = attribute_open(path, O_RDONLY);
	char text[32], *end;
	__u64 value;
	ssize_t length;

	length = read(fd, text, sizeof(text) - 1);
	if (length < 0)
		access_fail(path);
	close(fd);
	text[length] = '\0';
	value = strtoull(text, &end, 10);
	if (end == text)
		fail(STATUS_FAILED, "%s has no number: '%s'", path, text);
	return value;
}

int attribute_write(const char *path, __u64 value)
{
	int fd = attribute_open(path, O_WRONLY);
	char text[32];
	int length;

	length = snprintf(text, sizeof(text), "%llu\n", value);
	if (write(fd, text, length) < 0) {
		if (errno != EINVAL)
			access_fail(path);
		close(fd);
		return -EINVAL;
	}
	close(fd);
	return 0;
}

static void parameter_path(char *path, const char *name)
{
	snprintf(path, PATH_MAX, MODULE_PATH "/parameters/%s", name);
}

__u64 parameter_read(const char *name)
{
	char path[PATH_MAX];

	parameter_path(path, name);
	return attribute_read(path);
}

int parameter_write(const char *name, __u64 value)
{
	char path[PATH_MAX];

	parameter_path(path, name);
	return attribute_write(path, value);
}
