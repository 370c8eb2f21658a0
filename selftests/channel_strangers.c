// SPDX-License-Identifier: MIT
/*
 * What channels cost those who have no part in them: senders without a processor, pollers that
 * wait for other things, and users and memory cgroups whose blocks others have.
 */
#include "box.h"
#include "channel.h"
#include "message.h"
#include "outside.h"
#include "stranger.h"
#include "tenant.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>

#define BLOCK	(16 * PAGE)
#define USER_A	7001
#define USER_B	7002

FIXTURE(strangers)
{
	int fd;
	int other;
	struct channel channel;
};

FIXTURE_SETUP(strangers)
{
	self->fd = pool_open();
	self->other = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->other);
	ASSERT_EQ(0, channel_make(self->fd, 8, &self->channel));
}

FIXTURE_TEARDOWN(strangers)
{
	channel_end(&self->channel);
	close(self->fd);
	close(self->other);
	parameters_restore();
}

static int edge_on(int end, __u32 events)
{
	struct epoll_event event = { .events = events | EPOLLET };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, end, &event));
	return ep;
}

/* How many edges there are while nothing happens for a second */
static int edges(int ep)
{
	__u64 end = now_ms() + 1000;
	struct epoll_event event;
	int nr = 0;

	while (now_ms() < end)
		nr += epoll_wait(ep, &event, 1, 100) > 0;
	return nr;
}

/* Room that is not used is told of once. */
TEST_F(strangers, edges_of_a_send_end)
{
	struct bufpool_message message;
	struct bufpool_rent rented;
	int ep = edge_on(self->channel.sends, EPOLLOUT);

	ASSERT_EQ(0, rent(self->fd, BLOCK, &rented));
	EXPECT_EQ(0, send_one(self->fd, self->channel.sends, &rented, 0));
	EXPECT_EQ(0, receive_one(self->other, self->channel.receives, &message));
	EXPECT_GE(2, edges(ep));
	EXPECT_EQ(0, edges(ep));
	close(ep);
}

TEST_F(strangers, edges_of_a_message_that_is_left)
{
	struct bufpool_rent rented;
	int ep = edge_on(self->channel.receives, EPOLLIN);

	ASSERT_EQ(0, rent(self->fd, BLOCK, &rented));
	EXPECT_EQ(0, send_one(self->fd, self->channel.sends, &rented, 0));
	EXPECT_GE(2, edges(ep));
	EXPECT_EQ(0, edges(ep));
	close(ep);
}

TEST_F(strangers, edges_of_an_end_without_the_other)
{
	int ep = edge_on(self->channel.receives, EPOLLIN);

	close_end(&self->channel.sends);
	EXPECT_GE(2, edges(ep));
	EXPECT_EQ(0, edges(ep));
	close(ep);
}

/* Who polls a client for room under its ceiling, or the quota, is told. */
struct later {
	pthread_t thread;
	int fd, end;
	struct bufpool_rent *rented;
	bool receives;
	int ret;
};

static void *do_later(void *arg)
{
	struct later *later = arg;
	struct bufpool_message message;

	sleep_ms(300);
	later->ret = later->receives ? receive_one(later->fd, later->end, &message) :
		     later->rented ? send_one(later->fd, later->end, later->rented, 0) :
		     give_up(later->fd, message.handle);
	return NULL;
}

TEST_F(strangers, sending_makes_room_under_the_ceiling)
{
	struct bufpool_rent rented, more;
	struct later later = { .fd = self->fd, .end = self->channel.sends, .rented = &rented };
	struct pollfd poll_for = { .fd = self->fd, .events = POLLIN };

	ASSERT_EQ(0, rent(self->fd, BLOCK, &rented));
	ASSERT_EQ(0, set_ceiling(self->fd, BLOCK));
	ASSERT_EQ(-EDQUOT, rent(self->fd, PAGE, &more));
	ASSERT_EQ(0, poll(&poll_for, 1, 0));
	pthread_create(&later.thread, NULL, do_later, &later);
	EXPECT_EQ(1, poll(&poll_for, 1, -1));
	pthread_join(later.thread, NULL);
	EXPECT_EQ(0, later.ret);
	EXPECT_EQ(1, poll(&poll_for, 1, 0));
}

