/* SPDX-License-Identifier: MIT */
/* The classes of blocks of one size and backing, as the module's files show them. */
#ifndef BUFPOOLCTL_CLASS_H
#define BUFPOOLCTL_CLASS_H

#include <stddef.h>
#include <linux/types.h>

struct class {
	char backing[32];	/* as their directories are called: "io"; or "slab" */
	__u64 block_size;
	__u64 slabs;
	__u64 idle_slabs;
	__u64 free;
	__u64 out;
	__u64 waiting;
};

/*
 * Sets @classes to all of them, for free(3): those of slabs first, and those of one backing by
 * block size. Return: how many.
 */
size_t class_read_all(struct class **classes);

#endif
