// SPDX-License-Identifier: MIT
/*
 * copy_uring - copy a file past the page cache by io_uring, with several rented blocks in
 * flight
 *
 *   cc -o copy_uring copy_uring.c $(pkg-config --cflags --libs libbufpool liburing)
 *   ./copy_uring FROM TO
 *
 * The blocks are registered with the ring where the kernel does that for memory that is
 * mapped from a file (Linux 6.5): it looks their pages up once, and not for each transfer.
 */
#define _GNU_SOURCE
#include <bufpool.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#define CHUNK	(256 << 10)
#define DEPTH	8
/* Direct writes are of whole sectors; no device has larger ones. */
#define SECTOR	4096

/* One block, and what becomes of it: read, then written, then read again */
struct transfer {
	char *block;
	off_t at;
	size_t length;
	bool writes;
};

struct copy {
	struct io_uring ring;
	struct transfer transfers[DEPTH];
	int from;
	int to;
	off_t size;
	off_t next;		/* from here on nobody reads yet */
	bool registered;
};

static void register_blocks(struct copy *copy)
{
	struct iovec vectors[DEPTH];
	int i, ret;

	for (i = 0; i < DEPTH; i++)
		vectors[i] = (struct iovec){ copy->transfers[i].block, CHUNK };
	ret = io_uring_register_buffers(&copy->ring, vectors, DEPTH);
	copy->registered = !ret;
	fprintf(stderr, "copy_uring: blocks are %sregistered%s%s\n", ret ? "not " : "",
		ret ? ": " : "", ret ? strerror(-ret) : "");
}

static void submit_read(struct copy *copy, struct transfer *move)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&copy->ring);

	if (copy->registered)
		io_uring_prep_read_fixed(sqe, copy->from, move->block, CHUNK, move->at,
					 move - copy->transfers);
	else
		io_uring_prep_read(sqe, copy->from, move->block, CHUNK, move->at);
	io_uring_sqe_set_data(sqe, move);
}

static void submit_write(struct copy *copy, struct transfer *move)
{
	size_t whole = (move->length + SECTOR - 1) / SECTOR * SECTOR;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&copy->ring);

	if (copy->registered)
		io_uring_prep_write_fixed(sqe, copy->to, move->block, whole, move->at,
					  move - copy->transfers);
	else
		io_uring_prep_write(sqe, copy->to, move->block, whole, move->at);
	io_uring_sqe_set_data(sqe, move);
}

/* Whether there was anything left to read */
static bool begin_read(struct copy *copy, struct transfer *move)
{
	off_t left = copy->size - copy->next;

	if (left <= 0)
		return false;
	move->writes = false;
	move->at = copy->next;
	move->length = left < CHUNK ? left : CHUNK;
	copy->next += move->length;
	submit_read(copy, move);
	return true;
}

/* Whether the block goes on */
static bool go_on(struct copy *copy, struct transfer *move, int result)
{
	if (result < 0)
		errx(1, "%s: %s", move->writes ? "write" : "read", strerror(-result));
	if ((size_t)result < move->length)
		errx(1, "a short %s", move->writes ? "write" : "read");
	if (move->writes)
		return begin_read(copy, move);
	move->writes = true;
	submit_write(copy, move);
	return true;
}

static void copy_all(struct copy *copy)
{
	struct io_uring_cqe *cqe;
	int in_flight = 0, i;

	for (i = 0; i < DEPTH; i++)
		in_flight += begin_read(copy, &copy->transfers[i]);
	while (in_flight) {
		if (io_uring_submit_and_wait(&copy->ring, 1) < 0 ||
		    io_uring_peek_cqe(&copy->ring, &cqe))
			err(1, "io_uring");
		in_flight -= !go_on(copy, io_uring_cqe_get_data(cqe), cqe->res);
		io_uring_cqe_seen(&copy->ring, cqe);
	}
}

static void open_files(struct copy *copy, char **argv)
{
	struct stat stat;

	copy->from = open(argv[1], O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (copy->from < 0 || fstat(copy->from, &stat))
		err(1, "%s", argv[1]);
	copy->size = stat.st_size;
	copy->to = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0644);
	if (copy->to < 0)
		err(1, "%s", argv[2]);
}

int main(int argc, char **argv)
{
	struct copy copy = { .next = 0 };
	struct bufpool *pool;
	int ret, i;

	if (argc != 3)
		errx(2, "usage: copy_uring FROM TO");
	open_files(&copy, argv);
	pool = bufpool_open(NULL, 0);
	if (!pool)
		errx(1, "open: %s", bufpool_strerror(errno));
	for (i = 0; i < DEPTH; i++) {
		copy.transfers[i].block = bufpool_rent(pool, CHUNK, BUFPOOL_RENT_IO);
		if (!copy.transfers[i].block)
			errx(1, "rent: %s", bufpool_strerror(errno));
	}
	ret = io_uring_queue_init(DEPTH, &copy.ring, 0);
	if (ret)
		errx(1, "io_uring: %s", strerror(-ret));
	register_blocks(&copy);
	copy_all(&copy);
	if (ftruncate(copy.to, copy.size) || fsync(copy.to))
		err(1, "%s", argv[2]);
	/* Only now has the ring let go of them. */
	io_uring_queue_exit(&copy.ring);
	for (i = 0; i < DEPTH; i++)
		bufpool_return(pool, copy.transfers[i].block, 0);
	return bufpool_close(pool) ? 1 : 0;
}
