// SPDX-License-Identifier: MIT
/*
 * Fair shares: users of all appetites share a pool that is too small for them, and each
 * has, over time, what is its due. BUFPOOL_STRESS_SECONDS is how long they do.
 */
#include "effort.h"
#include "random.h"
#include "slabinfo.h"
#include "tenant.h"

#include <pthread.h>

#define LIMIT		(32 * MIB)
#define USERS		8
#define MODEST		2		/* of these, who want less than a fair share */
#define FIRST_UID	5001
#define MOST		4096		/* blocks of one user */
#define MANY		16		/* in one call */
#define PATIENCE_NS	(1000 * NSEC_PER_MSEC)
#define TICK_MS		5
#define TURNOVERS	64		/* of all the pool, before shares are even at the latest, */
#define BEGINNING	4		/* and at the earliest */
#define TOLERANCE	10		/* percent of a fair share */
#define RENTS		64		/* of whoever rents least, before that is a share */

/* What a user wants: blocks of one size, up to so many bytes, and how long it keeps them. */
struct appetite {
	__u64 size;
	__u64 most;
	unsigned int keeps;	/* ticks, on the average */
	bool many;		/* rents several in one call, if it can */
};

static const struct appetite appetites[USERS] = {
	{ 64 * KIB, 512 * KIB, 20, false },
	{ 4 * KIB, 256 * KIB, 20, false },
	{ 4 * KIB, 16 * MIB, 100, true },
	{ 16 * KIB, 16 * MIB, 50, false },
	{ 64 * KIB, 16 * MIB, 200, false },
	{ 128 * KIB, 16 * MIB, 300, false },
	{ 512 * KIB, 16 * MIB, 200, false },
	{ 1 * MIB, 16 * MIB, 200, false },
};

/* One user's process; all of it is shared with the test. */
struct user {
	const struct appetite *appetite;
	unsigned int *word;		/* what all do */
	unsigned int is_quiet;
	__u64 served;			/* bytes */
	__u64 rents;
	__u64 sum;			/* bytes that it had, over all samples */
	__u64 seed;
};

enum { RUN, PAUSE, STOP };

/* What a user has; one task rents, and another returns. */
static struct {
	int fd;
	unsigned int nr;
	pthread_mutex_t lock;
	__u64 handles[MOST];
} held;

static void keep(struct user *user, const __u64 *handles, int nr)
{
	pthread_mutex_lock(&held.lock);
	memcpy(held.handles + held.nr, handles, nr * sizeof(*handles));
	held.nr += nr;
	pthread_mutex_unlock(&held.lock);
	__atomic_add_fetch(&user->rents, nr, __ATOMIC_RELAXED);
	__atomic_add_fetch(&user->served, nr * user->appetite->size, __ATOMIC_RELAXED);
}

/* As many as are there at once; or one, when there is one. */
static void rent_some(struct user *user)
{
	const struct appetite *appetite = user->appetite;
	struct bufpool_block blocks[MANY];
	__u64 handles[MANY];
	struct bufpool_rent rented;
	int nr = 0, i;

	if (appetite->many)
		nr = rent_many(held.fd, appetite->size, MANY, blocks);
	for (i = 0; i < nr; i++)
		handles[i] = blocks[i].handle;
	if (nr <= 0) {
		/* now and then it looks whether it is to end */
		if (rent_with(held.fd, appetite->size, 0, PATIENCE_NS, &rented))
			return;
		handles[0] = rented.handle;
		nr = 1;
	}
	keep(user, handles, nr);
}

/* Return one in so many. */
static void return_some(struct user *user)
{
	unsigned int nr, i;

	pthread_mutex_lock(&held.lock);
	nr = held.nr / user->appetite->keeps;
	if (next_random(&user->seed) % user->appetite->keeps <
	    held.nr % user->appetite->keeps)
		nr++;
	while (nr--) {
		i = next_random(&user->seed) % held.nr;
		CHECK(!give_with(held.fd, held.handles[i],
				 next_random(&user->seed) % 2 ? BUFPOOL_RETURN_REVOKE : 0));
		held.handles[i] = held.handles[--held.nr];
	}
	pthread_mutex_unlock(&held.lock);
}

static void be_quiet(struct user *user)
{
	__atomic_add_fetch(&user->is_quiet, 1, __ATOMIC_SEQ_CST);
	while (word_get(user->word) == PAUSE)
		sleep_ms(1);
	__atomic_sub_fetch(&user->is_quiet, 1, __ATOMIC_SEQ_CST);
}

static void *return_all_the_time(void *arg)
{
	struct user *user = arg;

	while (word_get(user->word) != STOP) {
		if (word_get(user->word) == PAUSE)
			be_quiet(user);
		return_some(user);
		sleep_ms(TICK_MS);
	}
	return NULL;
}

