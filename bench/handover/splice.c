// SPDX-License-Identifier: MIT
/*
 * vmsplice(2): the pipe has references to the producer's pages, which must be left alone
 * until the consumer is done. There is no way to map what is in a pipe: to read it, the
 * consumer copies it. (splice(2) would only move it on, to a file or a socket.)
 */
#include <fcntl.h>
#include <sys/uio.h>

#include "buffers.h"
#include "pages.h"
#include "stream.h"
#include "transport.h"

#define PIPE_SIZE	1048576

static int ends[2];
static char *messages;

static bool begin(const struct load *load)
{
	messages = buffers_map(load, MAP_PRIVATE);
	MUST(!pipe2(ends, O_CLOEXEC));
	return fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE) > 0;
}

static void give(char *at, size_t size)
{
	struct iovec rest = { at, size };
	ssize_t n;

	while (rest.iov_len) {
		n = vmsplice(ends[1], &rest, 1, 0);
		MUST(n > 0);
		rest = (struct iovec){ (char *)rest.iov_base + n, rest.iov_len - n };
	}
}

static void produce(const struct load *load)
{
	unsigned int i;

	for (i = 0; i < load->count; i++) {
		pages_touch(messages + i * load->size, load->touched);
		give(messages + i * load->size, load->size);
	}
}

static void consume(const struct load *load)
{
	unsigned int i;

	for (i = 0; i < load->count; i++) {
		stream_read(ends[0], messages, load->size);
		MUST(pages_are_touched(messages, load->touched));
	}
}

static void end(const struct load *load)
{
	close(ends[0]);
	close(ends[1]);
	buffers_unmap(messages, load);
}

const struct transport transport_vmsplice = {
	.name = "vmsplice",
	.begin = begin,
	.produce = produce,
	.consume = consume,
	.end = end,
};
