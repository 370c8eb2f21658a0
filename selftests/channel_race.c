// SPDX-License-Identifier: MIT
/*
 * Senders and receivers that are killed in the middle of it: what is sent arrives once, at
 * one receiver, or its block is back in the pool.
 *
 * Each message has a tag of its own, and some of the blocks have it as well, at both ends.
 * BUFPOOL_MESSAGES says how many there are, BUFPOOL_SEED repeats what can be repeated.
 */
#include "channel.h"
#include "random.h"

#include <sched.h>

#define TASKS		10
#define CAPACITY	128
#define BATCH		24
#define KILL_MS		50
#define BLOCK		PAGE
/* Of so many blocks one is written to and looked at: the others take no page fault. */
#define WRITTEN		16

struct race {
	unsigned int next;	/* the next tag that nobody has yet */
	unsigned int end;	/* the first that nobody is to send */
	unsigned int receives;	/* that returned messages */
	unsigned char arrived[];
};

struct task {
	struct race *race;
	struct channel channel;
	__u64 seed;
};

static unsigned int nr_messages(void)
{
	const char *given = getenv("BUFPOOL_MESSAGES");

	return given && atoi(given) > 0 ? atoi(given) : often(40000);
}

static bool is_written(__u64 tag)
{
	return tag % WRITTEN == 0;
}

/* Tags for some messages. Return: how many, from the first on. */
static unsigned int claim(struct race *race, unsigned int count, unsigned int *first)
{
	*first = __atomic_fetch_add(&race->next, count, __ATOMIC_RELAXED);
	if (*first >= race->end)
		return 0;
	return count < race->end - *first ? count : race->end - *first;
}

static void stamp(int fd, const struct bufpool_block *block, __u64 tag)
{
	char *at = map_at(fd, block->offset, block->length);

	CHECK(at != MAP_FAILED);
	*(__u64 *)at = tag;
	*(__u64 *)(at + block->length - sizeof(tag)) = tag;
	munmap(at, block->length);
}

static bool is_stamped(int fd, const struct bufpool_message *message)
{
	char *at = map_at(fd, message->offset, message->length);
	bool same;

	CHECK(at != MAP_FAILED);
	same = *(__u64 *)at == message->tag &&
	       *(__u64 *)(at + message->length - sizeof(__u64)) == message->tag;
	munmap(at, message->length);
	return same;
}

/* All of them, however often the channel is full. */
static void send_all(int fd, int end, struct bufpool_message *messages, unsigned int count)
{
	unsigned int done;
	int ret;

	for (done = 0; done < count; done += ret) {
		ret = send_many(fd, end, messages + done, count - done);
		CHECK(ret > 0);
	}
}

static int send_on(void *arg)
{
	struct bufpool_message messages[BATCH];
	struct bufpool_block blocks[BATCH];
	struct task *task = arg;
	unsigned int first, count, i;
	int fd = pool_open();

	CHECK(fd >= 0);
	close_end(&task->channel.receives);
	task->seed ^= getpid();
	while ((count = claim(task->race, 1 + next_random(&task->seed) % BATCH, &first))) {
		for (i = 0; i < count; i++) {
			CHECK(rent_many(fd, BLOCK, 1, &blocks[i]) == 1);
			if (is_written(first + i))
				stamp(fd, &blocks[i], first + i);
			messages[i] = (struct bufpool_message){
				.handle = blocks[i].handle,
				.used = blocks[i].length,
				.tag = first + i,
			};
		}
		send_all(fd, task->channel.sends, messages, count);
	}
	return 0;
}

static void take_in(int fd, struct race *race, const struct bufpool_message *messages,
		    unsigned int count)
{
	__u64 handles[BATCH];
	unsigned int i;

	for (i = 0; i < count; i++) {
		handles[i] = messages[i].handle;
		CHECK(messages[i].tag < race->end);
		/* it has to be the first, and stays the only one */
		CHECK(!__atomic_fetch_add(&race->arrived[messages[i].tag], 1, __ATOMIC_RELAXED));
		CHECK(!is_written(messages[i].tag) || is_stamped(fd, &messages[i]));
	}
	CHECK(give_many(fd, handles, count) == (int)count);
}