TEST_F(strangers, receiving_makes_room_under_the_senders_quota)
{
	struct bufpool_rent rented, more;
	struct later later = { .end = self->channel.receives, .receives = true };
	struct pollfd poll_for = { .events = POLLIN };
	int a, b;

	ASSERT_EQ(0, parameter_write("quota", MIB));
	a = open_for(USER_A);
	b = open_for(USER_B);
	later.fd = b;
	poll_for.fd = a;
	ASSERT_EQ(0, rent(a, MIB, &rented));
	EXPECT_EQ(0, send_one(a, self->channel.sends, &rented, 0));
	ASSERT_EQ(-EDQUOT, rent(a, PAGE, &more));
	ASSERT_EQ(0, poll(&poll_for, 1, 0));
	pthread_create(&later.thread, NULL, do_later, &later);
	EXPECT_EQ(1, poll(&poll_for, 1, -1));
	pthread_join(later.thread, NULL);
	EXPECT_EQ(0, later.ret);
	EXPECT_EQ(1, poll(&poll_for, 1, 0));
	close(a);
	close(b);
}

/* By blocks that another user gives back none comes to use more than its quota. */
#define MANY	4096

static int rent_up_to(int fd, struct bufpool_block *blocks)
{
	int nr = 0, ret;

	while (nr + 256 < MANY && (ret = rent_many(fd, PAGE, 256, blocks + nr)) > 0)
		nr += ret;
	return nr;
}

TEST_F(strangers, twice_the_quota)
{
	static struct bufpool_block blocks[MANY], more[MANY], last[MANY];
	static struct bufpool_message got[MANY];
	struct bufpool_info info;
	int a, b, nr, i, per_slab, passed = 0, nr_more, nr_last;

	ASSERT_EQ(0, parameter_write("warm_blocks", 0));
	ASSERT_EQ(0, parameter_write("quota", MIB));
	a = open_for(USER_A);
	b = open_for(USER_B);
	ASSERT_EQ(0, pool_info(a, &info));
	per_slab = info.slab_size / PAGE;
	nr = rent_up_to(a, blocks);
	TH_LOG("quota %llu pages: %d rented", MIB / PAGE, nr);
	/* all but one of each slab */
	for (i = 0; i < nr; i++) {
		if (!(blocks[i].offset / PAGE % per_slab))
			continue;
		if (send_with(a, self->channel.sends, blocks[i].handle, 0, 0, 0))
			break;
		if (receive_one(b, self->channel.receives, &got[passed]))
			break;
		passed++;
	}
	nr_more = rent_up_to(a, more);
	TH_LOG("%d passed on, %d more rented, held %llu", passed, nr_more, stats_of(a).user_held);
	for (i = 0; i < passed; i++)
		EXPECT_EQ(0, give_up(b, got[i].handle));
	nr_last = rent_up_to(a, last);
	TH_LOG("%d more rented; in use %llu, held %llu, quota %llu", nr_last,
	       stats_of(a).client_bytes, stats_of(a).user_held, stats_of(a).user_quota);
	EXPECT_EQ(0, nr_last);
	/* and a poller is not told that it could */
	EXPECT_EQ(0, poll(&(struct pollfd){ .fd = a, .events = POLLIN }, 1, 0));
	EXPECT_GE(MIB, stats_of(a).client_bytes);
	close(a);
	close(b);
}

/* A sender without a processor fills no channel for others. */
static int stranger_send, stranger_receive;

static void act_send(void)
{
	static struct bufpool_rent rented;
	static struct bufpool_message message;
	static int fd = -1;
	static char *at;

	if (fd < 0) {
		struct bufpool_info info;

		fd = open_or_fail();
		CHECK(!pool_info(fd, &info));
		CHECK(!rent(fd, largest_within(&info, 8 * MIB), &rented));
		at = map_block(fd, &rented);
		CHECK(at);
		message.handle = rented.handle;
	}
	CHECK(!poke(at, 1));
	if (send_with(fd, stranger_send, message.handle, 0, 1, 0))
		return;
	while (receive_one(fd, stranger_receive, &message))
		;
	munmap(at, rented.length);
	rented = rented_by(&message);
	at = map_block(fd, &rented);
	CHECK(at);
}

