// SPDX-License-Identifier: MIT
/*
 * Waiting at the ends of a channel: who is woken by what, and what interrupts it.
 */
#include "channel.h"
#include "line.h"
#include "message.h"
#include "random.h"
#include "stranger.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define CAPACITY	4
#define MANY		1000

/* A process that sends or receives one message, and what became of that */
struct transfer {
	int fd;			/* of the client, or -1: it opens one itself */
	int end;
	bool sends;
	bool restarts;		/* and handles SIGUSR1 */
	__u64 tag;
	__s64 timeout_ns;
	pid_t pid;
	int answer;
	__u64 deadline;
};

FIXTURE(ends)
{
	int fd;
	struct channel channel;
	struct bufpool_message message;
	struct transfer *transfers;
};

FIXTURE_SETUP(ends)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, channel_make(self->fd, CAPACITY, &self->channel));
	self->transfers = shared_alloc(MANY * sizeof(*self->transfers));
	ASSERT_NE(NULL, self->transfers);
}

FIXTURE_TEARDOWN(ends)
{
	channel_end(&self->channel);
	close(self->fd);
}

static void note_signal(int sig)
{
	(void)sig;
}

static int transfer(void *arg)
{
	struct transfer *transfer = arg;
	struct sigaction action = { .sa_handler = note_signal };
	struct bufpool_message message = { .tag = transfer->tag };
	/* both calls have the same layout */
	struct bufpool_send call = {
		.size = sizeof(call),
		.fd = transfer->end,
		.count = 1,
		.messages = (uintptr_t)&message,
		.timeout_ns = transfer->timeout_ns,
	};
	struct bufpool_rent rented;
	int fd = transfer->fd < 0 ? pool_open() : transfer->fd;

	if (transfer->restarts)
		action.sa_flags = SA_RESTART;
	CHECK(!sigaction(SIGUSR1, &action, NULL));
	CHECK(fd >= 0);
	if (transfer->sends) {
		CHECK(!rent(fd, PAGE, &rented));
		message.handle = rented.handle;
	}
	transfer->answer = pool_ioctl(fd, transfer->sends ? BUFPOOL_IOC_SEND :
				      BUFPOOL_IOC_RECEIVE, &call);
	transfer->deadline = call.deadline_ns;
	transfer->tag = message.tag;
	return 0;
}

/* Let a process wait that has one end only. */
static bool let_wait(struct transfer *arg, const struct channel *channel, bool sends)
{
	arg->sends = sends;
	arg->end = sends ? channel->sends : channel->receives;
	arg->answer = INT_MIN;
	if (!arg->fd)
		arg->fd = -1;
	arg->pid = spawn(transfer, arg);
	return task_sleeps(arg->pid, arg->pid);
}

/* Send some messages, which are the channel's then. */
static int fill(int fd, const struct channel *channel, unsigned int count)
{
	struct bufpool_rent rented;
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < count; i++) {
		ret = rent(fd, PAGE, &rented);
		ret = ret ? ret : send_one(fd, channel->sends, &rented, i);
	}
	return ret;
}

TEST_F(ends, receivers_wait_for_messages)
{
	int i, answers = 0;

	for (i = 0; i < 3; i++)
		ASSERT_TRUE(let_wait(&self->transfers[i], &self->channel, false));
	EXPECT_EQ(0, fill(self->fd, &self->channel, 3));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, reap(self->transfers[i].pid));
		EXPECT_EQ(1, self->transfers[i].answer);
		answers |= 1 << self->transfers[i].tag;
	}
	EXPECT_EQ(7, answers);
}

/* One message wakes one. */
TEST_F(ends, senders_wait_for_room)
{
	int i;

	ASSERT_EQ(0, fill(self->fd, &self->channel, CAPACITY));
	for (i = 0; i < 3; i++) {
		self->transfers[i].tag = 100 + i;
		ASSERT_TRUE(let_wait(&self->transfers[i], &self->channel, true));
	}
	for (i = 0; i < CAPACITY + 3; i++) {
		ASSERT_EQ(1, receive_many(self->fd, self->channel.receives, &self->message, 1));
		EXPECT_TRUE(i < CAPACITY ? self->message.tag == (unsigned int)i :
					   self->message.tag >= 100);
	}
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, reap(self->transfers[i].pid));
		EXPECT_EQ(1, self->transfers[i].answer);
	}
	EXPECT_EQ(-EAGAIN, receive_one(self->fd, self->channel.receives, &self->message));
}

