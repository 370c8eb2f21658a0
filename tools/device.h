/* SPDX-License-Identifier: MIT */
/*
 * The module as programs meet it: the device and the files in /sys.
 *
 * Where the module, the device or a file is missing or may not be used, the program
 * ends with a message that says what to do.
 */
#ifndef BUFPOOLCTL_DEVICE_H
#define BUFPOOLCTL_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/bufpool.h>

int device_open(void);
void device_info(int fd, struct bufpool_info *info);
/* The class with number @nr, of a module that has told @info. */
void device_class(int fd, const struct bufpool_info *info, __u32 nr,
		  struct bufpool_class_info *class);
/*
 * The pool's numbers, without the client that @fd itself is. Those of channels are all ones
 * where the module is too old to have them.
 */
void device_stats(int fd, struct bufpool_stats *stats);
/*
 * What is set for user @uid; with BUFPOOL_QUOTA_SET in @flags, set @bytes before. Return: 0 or
 * -EINVAL, where the module does not accept that.
 */
int device_quota(int fd, __u32 flags, __u32 uid, __u64 *bytes);
/* Bytes that the client @fd gave to the pool. */
__u64 device_trim(int fd, __u64 min_size);
/*
 * Rent up to @count blocks into @blocks, with BUFPOOL_RENT_IO or nothing in @flags;
 * @timeout_ms of 0 is not to wait, and UINT64_MAX for ever. Return: how many, at least 1,
 * or -errno.
 */
int device_rent(int fd, __u32 flags, __u64 size, __u32 count, __u64 timeout_ms,
		struct bufpool_block *blocks);

__u64 attribute_read(const char *path);
/* Return: 0 or -EINVAL, where the module does not accept the value. */
int attribute_write(const char *path, __u64 value);

__u64 parameter_read(const char *name);
int parameter_write(const char *name, __u64 value);

#endif
