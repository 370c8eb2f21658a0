// SPDX-License-Identifier: MIT
/*
 * Blocks that leave their client while a TCP socket has them in its queue, sent with
 * MSG_ZEROCOPY: what arrives is what was in them, and nobody else has the memory before.
 */
#include "bystander.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#define LIMIT	(4 * MIB)
#define BLOCK	(256 * KIB)
#define ALL	((int)(LIMIT / BLOCK))
#define MINE	0x11
#define SENT	8		/* blocks: more than the other side's queue takes */

FIXTURE(io_socket)
{
	int from;
	int to;
	int fd;
	struct bystander other;
};

/* Two ends of a connection by way of the loopback device. */
static bool connect_both(int *from, int *to)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	/* less than a few pages would open the window again for seconds at a time only */
	int small = 8 * PAGE;
	socklen_t length = sizeof(address);
	bool done;

	*from = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	done = !setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) &&
	       !bind(listener, (struct sockaddr *)&address, length) && !listen(listener, 1) &&
	       !getsockname(listener, (struct sockaddr *)&address, &length) &&
	       !connect(*from, (struct sockaddr *)&address, length) &&
	       !setsockopt(*from, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));
	*to = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	return done && *to >= 0;
}

/* The size of the send queue's limit does not matter with this: it is more. */
static bool send_large(int fd)
{
	int large = 8 * MIB;

	return !setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof(large));
}

static bool has_loopback(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has = !bind(fd, (struct sockaddr *)&address, sizeof(address));

	close(fd);
	return has;
}

FIXTURE_SETUP(io_socket)
{
	if (system("ifconfig lo 127.0.0.1 up") || !has_loopback())
		SKIP_FIXTURE("there is no loopback device");
	ASSERT_EQ(0, limit_write(LIMIT));
	self->other.fd = pool_open();
	self->other.count = 0;
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_TRUE(connect_both(&self->from, &self->to));
	ASSERT_TRUE(send_large(self->from));
}

FIXTURE_TEARDOWN(io_socket)
{
	close(self->from);
	close(self->to);
	close(self->fd);
	bystander_ends(&self->other);
	parameters_restore();
}

/* Block @nr of those that are sent is full of a byte of its own. */
static int byte_of(int nr)
{
	return MINE + nr;
}

/* Bytes of one block that went into the socket's queue */
static size_t send_block(int fd, int to, int nr, struct bufpool_rent *rent)
{
	char *at = rent_io_mapped(fd, BLOCK, rent);
	ssize_t sent;

	if (!at)
		return 0;
	memset(at, byte_of(nr), BLOCK);
	sent = send(to, at, BLOCK, MSG_ZEROCOPY | MSG_DONTWAIT | MSG_NOSIGNAL);
	munmap(at, BLOCK);
	return sent > 0 ? sent : 0;
}

/* Send blocks, and give each up, until the queue has no room. Return: bytes in there */
static size_t send_and_give_up(int fd, int to)
{
	struct bufpool_rent rent;
	size_t sent, all = 0;
	int nr;

	for (nr = 0; nr < SENT; nr++) {
		sent = send_block(fd, to, nr, &rent);
		all += sent;
		if (give_up(fd, rent.handle))
			return 0;
		if (sent < BLOCK)
			break;
	}
	return all;
}

/* What comes is one block after the other, and nothing of the bystander's. */
static bool receive_all(int from, size_t bytes)
{
	static char buffer[64 * KIB];
	size_t done, left;
	ssize_t n;

	for (done = 0; done < bytes; done += n) {
		left = BLOCK - done % BLOCK;
		n = recv(from, buffer, left < sizeof(buffer) ? left : sizeof(buffer), 0);
		if (n <= 0 || !filled(buffer, byte_of(done / BLOCK), n))
			return false;
	}
	return true;
}

/* So much was sent, and then all that has it was lost. */
static void arrives_whole(struct __test_metadata *_metadata, struct _test_data_io_socket *self,
			  size_t bytes)
{
	ASSERT_LT(0, bytes);
	/* what the other side's queue has taken is no longer needed here */
	EXPECT_LT(0, stats_of(self->other.fd).quarantined);
	ASSERT_TRUE(bystander_takes_all(&self->other, BLOCK));
	EXPECT_GT(ALL, self->other.count);
	EXPECT_TRUE(receive_all(self->to, bytes));
	EXPECT_TRUE(BECOMES(!stats_of(self->other.fd).quarantined));
	EXPECT_TRUE(bystander_is_unhurt(&self->other));
	ASSERT_TRUE(bystander_takes_all(&self->other, BLOCK));
	EXPECT_EQ(ALL, self->other.count);
}

TEST_F(io_socket, revoked_while_it_is_sent)
{
	arrives_whole(_metadata, self, send_and_give_up(self->fd, self->from));
}

TEST_F(io_socket, client_is_closed)
{
	size_t sent = send_and_give_up(self->fd, self->from);

	EXPECT_EQ(0, close(self->fd));
	self->fd = -1;
	arrives_whole(_metadata, self, sent);
}

/* What a process that kills itself does before */
struct sender {
	int to;
	size_t sent;
};

static int send_and_hang(void *arg)
{
	struct sender *sender = arg;
	struct bufpool_rent rent;
	int fd = pool_open(), nr;
	size_t sent;

	CHECK(fd >= 0);
	for (nr = 0; nr < SENT; nr++) {
		sent = send_block(fd, sender->to, nr, &rent);
		sender->sent += sent;
		if (sent < BLOCK)
			break;
	}
	raise(SIGKILL);
	return 0;
}

/* The socket is its parent's too, and goes on. */
TEST_F(io_socket, process_is_killed)
{
	struct sender *sender = shared_alloc(sizeof(*sender));

	ASSERT_NE(NULL, sender);
	sender->to = self->from;
	EXPECT_EQ(-SIGKILL, in_child(send_and_hang, sender));
	arrives_whole(_metadata, self, sender->sent);
}

/* What was not acknowledged yet is lost with the connection, and the blocks are free. */
TEST_F(io_socket, connection_is_closed)
{
	EXPECT_LT(0, send_and_give_up(self->fd, self->from));
	EXPECT_LT(0, stats_of(self->fd).quarantined);
	EXPECT_EQ(0, close(self->to));
	EXPECT_EQ(0, close(self->from));
	self->from = -1;
	self->to = -1;
	EXPECT_TRUE(BECOMES(!stats_of(self->fd).quarantined));
	ASSERT_TRUE(bystander_takes_all(&self->other, BLOCK));
	EXPECT_EQ(ALL, self->other.count);
}

TEST_HARNESS_MAIN