TEST_F(ends, a_thousand_senders_wait)
{
	unsigned char arrived[MANY] = {};
	int many = often(MANY), i;

	ASSERT_EQ(0, fill(self->fd, &self->channel, CAPACITY));
	for (i = 0; i < many; i++) {
		struct transfer *sender = &self->transfers[i];

		*sender = (struct transfer){ .fd = self->fd, .tag = MANY + i, .sends = true,
					     .end = self->channel.sends };
		sender->pid = spawn(transfer, sender);
		ASSERT_LT(0, sender->pid);
	}
	ASSERT_TRUE(task_sleeps(self->transfers[many - 1].pid, self->transfers[many - 1].pid));
	for (i = 0; i < CAPACITY + many; i++) {
		ASSERT_EQ(1, receive_many(self->fd, self->channel.receives, &self->message, 1));
		ASSERT_EQ(0, give(self->fd, self->message.handle));
		if (i >= CAPACITY)
			EXPECT_EQ(1, ++arrived[self->message.tag - MANY]);
	}
	for (i = 0; i < many; i++) {
		EXPECT_EQ(0, reap(self->transfers[i].pid));
		EXPECT_EQ(1, self->transfers[i].answer);
	}
}

/* Whoever waits is told when the last of the other end is gone. */
struct closer {
	struct channel channel;
	struct transfer *transfer;
	bool sends;
};

/* One that waits, and has only the end it waits at. */
static int wait_at_one_end(void *arg)
{
	struct closer *closer = arg;

	close_end(closer->sends ? &closer->channel.receives : &closer->channel.sends);
	return transfer(closer->transfer);
}

static pid_t let_wait_alone(struct transfer *transfer, const struct channel *channel, bool sends)
{
	struct closer closer = { *channel, transfer, sends };
	pid_t pid;

	transfer->fd = -1;
	transfer->sends = sends;
	transfer->end = sends ? channel->sends : channel->receives;
	pid = spawn(wait_at_one_end, &closer);
	return task_sleeps(pid, pid) ? pid : -1;
}

TEST_F(ends, waiters_are_told_of_the_end)
{
	pid_t pids[6];
	int i, sends;

	for (sends = 0; sends < 2; sends++) {
		struct channel channel;

		ASSERT_EQ(0, channel_make(self->fd, CAPACITY, &channel));
		ASSERT_EQ(0, sends ? fill(self->fd, &channel, CAPACITY) : 0);
		for (i = 0; i < 3; i++) {
			pids[i] = let_wait_alone(&self->transfers[i], &channel, sends);
			ASSERT_LT(0, pids[i]);
		}
		channel_end(&channel);
		for (i = 0; i < 3; i++) {
			EXPECT_EQ(0, reap(pids[i]));
			EXPECT_EQ(sends ? -EPIPE : 0, self->transfers[i].answer);
		}
	}
	EXPECT_TRUE(in_use_becomes(self->fd, 0));
	EXPECT_EQ(0, stats_of(self->fd).in_channels);
}

TEST_F(ends, waits_are_cancelled)
{
	struct bufpool_message messages[CAPACITY];
	struct bufpool_rent rented;
	int i;

	ASSERT_EQ(0, fill(self->fd, &self->channel, CAPACITY));
	for (i = 0; i < 2; i++) {
		self->transfers[i].fd = self->fd;
		ASSERT_TRUE(let_wait(&self->transfers[i], &self->channel, true));
	}
	EXPECT_EQ(0, cancel(self->fd, 0));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, reap(self->transfers[i].pid));
		EXPECT_EQ(-ECANCELED, self->transfers[i].answer);
	}
	/* what need not wait goes on */
	EXPECT_EQ(CAPACITY, receive_many(self->fd, self->channel.receives, messages, CAPACITY));
	EXPECT_EQ(-ECANCELED, receive_many(self->fd, self->channel.receives, &self->message, 1));
	ASSERT_EQ(0, rent(self->fd, PAGE, &rented));
	EXPECT_EQ(0, send_one(self->fd, self->channel.sends, &rented, 0));
	EXPECT_EQ(0, cancel(self->fd, BUFPOOL_CANCEL_OFF));
}

