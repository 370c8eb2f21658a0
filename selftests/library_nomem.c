// SPDX-License-Identifier: MIT
/*
 * libbufpool: what the system refuses the library it does without, or it fails with that
 * error; nothing is lost, and the next call works.
 */
#include "library_test.h"
#include "random.h"
#include "refusal.h"

#include <limits.h>
#include <stdlib.h>

/* One at a time, with its own error and with those that have a meaning; or all from one on */
static const struct refusal ways[] = {
	{ .kinds = OF_MEMORY | OF_FILES | OF_DEVICE | OF_THREADS },
	{ .kinds = OF_MEMORY | OF_FILES, .error = EINVAL },
	{ .kinds = OF_MEMORY, .error = EAGAIN },
	{ .kinds = OF_MEMORY, .all = true },
};

static struct refusal way_at(size_t way, unsigned int at)
{
	struct refusal what = ways[way];

	what.at = at;
	return what;
}

/* The next call to be refused: a slow kernel passes some by, others each time. */
static unsigned int next_call(unsigned int at)
{
	static __u64 seed;
	unsigned int step = often(8) == 8 ? 1 : 16;

	if (!seed)
		seed = random_seed();
	return at + 1 + next_random(&seed) % step;
}

/* Whether a call may say so of what it was refused, which is 0 for nothing */
static bool is_due(int error, int given)
{
	return !error || (given && (error == given || error == ENOMEM));
}

static bool works(struct bufpool *pool)
{
	char *block = bufpool_rent(pool, 5000, 0);
	char *other = bufpool_rent(pool, MIB, BUFPOOL_RENT_IO);

	if (!block || !other)
		return false;
	memset(block, 1, 5000);
	memset(other, 1, MIB);
	return !bufpool_return(pool, block, 0) && !bufpool_return(pool, other, 0) && !held(pool);
}

/* Some C libraries map memory by the piece. */
#if defined(__GLIBC__) && !SANITIZED
#define MAPS_ARE_OURS	true
#else
#define MAPS_ARE_OURS	false
#endif

/* Of a pool that is not open any more */
static bool leaves_nothing(int fd, int maps, long had)
{
	return next_fd() == fd && allocations == had &&
	       (!MAPS_ARE_OURS || count_maps() == maps);
}

TEST(a_pool_is_opened_or_it_is_not)
{
	int error, given, fd, maps;
	struct bufpool *pool;
	unsigned int at;
	size_t way;
	long had;

	ASSERT_EQ(0, bufpool_close(bufpool_open(NULL, 0)));
	fd = next_fd();
	maps = count_maps();
	had = allocations;
	for (way = 0; way < ARRAY_SIZE(ways); way++) {
		at = 0;
		do {
			at = next_call(at);
			refuse(way_at(way, at));
			errno = 77;
			pool = bufpool_open(NULL, 0);
			error = pool ? 0 : errno;
			given = refuse_no_more();
			EXPECT_TRUE(!pool || errno == 77) {
				TH_LOG("way %zu, call %u: errno %d for %d", way, at, errno, given);
			}
			EXPECT_TRUE(is_due(error, given)) {
				TH_LOG("way %zu, call %u: %d for %d", way, at, error, given);
			}
			if (pool)
				EXPECT_EQ(0, bufpool_close(pool));
			EXPECT_TRUE(leaves_nothing(fd, maps, had)) {
				TH_LOG("way %zu, call %u: %d for %d", way, at, error, given);
			}
		} while (given);
		EXPECT_EQ(0, error);
		EXPECT_LT(10, at);
	}
}

TEST(a_pool_that_lacks_something_works)
{
	struct bufpool *pool;
	unsigned int at;
	size_t way;
	int given;

	for (way = 0; way < ARRAY_SIZE(ways); way++) {
		at = 0;
		do {
			at = next_call(at);
			refuse(way_at(way, at));
			pool = bufpool_open(NULL, 0);
			given = refuse_no_more();
			if (!pool)
				continue;
			EXPECT_TRUE(works(pool)) {
				TH_LOG("way %zu, call %u: errno %d", way, at, errno);
			}
			EXPECT_EQ(0, bufpool_close(pool));
		} while (given);
	}
}

/* What a test does in a new pool */
struct use {
	size_t size;
	unsigned int flags;
	unsigned int count;
};

