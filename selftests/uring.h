/* SPDX-License-Identifier: MIT */
/*
 * As much of io_uring as the tests use, without its library.
 */
#ifndef URING_H
#define URING_H

#include "bufpool_test.h"

#include <sys/uio.h>
#include <linux/io_uring.h>

#define URING_ENTRIES	8

struct uring {
	int fd;
	struct io_uring_params params;
	char *rings;
	struct io_uring_sqe *sqes;
};

static inline unsigned int *uring_word(const struct uring *ring, __u32 offset)
{
	return (unsigned int *)(ring->rings + offset);
}

/* 0, or -errno */
static inline int uring_make(struct uring *ring)
{
	struct io_uring_params *params = &ring->params;
	size_t submission, completion;

	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(SYS_io_uring_setup, URING_ENTRIES, params);
	if (ring->fd < 0)
		return -errno;
	submission = params->sq_off.array + params->sq_entries * sizeof(__u32);
	completion = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
	ring->rings = mmap(NULL, submission > completion ? submission : completion,
			   PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
	ring->sqes = mmap(NULL, params->sq_entries * sizeof(struct io_uring_sqe),
			  PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQES);
	return ring->rings == MAP_FAILED || ring->sqes == MAP_FAILED ? -ENOMEM : 0;
}

/*
 * Start a transfer at the file's beginning, of a buffer that was registered as @buf_index
 * where @opcode is one for such.
 */
static inline int uring_start(struct uring *ring, __u8 opcode, int fd, void *at, size_t length,
			      __u16 buf_index)
{
	unsigned int *tail = uring_word(ring, ring->params.sq_off.tail);
	unsigned int slot = *tail & (ring->params.sq_entries - 1);
	struct io_uring_sqe *sqe = &ring->sqes[slot];

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->flags = IOSQE_ASYNC;
	sqe->fd = fd;
	sqe->addr = (uintptr_t)at;
	sqe->len = length;
	sqe->buf_index = buf_index;
	uring_word(ring, ring->params.sq_off.array)[slot] = slot;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	return syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0) == 1 ? 0 : -errno;
}

/* Wait for one, and what became of it */
static inline int uring_wait(struct uring *ring)
{
	unsigned int *head = uring_word(ring, ring->params.cq_off.head);
	unsigned int *tail = uring_word(ring, ring->params.cq_off.tail);
	struct io_uring_cqe *cqes = (void *)(ring->rings + ring->params.cq_off.cqes);
	int result;

	while (__atomic_load_n(tail, __ATOMIC_ACQUIRE) == *head) {
		if (syscall(SYS_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL,
			    0) < 0 && errno != EINTR)
			return -errno;
	}
	result = cqes[*head & (ring->params.cq_entries - 1)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return result;
}

static inline int uring_register(struct uring *ring, void *at, size_t length)
{
	struct iovec vector = { at, length };

	return syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_BUFFERS, &vector, 1) ?
	       -errno : 0;
}

static inline int uring_unregister(struct uring *ring)
{
	return syscall(SYS_io_uring_register, ring->fd, IORING_UNREGISTER_BUFFERS, NULL, 0) ?
	       -errno : 0;
}

#endif /* URING_H */
