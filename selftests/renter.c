// SPDX-License-Identifier: MIT
/*
 * What module.sh needs a program for.
 *
 * usage: renter rent BYTES...   rent, fill, look at and return each
 *        renter file            open the device, say so, wait for a signal
 *        renter mapping         rent and map a block, close the descriptor, say
 *                               so, wait for a signal
 */
#include "bufpool_test.h"

static int rent_each(char **sizes)
{
	int fd = pool_open();

	CHECK(fd >= 0);
	for (; *sizes; sizes++) {
		struct bufpool_rent rented;
		char *at = rent_mapped(fd, strtoull(*sizes, NULL, 0), &rented);

		CHECK(at);
		CHECK(filled(at, 0, rented.length));
		memset(at, 0xff, rented.length);
		CHECK(filled(at, 0xff, rented.length));
		CHECK(!give_up(fd, rented.handle));
		CHECK(touch(at) == SIGBUS);
		munmap(at, rented.length);
	}
	return 0;
}

static int hold(bool mapping)
{
	struct bufpool_rent rented;
	int fd = pool_open();
	char *at;

	CHECK(fd >= 0);
	if (mapping) {
		at = rent_mapped(fd, 64 * KIB, &rented);
		CHECK(at);
		memset(at, 0xff, rented.length);
		CHECK(!close(fd));
	}
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "rent"))
		return rent_each(argv + 2);
	if (argc == 2 && !strcmp(argv[1], "file"))
		return hold(false);
	if (argc == 2 && !strcmp(argv[1], "mapping"))
		return hold(true);
	fprintf(stderr, "usage: %s rent BYTES... | file | mapping\n", argv[0]);
	return 2;
}