static const struct use uses[] = {
	{ 1, 0, 1 }, { 100000, 0, 1 }, { MIB, BUFPOOL_RENT_ZERO, 1 }, { 5000, 0, 64 },
	{ 1, BUFPOOL_RENT_IO, 1 }, { 6 * MIB, BUFPOOL_RENT_IO, 1 }, { 5000, BUFPOOL_RENT_IO, 64 },
};

/* Rents that are refused something, in a new pool. */
static void rent_refused(struct __test_metadata *_metadata, const struct use *use, size_t way)
{
	struct bufpool *pool;
	void *blocks[64];
	unsigned int at = 0;
	int given, ret;

	do {
		pool = bufpool_open(NULL, 0);
		ASSERT_NE(NULL, pool);
		at = next_call(at);
		refuse(way_at(way, at));
		ret = bufpool_rent_many(pool, use->size, use->flags, blocks, use->count);
		given = refuse_no_more();
		EXPECT_TRUE(ret > 0 || is_due(-ret, given)) {
			TH_LOG("%zu bytes, way %zu, call %u: %d for %d", use->size, way, at, ret,
			       given);
		}
		if (ret > 0)
			EXPECT_EQ(ret, bufpool_return_many(pool, blocks, ret, 0));
		EXPECT_EQ(0, held(pool));
		EXPECT_TRUE(works(pool));
		EXPECT_EQ(0, bufpool_close(pool));
	} while (given);
}

static void rent_in_all_ways(struct __test_metadata *_metadata)
{
	size_t i, way;

	for (i = 0; i < ARRAY_SIZE(uses); i++)
		for (way = 0; way < ARRAY_SIZE(ways); way++)
			rent_refused(_metadata, &uses[i], way);
}

TEST(a_rent_gets_a_block_or_it_does_not)
{
	rent_in_all_ways(_metadata);
}

TEST(a_strict_rent_gets_a_block_or_it_does_not)
{
	ASSERT_EQ(0, setenv("BUFPOOL_STRICT", "1", 1));
	rent_in_all_ways(_metadata);
}

/* What a return lets go of, it needs nothing for. */
static void return_refused(struct __test_metadata *_metadata, struct bufpool *pool,
			   unsigned int flags, struct refusal what)
{
	char *block;
	int given;

	what.at = 0;
	do {
		block = bufpool_rent(pool, MIB, BUFPOOL_RENT_ZERO);
		ASSERT_NE(NULL, block);
		EXPECT_TRUE(filled(block, 0, MIB));
		memset(block, 0x5a, MIB);
		what.at++;
		refuse(what);
		EXPECT_EQ(0, bufpool_return(pool, block, flags));
		EXPECT_EQ(0, bufpool_trim(pool, 0, NULL));
		given = refuse_no_more();
		EXPECT_EQ(0, held(pool));
	} while (given);
}

TEST_F(library, a_return_needs_nothing)
{
	static const unsigned int flags[] = { 0, BUFPOOL_RETURN_CLEAR, BUFPOOL_RETURN_REVOKE };
	struct refusal once = { .kinds = OF_MEMORY | OF_FILES | OF_THREADS };
	struct refusal all = { .kinds = OF_MEMORY, .all = true };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		return_refused(_metadata, self->pool, flags[i], once);
		return_refused(_metadata, self->pool, flags[i], all);
	}
}

TEST(a_poller_is_made_or_it_is_not)
{
	int given, ret, fd = next_fd();
	struct bufpool *pool;
	unsigned int at = 0;

	do {
		pool = bufpool_open(NULL, 0);
		ASSERT_NE(NULL, pool);
		ASSERT_NE(NULL, bufpool_rent(pool, 1, 0));
		at = next_call(at);
		refuse(way_at(0, at));
		ret = bufpool_poller(pool, 1);
		given = refuse_no_more();
		if (ret < 0) {
			EXPECT_TRUE(is_due(-ret, given));
			ret = bufpool_poller(pool, 1);
		}
		EXPECT_LE(0, ret);
		EXPECT_EQ(0, close(ret));
		EXPECT_EQ(0, bufpool_close(pool));
		EXPECT_EQ(fd, next_fd());
	} while (given);
}

struct job {
	struct bufpool *pool;
	unsigned int at;
	size_t way;
	int given;
	bool works;
};

/* What a new thread keeps blocks in it gets by its first rents and returns. */
static void *rent_first(void *argument)
{
	static const unsigned int flags[] = { 0, BUFPOOL_RENT_IO };
	struct job *job = argument;
	void *blocks[2];
	size_t i;

	job->works = true;
	refuse(way_at(job->way, job->at));
	for (i = 0; i < ARRAY_SIZE(blocks); i++) {
		blocks[i] = bufpool_rent(job->pool, MIB / 4, flags[i]);
		if (blocks[i])
			job->works &= !bufpool_return(job->pool, blocks[i], 0);
	}
	job->given = refuse_no_more();
	job->works &= works(job->pool);
	return NULL;
}

