// SPDX-License-Identifier: MIT
/*
 * A pipe and a Unix socket: the kernel copies the bytes in and out. The pipe is as large as
 * any user's may be.
 */
#include <fcntl.h>
#include <sys/socket.h>

#include "buffers.h"
#include "pages.h"
#include "stream.h"
#include "transport.h"

#define PIPE_SIZE	1048576

/* [0] is read from, [1] written to. */
static int ends[2];

/* The same address in both processes, and memory of its own in each */
static char *message;

static const struct load *one_of(const struct load *load)
{
	static struct load one;

	one = (struct load){ load->size, load->touched, 1 };
	return &one;
}

static bool begin_pipe(const struct load *load)
{
	message = buffers_map(one_of(load), MAP_PRIVATE);
	MUST(!pipe2(ends, O_CLOEXEC));
	return fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE) > 0;
}

static bool begin_socket(const struct load *load)
{
	message = buffers_map(one_of(load), MAP_PRIVATE);
	return !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
}

static void produce(const struct load *load)
{
	unsigned int i;

	for (i = 0; i < load->count; i++) {
		pages_touch(message, load->touched);
		stream_write(ends[1], message, load->size);
	}
}

static void consume(const struct load *load)
{
	unsigned int i;

	for (i = 0; i < load->count; i++) {
		stream_read(ends[0], message, load->size);
		MUST(pages_are_touched(message, load->touched));
	}
}

static void end(const struct load *load)
{
	close(ends[0]);
	close(ends[1]);
	buffers_unmap(message, one_of(load));
}

const struct transport transport_pipe = {
	.name = "pipe",
	.begin = begin_pipe,
	.produce = produce,
	.consume = consume,
	.end = end,
};

const struct transport transport_socket = {
	.name = "socket",
	.begin = begin_socket,
	.produce = produce,
	.consume = consume,
	.end = end,
};
