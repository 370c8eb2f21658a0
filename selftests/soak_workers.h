/* SPDX-License-Identifier: MIT */
/*
 * Workers of the soak: each goes on with one thing until it is killed, and ends by itself
 * only where something is wrong.
 */
#ifndef SOAK_WORKERS_H
#define SOAK_WORKERS_H

#include "soak.h"
#include "outside.h"

#include <poll.h>

#define HELD	6

struct piece {
	struct bufpool_rent rent;
	void *at;
	__u64 stamp;
};

/* A client of this worker's user, who may have too many of those that were killed just now */
static int soak_open(void)
{
	int fd;

	do {
		fd = pool_open();
	} while (fd == -EDQUOT);
	CHECK(fd >= 0);
	return fd;
}

/* A flag, or none */
static __u32 either(__u64 *random, __u32 flag)
{
	return next_random(random) % 2 ? flag : 0;
}

static __u64 next_stamp(__u64 *random)
{
	return next_random(random) << 24;
}

/* Rent, map, and write to; or have nothing. */
static bool piece_begin(int fd, struct piece *piece, __u32 flags, __u64 *random)
{
	int ret = rent_with(fd, soak_size(random), flags, 5 * NSEC_PER_MSEC, &piece->rent);

	CHECK(!ret || is_short(ret));
	if (ret)
		return false;
	piece->at = map_block(fd, &piece->rent);
	CHECK(piece->at != MAP_FAILED || errno == ENOMEM);
	if (piece->at == MAP_FAILED) {
		CHECK(!give(fd, piece->rent.handle));
		return false;
	}
	if (flags & BUFPOOL_RENT_ZERO)
		CHECK(filled(piece->at, 0, piece->rent.length));
	piece->stamp = next_stamp(random);
	stamp_block(piece->at, piece->rent.length, piece->stamp);
	return true;
}

static void piece_end(int fd, struct piece *piece, __u32 flags)
{
	CHECK(has_stamp(piece->at, piece->rent.length, piece->stamp));
	CHECK(!give_with(fd, piece->rent.handle, flags));
	CHECK(!munmap(piece->at, piece->rent.length));
	piece->at = NULL;
}

/* Blocks of all sizes and kinds, a few at a time */
static void rent_and_return(struct soak *soak, __u64 *random)
{
	static const __u32 kinds[] = {
		0, BUFPOOL_RENT_NONBLOCK, BUFPOOL_RENT_ZERO, BUFPOOL_RENT_IO,
	};
	static const __u32 ends[] = { 0, 0, BUFPOOL_RETURN_CLEAR, BUFPOOL_RETURN_REVOKE };
	struct piece pieces[HELD] = { 0 };
	int fd = soak_open();

	for (;; soak_count(soak)) {
		struct piece *piece = &pieces[next_random(random) % HELD];

		if (piece->at)
			piece_end(fd, piece, ends[next_random(random) % ARRAY_SIZE(ends)]);
		else
			piece_begin(fd, piece, kinds[next_random(random) % ARRAY_SIZE(kinds)],
				    random);
	}
}

/* The same by the library, which keeps blocks */
static void use_the_library(struct soak *soak, __u64 *random)
{
	struct bufpool *pool = bufpool_open(NULL, 0);
	void *blocks[HELD] = { NULL };
	__u64 stamps[HELD];

	CHECK(pool || is_short(-errno));
	if (!pool)
		return;
	for (;; soak_count(soak)) {
		unsigned int nr = next_random(random) % HELD;

		if (blocks[nr]) {
			CHECK(has_stamp(blocks[nr], bufpool_block_size(pool, blocks[nr]),
					stamps[nr]));
			CHECK(!bufpool_return(pool, blocks[nr], 0));
			blocks[nr] = NULL;
			continue;
		}
		blocks[nr] = bufpool_rent_timed(pool, soak_size(random), 0, 5 * NSEC_PER_MSEC);
		CHECK(blocks[nr] || is_short(-errno));
		if (!blocks[nr])
			continue;
		stamps[nr] = next_stamp(random);
		stamp_block(blocks[nr], bufpool_block_size(pool, blocks[nr]), stamps[nr]);
	}
}