TEST_F(ends, values_out_of_range)
{
	const __u32 counts[] = { 0, BUFPOOL_MANY_MAX + 1, INT_MAX, 1U << 31, UINT_MAX };
	const __s64 timeouts[] = { -1, INT64_MIN, -1000000000LL };
	struct bufpool_message message = {};
	struct channel channel;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		EXPECT_EQ(-EINVAL, send_many(self->fd, self->channel.sends, &message, counts[i]));
		EXPECT_EQ(-EINVAL, receive_many(self->fd, self->channel.receives, &message,
						counts[i]));
	}
	for (i = 0; i < ARRAY_SIZE(timeouts); i++) {
		EXPECT_EQ(-EINVAL, send_timed(self->fd, self->channel.sends, &message, 1, 0,
					      timeouts[i]));
		EXPECT_EQ(-EINVAL, receive_timed(self->fd, self->channel.receives, &message, 1, 0,
						 timeouts[i]));
	}
	EXPECT_EQ(-EINVAL, channel_make(self->fd, 0, &channel));
	EXPECT_EQ(-EINVAL, channel_make(self->fd, BUFPOOL_CHANNEL_MAX + 1, &channel));
	EXPECT_EQ(-EINVAL, channel_make(self->fd, UINT_MAX, &channel));
	ASSERT_EQ(0, channel_make(self->fd, BUFPOOL_CHANNEL_MAX, &channel));
	channel_end(&channel);
	EXPECT_EQ(-EBADF, send_many(self->fd, self->channel.receives, &message, 1));
	EXPECT_EQ(-EBADF, receive_many(self->fd, self->channel.sends, &message, 1));
	EXPECT_EQ(-EBADF, send_many(self->fd, -1, &message, 1));
	EXPECT_EQ(-EBADF, receive_many(self->fd, 1 << 20, &message, 1));
	EXPECT_EQ(-EINVAL, send_many(self->fd, self->fd, &message, 1));
	EXPECT_EQ(-EINVAL, receive_many(self->fd, null, &message, 1));
	close(null);
}

/* No end can be read, written or mapped, and none can be opened anew. */
TEST_F(ends, are_no_files_of_bytes)
{
	char path[64], byte = 0;

	EXPECT_EQ(-1, read(self->channel.receives, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->channel.sends, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->channel.receives, 0));
	EXPECT_EQ(ENODEV, errno);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->channel.receives);
	EXPECT_EQ(-1, open(path, O_RDONLY));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->channel.receives, F_GETFD));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->channel.sends, F_GETFD));
}

/* Signals ---------------------------------------------------------------------- */

TEST_F(ends, a_handler_interrupts)
{
	struct transfer *waiter = self->transfers;

	waiter->timeout_ns = 3600 * 1000 * NSEC_PER_MSEC;
	ASSERT_TRUE(let_wait(waiter, &self->channel, false));
	kill(waiter->pid, SIGUSR1);
	EXPECT_EQ(0, reap(waiter->pid));
	EXPECT_EQ(-EINTR, waiter->answer);
	/* how to go on */
	EXPECT_NE(0, waiter->deadline);
}

/* However often it is restarted, it ends with the time that it was given. */
TEST_F(ends, a_restarted_wait_keeps_its_deadline)
{
	struct transfer *waiter = self->transfers;

	waiter->timeout_ns = 200 * NSEC_PER_MSEC;
	waiter->restarts = true;
	ASSERT_TRUE(let_wait(waiter, &self->channel, false));
	while (!waitpid(waiter->pid, NULL, WNOHANG)) {
		kill(waiter->pid, SIGUSR1);
		sleep_ms(20);
	}
	EXPECT_EQ(-ETIMEDOUT, waiter->answer);
	/* the structure can be used again */
	EXPECT_EQ(0, waiter->deadline);
}

TEST_F(ends, a_restarted_wait_is_served)
{
	struct transfer *waiter = self->transfers;
	int i;

	waiter->timeout_ns = 3600 * 1000 * NSEC_PER_MSEC;
	waiter->restarts = true;
	ASSERT_TRUE(let_wait(waiter, &self->channel, false));
	for (i = 0; i < 5; i++) {
		kill(waiter->pid, i % 2 ? SIGUSR1 : SIGSTOP);
		sleep_ms(5);
		kill(waiter->pid, SIGCONT);
		ASSERT_TRUE(task_sleeps(waiter->pid, waiter->pid));
	}
	EXPECT_EQ(0, fill(self->fd, &self->channel, 1));
	EXPECT_EQ(0, reap(waiter->pid));
	EXPECT_EQ(1, waiter->answer);
	EXPECT_EQ(0, waiter->deadline);
}

