// SPDX-License-Identifier: MIT
/*
 * serve_zerocopy - send a file to whoever connects, without copying it into the socket
 *
 *   cc -o serve_zerocopy serve_zerocopy.c $(pkg-config --cflags --libs libbufpool)
 *   ./serve_zerocopy PORT FILE [CONNECTIONS] &
 *   nc localhost PORT >copy
 *
 * With MSG_ZEROCOPY the socket keeps the block's pages until the other side has
 * acknowledged what is in them. A program with memory of its own must leave it alone until
 * the kernel says so. A block is returned at once: the pool gives it to nobody while the
 * socket has it, and this program cannot write in it any more.
 */
#include <bufpool.h>
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/socket.h>

#define CHUNK	(256 << 10)

static int listen_on(int port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 8))
		err(1, "port %d", port);
	return fd;
}

/* What the kernel says of pages that the socket is done with is of no interest here. */
static void forget_notices(int to)
{
	char control[256];
	struct msghdr message = { .msg_control = control, .msg_controllen = sizeof(control) };

	while (recvmsg(to, &message, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0)
		message.msg_controllen = sizeof(control);
}

/* ENOBUFS: the socket remembers as much as it may of what is on its way. */
static void send_block(int to, const char *block, size_t length)
{
	struct pollfd poller = { .fd = to };
	size_t done = 0;
	ssize_t n;

	while (done < length) {
		n = send(to, block + done, length - done, MSG_ZEROCOPY | MSG_NOSIGNAL);
		forget_notices(to);
		if (n > 0)
			done += n;
		else if (errno == ENOBUFS)
			poll(&poller, 1, 100);
		else
			err(1, "send");
	}
}

static void serve(struct bufpool *pool, int from, int to)
{
	off_t at = 0;
	char *block;
	ssize_t n;

	do {
		block = bufpool_rent(pool, CHUNK, BUFPOOL_RENT_IO);
		if (!block)
			errx(1, "rent: %s", bufpool_strerror(errno));
		n = pread(from, block, CHUNK, at);
		if (n < 0)
			err(1, "read");
		send_block(to, block, n);
		if (bufpool_return(pool, block, BUFPOOL_RETURN_REVOKE))
			errx(1, "a block was not taken back");
		at += n;
	} while (n);
}

int main(int argc, char **argv)
{
	int listener, from, to, one = 1, left = argc > 3 ? atoi(argv[3]) : INT_MAX;
	struct bufpool *pool;

	if (argc < 3)
		errx(2, "usage: serve_zerocopy PORT FILE [CONNECTIONS]");
	from = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (from < 0)
		err(1, "%s", argv[2]);
	pool = bufpool_open(NULL, 0);
	if (!pool)
		errx(1, "open: %s", bufpool_strerror(errno));
	listener = listen_on(atoi(argv[1]));
	while (left--) {
		to = accept(listener, NULL, NULL);
		if (to < 0 || setsockopt(to, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
			err(1, "accept");
		serve(pool, from, to);
		close(to);
	}
	return bufpool_close(pool) ? 1 : 0;
}
