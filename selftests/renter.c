// SPDX-License-Identifier: MIT
/*
 * What module.sh and bufpoolctl.sh need a program for.
 *
 * usage: renter rent BYTES...   rent, fill, look at and return each
 *        renter file            open the device, say so, wait for a signal
 *        renter mapping         rent and map a block, close the descriptor, say
 *                               so, wait for a signal
 *        renter pipe BYTES      rent a block for I/O, and have the output, which is a
 *                               pipe, refer to its memory
 *        renter channel CAPACITY SENT RECEIVED BYTES ENDS
 *                               make a channel, send so many blocks, receive so many, close
 *                               the end that has a dash in ENDS (rs, r- or -s), say
 *                               so, wait for a signal
 */
#include "channel.h"
#include "outside.h"

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

static int leave_in_pipe(const char *size)
{
	struct bufpool_rent rented;
	struct iovec vec;

	vec.iov_base = rent_io_mapped(pool_open(), strtoull(size, NULL, 0), &rented);
	CHECK(vec.iov_base);
	vec.iov_len = rented.length;
	memset(vec.iov_base, 0xff, rented.length);
	CHECK(vmsplice(STDOUT_FILENO, &vec, 1, 0) == (ssize_t)rented.length);
	return 0;
}

static void send_each(int fd, int end, unsigned int count, __u64 bytes)
{
	struct bufpool_rent rented;

	while (count--) {
		CHECK(!rent(fd, bytes, &rented));
		CHECK(!send_one(fd, end, &rented, 0));
	}
}

static void receive_each(int fd, int end, unsigned int count)
{
	struct bufpool_message message;

	while (count--)
		CHECK(!receive_one(fd, end, &message));
}

static int keep_channel(char **argv)
{
	const char *ends = argv[4];
	struct channel channel;
	int fd = pool_open();

	CHECK(fd >= 0);
	CHECK(!channel_make(fd, atoi(argv[0]), &channel));
	send_each(fd, channel.sends, atoi(argv[1]), strtoull(argv[3], NULL, 0));
	receive_each(fd, channel.receives, atoi(argv[2]));
	if (ends[0] == '-')
		close_end(&channel.receives);
	if (ends[1] == '-')
		close_end(&channel.sends);
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
	if (argc == 3 && !strcmp(argv[1], "pipe"))
		return leave_in_pipe(argv[2]);
	if (argc == 7 && !strcmp(argv[1], "channel"))
		return keep_channel(argv + 2);
	fprintf(stderr, "usage: %s rent BYTES... | file | mapping | pipe BYTES\n", argv[0]);
	fputs("       or channel CAPACITY SENT RECEIVED BYTES ENDS\n", stderr);
	return 2;
}