/* A deadline that is over, and one of a call that need not wait */
TEST_F(ends, deadlines_are_the_callers)
{
	struct bufpool_receive call = {
		.size = sizeof(call),
		.fd = self->channel.receives,
		.count = 1,
		.messages = (uintptr_t)&self->message,
		.deadline_ns = 1,
	};

	EXPECT_EQ(-ETIMEDOUT, pool_ioctl(self->fd, BUFPOOL_IOC_RECEIVE, &call));
	EXPECT_EQ(0, call.deadline_ns);
	ASSERT_EQ(0, fill(self->fd, &self->channel, 1));
	call.deadline_ns = 1;
	EXPECT_EQ(1, pool_ioctl(self->fd, BUFPOOL_IOC_RECEIVE, &call));
	EXPECT_EQ(0, call.deadline_ns);
	call.deadline_ns = ~0ULL;
	call.timeout_ns = 1;
	call.flags = BUFPOOL_RECEIVE_NONBLOCK;
	EXPECT_EQ(-EAGAIN, pool_ioctl(self->fd, BUFPOOL_IOC_RECEIVE, &call));
}

/* Strangers ---------------------------------------------------------------- */

/* One that was woken has no processor: another takes the message. */
TEST_F(ends, the_first_that_waits_gets_no_processor)
{
	struct transfer *starved = &self->transfers[0], *other = &self->transfers[1];
	struct crowd crowd = { .hindrance = PREEMPTED };
	struct crowd *spinner = shared_alloc(sizeof(*spinner));
	pid_t pid;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "this needs two processors");
	ASSERT_TRUE(pin(0, 0));
	*spinner = crowd;
	set_real_time_leaves_some(false);
	ASSERT_TRUE(let_wait(starved, &self->channel, false));
	ASSERT_TRUE(pin(starved->pid, 1));
	ASSERT_TRUE(let_wait(other, &self->channel, false));
	ASSERT_TRUE(pin(other->pid, 0));
	pid = spawn(spin_for_long, spinner);
	ASSERT_TRUE(pin(pid, 1));
	word_set(&spinner->spins, 1);
	sleep_ms(50);
	EXPECT_EQ(0, fill(self->fd, &self->channel, 1));
	EXPECT_EQ(0, reap(other->pid));
	EXPECT_EQ(1, other->answer);
	EXPECT_EQ(0, word_get(&spinner->outlasted));
	EXPECT_EQ(INT_MIN, starved->answer);
	kill(pid, SIGKILL);
	reap(pid);
	set_real_time_leaves_some(true);
	EXPECT_EQ(0, fill(self->fd, &self->channel, 1));
	EXPECT_EQ(0, reap(starved->pid));
	EXPECT_EQ(1, starved->answer);
}

/* Polling -------------------------------------------------------------------- */

/* Each message is an edge. */
TEST_F(ends, edges)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC), i;

	ASSERT_LE(0, epoll);
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->channel.receives, &event));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, fill(self->fd, &self->channel, 1));
		EXPECT_EQ(1, epoll_wait(epoll, &event, 1, -1));
		EXPECT_EQ(EPOLLIN, event.events);
		EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	}
	event.events = EPOLLOUT | EPOLLET;
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->channel.sends, &event));
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, -1));
	ASSERT_EQ(0, fill(self->fd, &self->channel, 1));
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, -1));
	EXPECT_EQ(EPOLLIN, event.events);
	ASSERT_EQ(0, receive_one(self->fd, self->channel.receives, &self->message));
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, -1));
	EXPECT_EQ(EPOLLOUT, event.events);
	close_end(&self->channel.receives);
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, -1));
	EXPECT_EQ(EPOLLERR, event.events & EPOLLERR);
	close(epoll);
}