static int receive_on(void *arg)
{
	struct bufpool_message messages[BATCH];
	struct task *task = arg;
	int fd = pool_open(), ret;

	CHECK(fd >= 0);
	close_end(&task->channel.sends);
	task->seed ^= getpid();
	while ((ret = receive_many(fd, task->channel.receives, messages,
				   1 + next_random(&task->seed) % BATCH)) > 0) {
		__atomic_fetch_add(&task->race->receives, 1, __ATOMIC_RELAXED);
		take_in(fd, task->race, messages, ret);
	}
	CHECK(!ret);
	return 0;
}

/* Kill one now and then, and start another in its place. Return: how many were. */
static unsigned int kill_some(struct task *task, pid_t *pids, const unsigned int *roles,
			      int (*const bodies[])(void *arg))
{
	unsigned int kills = 0, nr;

	while (word_get(&task->race->next) < task->race->end) {
		sleep_ms(KILL_MS);
		nr = next_random(&task->seed) % TASKS;
		if (!pids[nr] || !roles[nr])
			continue;
		kill(pids[nr], SIGKILL);
		/* one that had ended is in no way replaced */
		if (reap(pids[nr]) == -SIGKILL)
			kills++;
		pids[nr] = spawn(bodies[roles[nr] - 1], task);
	}
	return kills;
}

/* What is in the channel when all are gone, if a receiver was killed last. */
static void receive_rest(struct task *task)
{
	pid_t pid = spawn(receive_on, task);

	close_end(&task->channel.sends);
	CHECK(!reap(pid));
}

static unsigned int sum_of(const struct race *race)
{
	unsigned int tag, sum = 0;

	for (tag = 0; tag < race->end; tag++)
		sum += race->arrived[tag];
	return sum;
}

static void run(struct __test_metadata *_metadata, unsigned int senders, unsigned int receivers)
{
	static int (*const bodies[])(void *arg) = { send_on, receive_on };
	unsigned int end = nr_messages(), kills, arrived, i;
	struct task task = { .seed = random_seed() };
	struct bufpool_stats before, after;
	unsigned int roles[TASKS] = {};
	pid_t pids[TASKS] = {};
	int fd = pool_open();

	ASSERT_LE(0, fd);
	task.race = shared_alloc(sizeof(*task.race) + end);
	task.race->end = end;
	before = stats_of(fd);
	ASSERT_EQ(0, channel_make(fd, CAPACITY, &task.channel));
	for (i = 0; i < senders + receivers; i++) {
		roles[i] = 1 + (i >= senders);
		pids[i] = spawn(bodies[i >= senders], &task);
	}
	kills = kill_some(&task, pids, roles, bodies);
	for (i = 0; i < senders; i++)
		EXPECT_EQ(0, reap(pids[i]));
	receive_rest(&task);
	for (i = senders; i < senders + receivers; i++)
		EXPECT_EQ(0, reap(pids[i]));
	channel_end(&task.channel);
	ASSERT_TRUE(in_use_becomes(fd, before.in_use));
	after = stats_of(fd);
	arrived = sum_of(task.race);
	TH_LOG("%u messages, %u killed: %llu sent, %llu received, %u arrived", end, kills,
	       after.sent - before.sent, after.received - before.received, arrived);
	/* what a killed receiver had was not lost on the way; all that was sent was received */
	EXPECT_EQ(after.sent - before.sent, after.received - before.received);
	EXPECT_LE(arrived, after.received - before.received);
	EXPECT_GE(arrived + kills * BATCH, after.received - before.received);
	EXPECT_GE(end, after.sent - before.sent);
	EXPECT_LE(end, after.sent - before.sent + kills * BATCH);
	EXPECT_EQ(0, after.in_channels);
	EXPECT_EQ(before.channels, after.channels);
	EXPECT_EQ(after.rents - before.rents, after.returns - before.returns);
	munmap(task.race, sizeof(*task.race) + end);
	close(fd);
}

TEST(one_sender_and_nine_receivers)
{
	run(_metadata, 1, 9);
}

TEST(nine_senders_and_one_receiver)
{
	run(_metadata, 9, 1);
}

TEST(four_and_four)
{
	run(_metadata, 4, 4);
}

