/* SPDX-License-Identifier: MIT */
/*
 * Something outside the pool that has references to a block's pages: a pipe.
 */
#ifndef OUTSIDE_H
#define OUTSIDE_H

#include "bufpool_test.h"

#include <sys/uio.h>

/**
 * struct outsider - a pipe with pages in it
 * @ends: of the pipe
 * @bytes: in it
 */
struct outsider {
	int ends[2];
	size_t bytes;
};

/* Have a pipe refer to memory, without a copy. Return: 0 or -errno. */
static inline int outsider_take(struct outsider *outsider, void *at, size_t bytes)
{
	struct iovec vec = { .iov_base = at, .iov_len = bytes };
	ssize_t done;

	outsider->bytes = bytes;
	if (pipe2(outsider->ends, O_CLOEXEC) ||
	    fcntl(outsider->ends[1], F_SETPIPE_SZ, bytes) < 0)
		return -errno;
	done = vmsplice(outsider->ends[1], &vec, 1, 0);
	return done == (ssize_t)bytes ? 0 : done < 0 ? -errno : -EIO;
}

/* All the pipe's bytes, which are gone from it by that, are this. */
static inline bool outsider_has(struct outsider *outsider, int byte)
{
	char buffer[4096];
	bool same = true;

	while (outsider->bytes) {
		ssize_t done = read(outsider->ends[0], buffer, sizeof(buffer));

		if (done <= 0)
			return false;
		same = same && filled(buffer, byte, done);
		outsider->bytes -= done;
	}
	return same;
}

static inline void outsider_end(struct outsider *outsider)
{
	close(outsider->ends[0]);
	close(outsider->ends[1]);
}

/* Rent a block for I/O; never waits. */
static inline int rent_io(int fd, __u64 min_size, struct bufpool_rent *rented)
{
	return rent_with(fd, min_size, BUFPOOL_RENT_IO | BUFPOOL_RENT_NONBLOCK, 0, rented);
}

/* The same, and map it; NULL when either fails. */
static inline char *rent_io_mapped(int fd, __u64 min_size, struct bufpool_rent *rented)
{
	void *at;

	if (rent_io(fd, min_size, rented))
		return NULL;
	at = map_block(fd, rented);
	return at == MAP_FAILED ? NULL : at;
}

/* A block that is full of a byte, and that a pipe has. Return: where, or NULL. */
static inline char *rent_shared(int fd, __u64 size, int byte, struct bufpool_rent *rented,
				struct outsider *outsider)
{
	char *at = rent_io_mapped(fd, size, rented);

	if (!at)
		return NULL;
	memset(at, byte, rented->length);
	return outsider_take(outsider, at, rented->length) ? NULL : at;
}

#endif /* OUTSIDE_H */