/* Each of those that wait exclusively is told of the end. */
TEST_F(ends, exclusive_pollers_are_told_of_the_end)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int epolls[3], i;

	for (i = 0; i < 3; i++) {
		epolls[i] = epoll_create1(EPOLL_CLOEXEC);
		ASSERT_LE(0, epolls[i]);
		ASSERT_EQ(0, epoll_ctl(epolls[i], EPOLL_CTL_ADD, self->channel.receives, &event));
		EXPECT_EQ(0, epoll_wait(epolls[i], &event, 1, 0));
	}
	close_end(&self->channel.sends);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(1, epoll_wait(epolls[i], &event, 1, -1));
		EXPECT_EQ(EPOLLHUP, event.events & EPOLLHUP);
		close(epolls[i]);
	}
}

static int poll_for_messages(void *arg)
{
	struct pollfd poll_for = { .fd = *(int *)arg, .events = POLLIN };

	return poll(&poll_for, 1, -1) == 1 ? 0 : 1;
}

TEST_F(ends, pollers_are_woken)
{
	pid_t pid = spawn(poll_for_messages, &self->channel.receives);

	ASSERT_TRUE(task_sleeps(pid, pid));
	ASSERT_EQ(0, fill(self->fd, &self->channel, 1));
	EXPECT_EQ(0, reap(pid));
	ASSERT_EQ(0, receive_one(self->fd, self->channel.receives, &self->message));
	pid = spawn(poll_for_messages, &self->channel.receives);
	ASSERT_TRUE(task_sleeps(pid, pid));
	/* the child's own copy keeps the end open */
	kill(pid, SIGKILL);
	reap(pid);
}

/* How ends get about -------------------------------------------------------- */

/* By a socket, to another user's process. */
static int receive_by_socket(void *arg)
{
	struct bufpool_message messages[3];
	int end, fd;

	CHECK(become(7001, ONLY_OPEN));
	fd = pool_open();
	end = receive_descriptor(*(int *)arg);
	CHECK(fd >= 0 && end >= 0);
	CHECK(receive_many(fd, end, messages, 3) == 2);
	CHECK(!receive_many(fd, end, messages, 1));
	return 0;
}

TEST_F(ends, are_passed_by_a_socket)
{
	int sockets[2];
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	ASSERT_EQ(0, fill(self->fd, &self->channel, 1));
	ASSERT_TRUE(send_descriptor(sockets[0], self->channel.receives));
	/* on its way it is open */
	close_end(&self->channel.receives);
	ASSERT_EQ(0, fill(self->fd, &self->channel, 1));
	close_end(&self->channel.sends);
	pid = spawn(receive_by_socket, &sockets[1]);
	close(sockets[1]);
	EXPECT_EQ(0, reap(pid));
	close(sockets[0]);
	EXPECT_EQ(0, stats_of(self->fd).channels);
	EXPECT_EQ(0, stats_of(self->fd).in_channels);
}

static int fork_on(void *arg)
{
	int i, depth = *(int *)arg;

	for (i = 0; depth-- && i < 3; i++)
		if (!fork())
			i = -1;
	while (wait(NULL) > 0)
		;
	return 0;
}

TEST_F(ends, many_processes_have_them)
{
	int depth = 8;
	pid_t pid = spawn(fork_on, &depth);

	close_end(&self->channel.sends);
	/* the end comes with the last of them */
	EXPECT_EQ(0, receive_many(self->fd, self->channel.receives, &self->message, 1));
	EXPECT_EQ(0, reap(pid));
}

#define CHANNELS	100000

/* As many as the system lets one have: each is there, and goes. */
TEST_F(ends, a_hundred_thousand_channels)
{
	int most = often(CHANNELS), made, ret = 0, i;
	struct rlimit limit = { 2 * most + 100, 2 * most + 100 };
	__u64 before = stats_of(self->fd).channels;
	struct channel *channels = calloc(most, sizeof(*channels));

	ASSERT_NE(NULL, channels);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (made = 0; made < most; made++) {
		ret = channel_make(self->fd, 1, &channels[made]);
		if (ret)
			break;
	}
	if (ret)
		EXPECT_TRUE(ret == -ENFILE || ret == -ENOMEM);
	TH_LOG("%d channels, then %d", made, ret);
	EXPECT_LT(1000, made);
	EXPECT_EQ(before + made, stats_of(self->fd).channels);
	ASSERT_EQ(0, fill(self->fd, &channels[made - 1], 1));
	for (i = 0; i < made; i++)
		channel_end(&channels[i]);
	EXPECT_EQ(before, stats_of(self->fd).channels);
	EXPECT_EQ(0, stats_of(self->fd).in_channels);
	free(channels);
}

TEST_HARNESS_MAIN