/* First in, first out: also where the sender is killed and its place taken, and the receiver. */
static int send_in_order(void *arg)
{
	struct bufpool_message messages[BATCH];
	struct bufpool_block blocks[BATCH];
	struct task *task = arg;
	unsigned int count, i;
	int fd = pool_open();

	CHECK(fd >= 0);
	close_end(&task->channel.receives);
	task->seed ^= getpid();
	while (word_get(&task->race->next) < task->race->end) {
		count = 1 + next_random(&task->seed) % BATCH;
		CHECK(rent_many(fd, BLOCK, count, blocks) == (int)count);
		for (i = 0; i < count; i++)
			messages[i] = (struct bufpool_message){
				.handle = blocks[i].handle,
				.tag = word_get(&task->race->next) + i,
			};
		send_all(fd, task->channel.sends, messages, count);
		__atomic_fetch_add(&task->race->next, count, __ATOMIC_RELAXED);
	}
	return 0;
}

TEST(first_in_first_out)
{
	struct task task = { .seed = random_seed() };
	struct bufpool_message messages[BATCH];
	unsigned int end = nr_messages();
	__u64 handles[BATCH], next = 0;
	int fd = pool_open(), ret, i;
	pid_t pid;

	ASSERT_LE(0, fd);
	task.race = shared_alloc(sizeof(*task.race));
	task.race->end = end;
	ASSERT_EQ(0, channel_make(fd, CAPACITY, &task.channel));
	pid = spawn(send_in_order, &task);
	close_end(&task.channel.sends);
	while ((ret = receive_many(fd, task.channel.receives, messages,
				   1 + next_random(&task.seed) % BATCH)) > 0) {
		for (i = 0; i < ret; i++) {
			ASSERT_EQ(next, messages[i].tag);
			next++;
			handles[i] = messages[i].handle;
		}
		ASSERT_EQ(ret, give_many(fd, handles, ret));
	}
	EXPECT_EQ(0, ret);
	EXPECT_LE(end, next);
	EXPECT_EQ(0, reap(pid));
	channel_end(&task.channel);
	close(fd);
}

/*
 * Both at random instants: a child sends to itself and receives, as another child that has the
 * ends does, until both are killed.
 */
#define DEATHS	10000

static int send_and_receive(void *arg)
{
	struct task *task = arg;
	struct bufpool_message message;
	struct bufpool_rent rented;
	int fd = pool_open();
	char *at;

	CHECK(fd >= 0);
	for (;;) {
		at = rent_mapped(fd, BLOCK, &rented);
		if (at) {
			*at = 1;
			send_one(fd, task->channel.sends, &rented, 0);
			munmap(at, BLOCK);
		}
		if (!receive_one(fd, task->channel.receives, &message))
			give(fd, message.handle);
	}
	return 0;
}

TEST(killed_at_any_line)
{
	struct task task = { .seed = random_seed() };
	unsigned int round, rounds = often(DEATHS / 8) / 2, i;
	const char *given = getenv("BUFPOOL_MESSAGES");
	struct bufpool_stats before, after;
	int fd = pool_open();
	pid_t pids[2];

	if (given && atoi(given) > 0)
		rounds = DEATHS / 2;
	ASSERT_LE(0, fd);
	before = stats_of(fd);
	for (round = 0; round < rounds; round++) {
		ASSERT_EQ(0, channel_make(fd, 2, &task.channel));
		for (i = 0; i < 2; i++)
			pids[i] = spawn(send_and_receive, &task);
		/* the ends live in the children only */
		channel_end(&task.channel);
		usleep(next_random(&task.seed) % 4000);
		for (i = 0; i < 2; i++)
			kill(pids[i], SIGKILL);
		for (i = 0; i < 2; i++)
			ASSERT_EQ(-SIGKILL, reap(pids[i]));
	}
	ASSERT_TRUE(in_use_becomes(fd, before.in_use));
	after = stats_of(fd);
	EXPECT_EQ(before.channels, after.channels);
	EXPECT_EQ(0, after.in_channels);
	EXPECT_EQ(after.rents - before.rents, after.returns - before.returns);
	TH_LOG("%u killed, %llu sent", 2 * rounds, after.sent - before.sent);
	close(fd);
}

TEST_HARNESS_MAIN