static int live(void *arg)
{
	struct user *user = arg;
	const struct appetite *appetite = user->appetite;
	unsigned int most = appetite->most / appetite->size - (appetite->many ? MANY : 1);
	pthread_t thread;

	CHECK(become(FIRST_UID + (appetite - appetites), ONLY_OPEN));
	held.fd = open_or_fail();
	CHECK(!pthread_mutex_init(&held.lock, NULL));
	CHECK(!pthread_create(&thread, NULL, return_all_the_time, user));
	while (word_get(user->word) != STOP) {
		if (word_get(user->word) == PAUSE)
			be_quiet(user);
		if (__atomic_load_n(&held.nr, __ATOMIC_RELAXED) <= most)
			rent_some(user);
		else
			sleep_ms(TICK_MS);
	}
	CHECK(!pthread_join(thread, NULL));
	return 0;
}

FIXTURE(shares)
{
	int fd;
	struct user *users;
	unsigned int *word;
	pid_t pids[USERS];
	__u64 samples;
	__u64 idle;		/* bytes, over all samples */
};

FIXTURE_SETUP(shares)
{
	__u64 seed = random_seed();
	int i;

	ASSERT_EQ(0, limit_write(LIMIT));
	ASSERT_EQ(0, parameter_write("quota", LONG_MAX));
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	self->word = shared_alloc(sizeof(*self->word));
	self->users = shared_alloc(USERS * sizeof(*self->users));
	ASSERT_NE(NULL, self->word);
	ASSERT_NE(NULL, self->users);
	for (i = 0; i < USERS; i++) {
		self->users[i] = (struct user){
			.appetite = &appetites[i],
			.word = self->word,
			.seed = seed + i,
		};
		self->pids[i] = spawn(live, &self->users[i]);
		ASSERT_LT(0, self->pids[i]);
	}
}

FIXTURE_TEARDOWN(shares)
{
	int i;

	word_set(self->word, STOP);
	for (i = 0; i < USERS; i++)
		EXPECT_EQ(0, reap(self->pids[i]));
	close(self->fd);
	parameters_restore();
}

/* What each user is charged for, by debugfs. Return: of how many there was a line. */
static int read_accounts(__u64 *held)
{
	FILE *file = fopen("/sys/kernel/debug/bufpool/accounts", "re");
	unsigned long long uid, pinned;
	char line[256];
	int found = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llu %*u %*u %*u %*u %*u %llu", &uid, &pinned) != 2 ||
		    uid < FIRST_UID || uid >= FIRST_UID + USERS)
			continue;
		held[uid - FIRST_UID] = pinned;
		found++;
	}
	if (file)
		fclose(file);
	return found;
}

static __u64 all_served(const struct user *users)
{
	__u64 bytes = 0;
	int i;

	for (i = 0; i < USERS; i++)
		bytes += __atomic_load_n(&users[i].served, __ATOMIC_RELAXED);
	return bytes;
}

/* Whether those who want more have as much as each other just now, but for the tolerance. */
static bool are_even(const __u64 *held)
{
	__u64 least = ~0ULL, most = 0;
	int i;

	for (i = MODEST; i < USERS; i++) {
		least = held[i] < least ? held[i] : least;
		most = held[i] > most ? held[i] : most;
	}
	return least * (100 + TOLERANCE) >= most * 100;
}

/* Whoever came first has had most: see that it becomes even while so much is rented. */
static bool become_even(const struct user *users)
{
	__u64 held[USERS], served;

	do {
		sleep_ms(TICK_MS);
		served = all_served(users);
		if (served > TURNOVERS * LIMIT)
			return false;
	} while (served < BEGINNING * LIMIT || read_accounts(held) != USERS ||
		 !are_even(held));
	return true;
}

/* What all have, that is charged to them, and what is charged to nobody, is what there is. */
static bool adds_up(int fd)
{
	struct bufpool_stats now = stats_of(fd);
	__u64 held[USERS], sum = now.user_held + now.idle;
	int i;

	if (read_accounts(held) != USERS)
		return false;
	for (i = 0; i < USERS; i++)
		sum += held[i];
	return sum == now.pinned && now.pinned <= now.limit;
}

/* The allocator has a free slab for each processor, and small ones in eights. */
static bool is_what_the_caches_hold(int fd)
{
	__u64 pinned = stats_of(fd).pinned, caches = held_by_caches();

	return caches >= pinned && caches <= pinned + pinned / 8 + MIB;
}