TEST(a_thread_does_without_what_it_keeps_blocks_in)
{
	struct job job = { 0 };

	for (job.way = 0; job.way < ARRAY_SIZE(ways); job.way++) {
		job.at = 0;
		do {
			job.pool = bufpool_open(NULL, 0);
			ASSERT_NE(NULL, job.pool);
			job.at++;
			job.works = false;
			in_thread(rent_first, &job);
			EXPECT_TRUE(job.works) {
				TH_LOG("way %zu, call %u: %d", job.way, job.at, job.given);
			}
			EXPECT_EQ(0, bufpool_close(job.pool));
		} while (job.given);
	}
}

/* Or its first renter still has it. */
TEST_F(library, an_adoption_takes_a_block_or_it_does_not)
{
	struct bufpool_provider *provider = &self->pool->provider;
	struct bufpool_block got;
	unsigned int at = 0;
	int given, error;
	void *block;

	do {
		ASSERT_EQ(1, provider->ops->rent_many(provider, MIB, 0, 0, &got, 1));
		at = next_call(at);
		refuse((struct refusal){ .kinds = OF_MEMORY, .at = at });
		block = bufpool_adopt(self->pool, got.handle, got.offset);
		error = errno;
		given = refuse_no_more();
		if (block) {
			EXPECT_EQ(0, bufpool_return(self->pool, block, BUFPOOL_RETURN_REVOKE));
		} else {
			EXPECT_TRUE(is_due(error, given));
			EXPECT_EQ(1, provider->ops->return_many(provider, &got.handle, 1, 0));
		}
		EXPECT_EQ(0, held(self->pool));
	} while (given);
}

TEST_F(library, a_channel_is_made_or_it_is_not)
{
	int ends[2], given, ret, fd = next_fd();
	unsigned int at = 0;

	do {
		at = next_call(at);
		refuse(way_at(0, at));
		ret = bufpool_channel(self->pool, 4, ends);
		given = refuse_no_more();
		if (ret == -EOPNOTSUPP || ret == -ENOTTY)
			SKIP(return, "no channels here");
		EXPECT_TRUE(is_due(-ret, given));
		if (!ret) {
			EXPECT_EQ(0, close(ends[0]));
			EXPECT_EQ(0, close(ends[1]));
		}
		EXPECT_EQ(fd, next_fd());
	} while (given);
}

/* Two threads that are the first of all with a block of a size: one maps memory for it. */
static struct {
	struct bufpool *pool;
	pthread_t thread;
	unsigned int tid;
	unsigned int go;
	unsigned int maps;	/* the other does, too */
	bool mapped_meanwhile;
} beside;

/* What a thread needs for itself it has from its first call on. */
static bool begin_with_the_pool(void)
{
	void *block = bufpool_rent(beside.pool, PAGE, 0);

	return block && !bufpool_return(beside.pool, block, 0);
}

static void say_that_it_maps(void)
{
	word_set(&beside.maps, 1);
}

static void *rent_beside(void *arg)
{
	void *block;

	CHECK(begin_with_the_pool());
	word_set(&beside.tid, syscall(SYS_gettid));
	/* without a sleep, which is to be another's doing */
	while (!word_get(&beside.go))
		sched_yield();
	before_mapping = say_that_it_maps;
	block = bufpool_rent(beside.pool, MIB, BUFPOOL_RENT_IO);
	before_mapping = NULL;
	memset(block, 2, MIB);
	(void)arg;
	return block;
}

/* It comes to the same place, or sleeps as long as this one maps. */
static void have_one_beside(void)
{
	word_set(&beside.go, 1);
	CHECK(BECOMES(word_get(&beside.maps) || task_state(getpid(), beside.tid) == 'S'));
	beside.mapped_meanwhile = word_get(&beside.maps);
}