/* Messages that say by their tag what is in their block */
static void send_blocks(struct soak *soak, __u64 *random)
{
	int fd = soak_open();
	struct piece piece;

	for (;; soak_count(soak)) {
		struct bufpool_message message;
		int ret;

		if (!piece_begin(fd, &piece, either(random, BUFPOOL_RENT_IO), random))
			continue;
		message = (struct bufpool_message){
			.handle = piece.rent.handle,
			.used = piece.rent.length,
			.tag = piece.stamp,
		};
		do {
			ret = send_timed(fd, soak->channel.sends, &message, 1, 0, NSEC_PER_MSEC);
			/* who looks at all memory refers to it for a moment */
		} while (ret == -ETIMEDOUT || ret == -EINTR || ret == -EBUSY);
		CHECK(ret == 1);
		CHECK(!munmap(piece.at, piece.rent.length));
	}
}

static void receive_blocks(struct soak *soak, __u64 *random)
{
	int fd = soak_open();

	for (;; soak_count(soak)) {
		struct bufpool_message message;
		struct piece piece;
		int ret = receive_timed(fd, soak->channel.receives, &message, 1,
					either(random, BUFPOOL_RECEIVE_MAP),
					5 * NSEC_PER_MSEC);

		CHECK(ret == 1 || is_short(ret));
		if (ret != 1)
			continue;
		piece.rent = rented_by(&message);
		piece.stamp = message.tag;
		piece.at = map_block(fd, &piece.rent);
		CHECK(piece.at != MAP_FAILED);
		piece_end(fd, &piece, 0);
	}
}

/* A pipe has the pages while others rent */
static void lend_to_a_pipe(struct soak *soak, __u64 *random)
{
	int fd = soak_open();

	for (;; soak_count(soak)) {
		int byte = next_random(random) % 255 + 1;
		struct bufpool_rent rented;
		struct outsider outsider;
		char *at;

		at = rent_io_mapped(fd, 4 * PAGE, &rented);
		if (!at)
			continue;
		memset(at, byte, 4 * PAGE);
		CHECK(!outsider_take(&outsider, at, 4 * PAGE));
		CHECK(!give_with(fd, rented.handle, either(random, BUFPOOL_RETURN_REVOKE)));
		CHECK(!munmap(at, rented.length));
		usleep(next_random(random) % 2000);
		CHECK(outsider_has(&outsider, byte));
		outsider_end(&outsider);
	}
}

/* A dma-buf has a block that its client has returned */
static void export_blocks(struct soak *soak, __u64 *random)
{
	int fd = soak_open();
	struct piece piece;

	for (;; soak_count(soak)) {
		int dmabuf;
		void *at;

		if (!piece_begin(fd, &piece, either(random, BUFPOOL_RENT_IO), random))
			continue;
		dmabuf = export_block(fd, piece.rent.handle);
		CHECK(dmabuf >= 0 || dmabuf == -ENOMEM || dmabuf == -EOPNOTSUPP);
		piece_end(fd, &piece, 0);
		if (dmabuf < 0)
			continue;
		usleep(next_random(random) % 2000);
		at = mmap(NULL, piece.rent.length, PROT_READ, MAP_SHARED, dmabuf, 0);
		CHECK(at != MAP_FAILED);
		CHECK(has_stamp(at, piece.rent.length, piece.stamp));
		CHECK(!munmap(at, piece.rent.length));
		close(dmabuf);
	}
}

/* Waits of all kinds, which end in all ways */
static void wait_and_cancel(struct soak *soak, __u64 *random)
{
	int fd = soak_open();

	for (;; soak_count(soak)) {
		struct pollfd poller = { .events = POLLIN };
		struct bufpool_rent rented;
		int ret;

		poller.fd = poller_of(fd, soak_size(random));
		CHECK(poller.fd >= 0 || is_short(poller.fd));
		if (poller.fd >= 0) {
			CHECK(poll(&poller, 1, next_random(random) % 5) >= 0);
			close(poller.fd);
		}
		CHECK(!cancel(fd, either(random, BUFPOOL_CANCEL_OFF)));
		ret = rent_with(fd, soak_largest, 0, next_random(random) % 5 * NSEC_PER_MSEC + 1,
				&rented);
		CHECK(!ret || is_short(ret));
		if (!ret)
			CHECK(!give(fd, rented.handle));
	}
}

static soak_fn *const soak_workers[] = {
	rent_and_return, use_the_library, send_blocks, receive_blocks, lend_to_a_pipe,
	export_blocks, wait_and_cancel,
};

#endif /* SOAK_WORKERS_H */