/* All users are between two calls, and what they have adds up. Return: whether it does. */
static bool sums_are_exact(int fd, struct user *users, unsigned int *word)
{
	bool exact;
	int i;

	word_set(word, PAUSE);
	for (i = 0; i < USERS; i++)
		if (!word_reaches(&users[i].is_quiet, 2))
			return false;
	/* the background may be zeroing a block */
	exact = BECOMES(adds_up(fd));
	if (!slabinfo_missing()) {
		write_text("/sys/class/misc/bufpool/trim", "1");
		exact = exact && BECOMES(is_what_the_caches_hold(fd));
	}
	word_set(word, RUN);
	for (i = 0; i < USERS; i++)
		if (!BECOMES(!word_get(&users[i].is_quiet)))
			return false;
	return exact;
}

/* What each user has now, in KiB, as one line. */
static const char *line_of(const __u64 *bytes)
{
	static char line[USERS * 8 + 1];
	int i, length = 0;

	for (i = 0; i < USERS; i++)
		length += snprintf(line + length, sizeof(line) - length, " %6llu",
				   bytes[i] / KIB);
	return line;
}

/*
 * How far off a share may be, in percent. Where the kernel checks all that it does, a user
 * is long on its way to what it was given, and there are few samples.
 */
static int tolerance(void)
{
	return often(8) < 8 ? 4 * TOLERANCE : TOLERANCE;
}

static double jain_of(const double *shares, int nr)
{
	double sum = 0, squares = 0;
	int i;

	for (i = 0; i < nr; i++) {
		sum += shares[i];
		squares += shares[i] * shares[i];
	}
	return sum * sum / (nr * squares);
}

/* Whether each has rented so often since that what it had, on the average, says something. */
static bool have_rented(const struct user *users, const __u64 *rents)
{
	int i;

	for (i = 0; i < USERS; i++)
		if (__atomic_load_n(&users[i].rents, __ATOMIC_RELAXED) < rents[i] + often(RENTS))
			return false;
	return true;
}

TEST_F_TIMEOUT(shares, users_have_their_due, A_DAY)
{
	struct effort effort;
	__u64 held[USERS], samples = 0, idle = 0, rents[USERS];
	double had[USERS], due, rest = LIMIT;
	struct bufpool_stats now;
	int i, exact = 0;

	if (access("/sys/kernel/debug/bufpool/accounts", R_OK))
		SKIP(return, "there is no debugfs in /sys/kernel/debug");
	EXPECT_TRUE(become_even(self->users));
	TH_LOG("even after %llu turnovers of the pool", all_served(self->users) / LIMIT);
	for (i = 0; i < USERS; i++)
		rents[i] = self->users[i].rents;
	effort = effort_begin(often(2000), 1);
	while (effort_goes_on(&effort, samples) || !have_rented(self->users, rents)) {
		if (read_accounts(held) != USERS)
			continue;
		now = stats_of(self->fd);
		ASSERT_LE(now.pinned, now.limit);
		for (i = 0; i < USERS; i++)
			self->users[i].sum += held[i];
		idle += now.idle;
		samples++;
		if (samples % 200 == 0) {
			if (samples <= 2000 || samples % 4000 == 0)
				TH_LOG("%6llu:%s KiB", samples, line_of(held));
			ASSERT_TRUE(sums_are_exact(self->fd, self->users, self->word));
			exact++;
		}
		sleep_ms(2);
	}
	for (i = 0; i < USERS; i++) {
		had[i] = (double)self->users[i].sum / samples;
		if (i < MODEST)
			rest -= had[i];
	}
	rest -= (double)idle / samples;
	due = rest / (USERS - MODEST);
	TH_LOG("%llu samples, idle %llu KiB, a fair share is %.0f KiB; %d times the sum was exact",
	       samples, idle / samples / KIB, due / KIB, exact);
	for (i = 0; i < USERS; i++) {
		const struct appetite *appetite = &appetites[i];

		TH_LOG("user %d: %4llu KiB, up to %5llu: had %5.0f, %5.1f %% of that; %llu rents",
		       i, appetite->size / KIB, appetite->most / KIB, had[i] / KIB,
		       i < MODEST ? 100 * had[i] / appetite->most : 100 * had[i] / due,
		       self->users[i].rents - rents[i]);
	}
	TH_LOG("Jain's index of those who want more: %.4f",
	       jain_of(had + MODEST, USERS - MODEST));
	for (i = 0; i < USERS; i++) {
		EXPECT_LT(0, self->users[i].rents - rents[i]);
		if (i < MODEST) {
			EXPECT_LE(0.75 * appetites[i].most, had[i]);
			continue;
		}
		EXPECT_LE(due * (100 - tolerance()) / 100, had[i]);
		EXPECT_GE(due * (100 + tolerance()) / 100, had[i]);
	}
}

TEST_HARNESS_MAIN