TEST_F(library, one_thread_maps_a_size)
{
	void *block, *other;

	beside.pool = self->pool;
	ASSERT_TRUE(begin_with_the_pool());
	ASSERT_EQ(0, pthread_create(&beside.thread, NULL, rent_beside, NULL));
	ASSERT_TRUE(word_reaches(&beside.tid, 1));
	before_mapping = have_one_beside;
	block = bufpool_rent(self->pool, MIB, BUFPOOL_RENT_IO);
	ASSERT_NE(NULL, block);
	ASSERT_EQ(NULL, before_mapping);
	ASSERT_EQ(0, pthread_join(beside.thread, &other));
	EXPECT_FALSE(beside.mapped_meanwhile);
	memset(block, 1, MIB);
	EXPECT_TRUE(filled(other, 2, MIB));
	EXPECT_EQ(0, bufpool_return(self->pool, other, 0));
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
}

/* A channel with one message, of a new pool; or a negative errno */
static int send_one(struct bufpool *pool, int *ends)
{
	struct bufpool_parcel parcel = { .size = sizeof(parcel), .used = 1, .tag = 7 };
	int ret = bufpool_channel(pool, 1, ends);

	if (ret)
		return ret;
	parcel.block = bufpool_rent(pool, MIB, BUFPOOL_RENT_ZERO);
	return parcel.block ? bufpool_send(pool, ends[1], &parcel, 0) : -ENOMEM;
}

TEST(a_message_is_received_or_it_waits)
{
	struct bufpool_parcel parcel = { .size = sizeof(parcel) };
	struct bufpool *pool;
	int ends[2], given, ret;
	unsigned int at;
	size_t way;

	for (way = 0; way < ARRAY_SIZE(ways); way++) {
		at = 0;
		do {
			pool = bufpool_open(NULL, 0);
			ASSERT_NE(NULL, pool);
			ret = send_one(pool, ends);
			if (ret == -EOPNOTSUPP || ret == -ENOTTY)
				SKIP(return, "no channels here");
			ASSERT_EQ(0, ret);
			at = next_call(at);
			refuse(way_at(way, at));
			ret = bufpool_receive(pool, ends[0], &parcel, BUFPOOL_RECEIVE_NONBLOCK);
			given = refuse_no_more();
			if (ret != 1) {
				EXPECT_TRUE(ret < 0 && is_due(-ret, given));
				ret = bufpool_receive(pool, ends[0], &parcel,
						      BUFPOOL_RECEIVE_NONBLOCK);
			}
			ASSERT_EQ(1, ret) {
				TH_LOG("way %zu, call %u, %d", way, at, given);
			}
			EXPECT_EQ(7, parcel.tag);
			EXPECT_EQ(0, bufpool_return(pool, parcel.block, 0));
			EXPECT_EQ(0, held(pool));
			close(ends[0]);
			close(ends[1]);
			EXPECT_EQ(0, bufpool_close(pool));
		} while (given);
	}
}

/* The call that this program is refused at its start, and does nothing else then */
#define AT_START	"BUFPOOL_REFUSED_AT_START"

/* What the library's own constructor does, which comes after this one */
static void __attribute__((constructor(101))) start_and_end(void)
{
	const char *at = getenv(AT_START);
	struct bufpool *pool;
	int given;

	if (!at)
		return;
	refuse((struct refusal){ .kinds = OF_MEMORY | OF_THREADS, .at = atoi(at) });
	bufpool_threads_prepare();
	given = refuse_no_more();
	pool = bufpool_open(NULL, 0);
	_exit(pool && works(pool) && !bufpool_close(pool) ? !!given : 2);
}

/* Become this program, which is refused a call at its start. */
static void become_refused(unsigned int at)
{
	char text[16], program[PATH_MAX] = "";

	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		_exit(98);
	snprintf(text, sizeof(text), "%u", at);
	setenv(AT_START, text, 1);
	execl(program, "library_nomem", NULL);
	_exit(98);
}

/* 0: nothing was refused; 1: something was, and pools work all the same */
static int start_refused(unsigned int at)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		become_refused(at);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(a_program_starts_without_what_is_kept)
{
	unsigned int at = 0;
	int ret;

	do {
		at = next_call(at);
		ret = start_refused(at);
		EXPECT_TRUE(ret == 0 || ret == 1) {
			TH_LOG("call %u: %d", at, ret);
		}
	} while (ret == 1);
	EXPECT_LT(2, at);
}

/* The device is not there, and is no device. */
TEST(what_is_no_device_is_not_opened)
{
	int fd = next_fd();

	EXPECT_EQ(-ENOENT, open_error("/nowhere", 0));
	EXPECT_EQ(-ENOTTY, open_error("/dev/null", 0));
	EXPECT_EQ(NULL, bufpool_fdopen(-1, 0));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(fd, next_fd());
}

TEST_HARNESS_MAIN
