/* SPDX-License-Identifier: MIT */
/*
 * A file that is known by more than its descriptor
 *
 * A program may close descriptors that are not its own, and others get their numbers: so
 * whatever would change another's file asks first.
 */
#ifndef BUFPOOL_FILE_H
#define BUFPOOL_FILE_H

#include <stdbool.h>
#include <sys/types.h>

struct bufpool_file {
	int fd;			/* or -errno: there is none */
	dev_t device;
	ino_t inode;
};

/* 0 or -errno, as where @fd is not open */
int bufpool_file_init(struct bufpool_file *file, int fd);

/* Whether the descriptor still is this file's, or another's of the same device node. */
bool bufpool_file_is_open(const struct bufpool_file *file);

/* Closes the descriptor, if it still is this file's. */
void bufpool_file_close(const struct bufpool_file *file);

#endif /* BUFPOOL_FILE_H */