static int starved(struct __test_metadata *_metadata, struct _test_data_strangers *self,
		   enum hindrance hindrance)
{
	struct bufpool_message message;
	struct bufpool_rent rented;
	struct channel channel;
	struct crowd *crowd;
	int round, tries, ret, worst = 0;

	ASSERT_EQ(0, channel_make(self->fd, 1, &channel)) return -1;
	stranger_send = channel.sends;
	stranger_receive = channel.receives;
	ASSERT_EQ(0, rent(self->fd, PAGE, &rented)) return -1;
	crowd = crowd_gather(hindrance, act_send);
	ASSERT_NE(NULL, crowd) return -1;
	for (round = 0; round < 8; round++) {
		crowd_hinder(crowd);
		for (tries = 0; tries < 40; tries++) {
			/* whatever it has sent is ours: the channel is empty by that */
			while (!(ret = receive_one(self->other, channel.receives, &message)))
				give_up(self->other, message.handle);
			ret = send_one(self->fd, channel.sends, &rented, 2);
			if (ret != -EAGAIN)
				break;
			sleep_ms(10);
		}
		if (tries > worst)
			worst = tries;
		if (!ret) {
			if (receive_one(self->fd, channel.receives, &message))
				CHECK(!rent(self->fd, PAGE, &rented));
			else
				rented = rented_by(&message);
		}
		if (tries >= 40)
			break;
		/* what was the stranger's is lost; its sends fail, so start anew */
		crowd_disperse(crowd);
		crowd = crowd_gather(hindrance, act_send);
		ASSERT_NE(NULL, crowd) return -1;
	}
	crowd_disperse(crowd);
	channel_end(&channel);
	return worst;
}

TEST_F(strangers, room_of_a_preempted_sender)
{
	if (get_nprocs() < 2)
		SKIP(return, "one processor");
	/* an empty channel with room for one refuses a message for 400 ms */
	EXPECT_GT(40, starved(_metadata, self, PREEMPTED));
}

TEST_F(strangers, room_of_an_idle_sender)
{
	if (get_nprocs() < 2)
		SKIP(return, "one processor");
	EXPECT_GT(40, starved(_metadata, self, IDLE));
}

/* What a receiver gives back is of use to the cgroup that is charged for it. */
#define BOX	"channels"
#define BOX_MAX	(16 * MIB)
#define SMALL	(128 * KIB)

static int touch_much(void *bytes)
{
	size_t length = *(size_t *)bytes, i;
	char *at = malloc(length);

	CHECK(at);
	for (i = 0; i < length; i += 4096)
		CHECK(!poke(at + i, 1));
	return 0;
}

TEST_F(strangers, received_from_a_box)
{
	struct bufpool_rent blocks[11 * MIB / SMALL];
	struct bufpool_message message;
	size_t bytes = 8 * MIB;
	int a, b, i, count = 0;

	if (!boxes_are_possible())
		SKIP(return, "this kernel has no memory cgroups");
	ASSERT_TRUE(box_create(BOX, BOX_MAX));
	ASSERT_EQ(0, parameter_write("quota", LONG_MAX));
	ASSERT_EQ(0, parameter_write("limit", 64 * MIB));
	ASSERT_EQ(0, parameter_write("warm_blocks", 256));
	ASSERT_EQ(0, parameter_write("warm_bytes", 64 * MIB));
	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	b = open_for(USER_B);
	ASSERT_TRUE(box_enter(BOX));
	a = open_for(USER_A);
	for (i = 0; i < (int)ARRAY_SIZE(blocks); i++)
		ASSERT_EQ(0, rent(a, SMALL, &blocks[i]));
	for (i = 0; i < (int)ARRAY_SIZE(blocks); i++) {
		ASSERT_EQ(0, send_with(a, self->channel.sends, blocks[i].handle, 0, 0, 0));
		ASSERT_EQ(0, receive_one(b, self->channel.receives, &message));
		ASSERT_EQ(0, give(b, message.handle));
	}
	EXPECT_EQ(0, in_child(touch_much, &bytes));
	EXPECT_EQ(0, box_read(BOX, "memory.events", "oom_kill"));
	while (!rent(a, MIB, &blocks[0]))
		count++;
	EXPECT_LE(11, count);
	ASSERT_TRUE(box_leave());
	close(a);
	close(b);
	EXPECT_TRUE(box_remove(BOX));
}

TEST_HARNESS_MAIN
