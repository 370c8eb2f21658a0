// SPDX-License-Identifier: MIT
/*
 * Frames of video, one after another: each in a block that is rented for it, filled, written
 * to a file past the page cache, and returned.
 *
 * usage: frames FILE COUNT
 */
#include "bufpool_test.h"

#define FRAME		(3840UL * 2160 * 4)	/* bytes */
#define LOOKS		16			/* one in so many is read back */

/* Another one for each frame, and in each line of it. */
static void fill(__u64 *words, unsigned int nr)
{
	size_t i;

	for (i = 0; i < FRAME / sizeof(*words); i++)
		words[i] = (__u64)nr << 32 | i;
}

static bool is_filled(const __u64 *words, unsigned int nr)
{
	size_t i;

	for (i = 0; i < FRAME / sizeof(*words); i++)
		if (words[i] != ((__u64)nr << 32 | i))
			return false;
	return true;
}

static char *rent_frame(int pool, struct bufpool_rent *rented)
{
	char *at;

	CHECK(!rent_with(pool, FRAME, BUFPOOL_RENT_IO, 0, rented));
	at = map_block(pool, rented);
	CHECK(at != MAP_FAILED);
	return at;
}

static void return_frame(int pool, const struct bufpool_rent *rented, char *at)
{
	munmap(at, rented->length);
	CHECK(!give(pool, rented->handle));
}

static void write_frame(int pool, int file, unsigned int nr)
{
	struct bufpool_rent rented;
	char *at = rent_frame(pool, &rented);

	fill((__u64 *)at, nr);
	CHECK(pwrite(file, at, FRAME, 0) == (ssize_t)FRAME);
	return_frame(pool, &rented, at);
}

static void read_back(int pool, int file, unsigned int nr)
{
	struct bufpool_rent rented;
	char *at = rent_frame(pool, &rented);

	CHECK(pread(file, at, FRAME, 0) == (ssize_t)FRAME);
	CHECK(is_filled((__u64 *)at, nr));
	return_frame(pool, &rented, at);
}

int main(int argc, char **argv)
{
	unsigned int count = argc == 3 ? atoi(argv[2]) : 0, nr;
	int pool = pool_open(), file;

	if (!count) {
		fprintf(stderr, "usage: frames FILE COUNT\n");
		return 2;
	}
	CHECK(pool >= 0);
	file = open(argv[1], O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
	CHECK(file >= 0);
	for (nr = 0; nr < count; nr++) {
		write_frame(pool, file, nr);
		if (nr % LOOKS == 0 || nr == count - 1)
			read_back(pool, file, nr);
	}
	printf("%u frames of %lu bytes\n", count, FRAME);
	return 0;
}
