// SPDX-License-Identifier: MIT
/*
 * Accounts: whom a client is charged to, and what is seen of that.
 */
#include "channel.h"
#include "inside.h"
#include "message.h"
#include "outside.h"
#include "tenant.h"

#include <sched.h>
#include <sys/resource.h>
#include <linux/securebits.h>

#define LIMIT		(4 * MIB)
#define BLOCK		(64 * KIB)
#define QUOTA		8		/* blocks */
#define MOST		64		/* blocks within the limit */
#define ALICE		4711
#define BOB		4712
#define CAROL		4713
#define IDS		40		/* of those subordinate to a user */
#define FIRST_ID	100000		/* of these, outside */
#define ACCOUNTS	"/sys/kernel/debug/bufpool/accounts"

/* What the processes of a test share. */
struct court {
	unsigned int ready;
	unsigned int go;
	unsigned int blocks;
	unsigned int is_made;		/* a user namespace, */
	unsigned int is_mapped;		/* and its ids */
	int pipe[2];
};

static struct court *court;

FIXTURE(account)
{
	int fd;
	mode_t mode;
};

/* In a user namespace no capability opens the device. */
FIXTURE_SETUP(account)
{
	struct stat node;

	ASSERT_EQ(0, stat(POOL_DEVICE, &node));
	self->mode = node.st_mode & 07777;
	ASSERT_EQ(0, chmod(POOL_DEVICE, 0666));
	ASSERT_EQ(0, limit_write(LIMIT));
	ASSERT_EQ(0, parameter_write("quota", QUOTA * BLOCK));
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	court = shared_alloc(sizeof(*court));
	ASSERT_NE(NULL, court);
}

FIXTURE_TEARDOWN(account)
{
	close(self->fd);
	parameters_restore();
	chmod(POOL_DEVICE, self->mode);
}

/* Rent all that the account may have. */
static int rent_the_quota(void)
{
	struct bufpool_block blocks[MOST];
	int fd = open_or_fail();

	CHECK(stats_of(fd).user_held == 0);
	CHECK(rent_many(fd, BLOCK, MOST, blocks) == QUOTA);
	CHECK(rent_many(fd, BLOCK, MOST, blocks) == -EDQUOT);
	return 0;
}

/* It is all rented by others. */
static int find_it_rented(void)
{
	struct bufpool_rent rented;
	int fd = open_or_fail();

	CHECK(stats_of(fd).user_quota == QUOTA * BLOCK);
	CHECK(stats_of(fd).user_held == QUOTA * BLOCK);
	CHECK(rent(fd, 1, &rented) == -EDQUOT);
	return 0;
}

/* User namespaces ------------------------------------------------------------- */

static int make_a_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

#define NO_NAMESPACES	"users cannot make user namespaces here"

static bool has_namespaces(void)
{
	return !as_user(ALICE, make_a_namespace);
}

/* Its first user is user 0 there, with all capabilities there. */
static int live_in_namespace(void *arg)
{
	const struct tenant *tenant = arg;

	CHECK(become(tenant->uid, 0));
	CHECK(!make_a_namespace());
	word_set(&court->is_made, 1);
	CHECK(word_reaches(&court->is_mapped, 1));
	return tenant->body();
}

static int map_write(pid_t pid, const char *name, const char *map)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return write_text(path, map);
}

/* A process in a user namespace of @uid's, with ids as newuidmap(1) gives them. */
static pid_t namespace_begin(uid_t uid, int (*body)(void))
{
	struct tenant tenant = { .uid = uid, .body = body };
	char map[64];
	pid_t pid;

	word_set(&court->is_made, 0);
	word_set(&court->is_mapped, 0);
	pid = spawn(live_in_namespace, &tenant);
	snprintf(map, sizeof(map), "0 %d 1\n1 %d 65536\n", uid, FIRST_ID);
	if (!word_reaches(&court->is_made, 1) ||
	    map_write(pid, "uid_map", map) ||
	    map_write(pid, "gid_map", "0 0 1"))
		return -1;
	word_set(&court->is_mapped, 1);
	return pid;
}

static int in_namespace(uid_t uid, int (*body)(void))
{
	pid_t pid = namespace_begin(uid, body);

	return pid < 0 ? -1 : reap(pid);
}

/* Rent what there is, under one id, and stay. */
static int rent_and_stay(void *arg)
{
	unsigned int id = *(unsigned int *)arg;
	struct bufpool_rent rented;
	int fd;

	CHECK(become(id, 0));
	fd = open_or_fail();
	while (!rent(fd, BLOCK, &rented))
		__atomic_fetch_add(&court->blocks, 1, __ATOMIC_RELAXED);
	word_set(&court->ready, id);
	CHECK(word_reaches(&court->go, 1));
	return 0;
}

static int rent_under_many_ids(void)
{
	pid_t pids[IDS + 1];
	unsigned int id;

	for (id = 1; id <= IDS; id++) {
		pids[id] = spawn(rent_and_stay, &id);
		CHECK(word_reaches(&court->ready, id));
	}
	for (id = 1; id <= IDS; id++)
		CHECK(!reap(pids[id]));
	return 0;
}

TEST_F(account, subordinate_ids_share_one)
{
	pid_t pid;

	if (!has_namespaces())
		SKIP(return, NO_NAMESPACES);
	pid = namespace_begin(ALICE, rent_under_many_ids);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(word_reaches(&court->ready, IDS));
	EXPECT_EQ(QUOTA, court->blocks);
	/* And it is the user's. */
	EXPECT_EQ(0, as_user(ALICE, find_it_rented));
	EXPECT_EQ(0, as_user(BOB, rent_the_quota));
	EXPECT_EQ(0, as_user(FIRST_ID, rent_the_quota));
	word_set(&court->go, 1);
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, as_user(ALICE, rent_the_quota));
}

static int rent_the_quota_and_stay(void)
{
	struct bufpool_block blocks[MOST];
	int fd = open_or_fail();

	CHECK(rent_many(fd, BLOCK, MOST, blocks) == QUOTA);
	word_set(&court->ready, 1);
	CHECK(word_reaches(&court->go, 1));
	return 0;
}

/* Two users who give the same ids to their namespaces. */
TEST_F(account, each_users_namespaces_have_one)
{
	pid_t pid;

	if (!has_namespaces())
		SKIP(return, NO_NAMESPACES);
	pid = namespace_begin(ALICE, rent_the_quota_and_stay);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(word_reaches(&court->ready, 1));
	EXPECT_EQ(0, in_namespace(BOB, rent_the_quota));
	word_set(&court->go, 1);
	EXPECT_EQ(0, reap(pid));
}

/* A namespace in the one that this process is in, whose user it is then. */
static void nest(const char *map)
{
	CHECK(!prctl(PR_SET_DUMPABLE, 1));
	CHECK(!make_a_namespace());
	CHECK(!prctl(PR_SET_DUMPABLE, 1));
	CHECK(!write_text("/proc/self/setgroups", "deny"));
	CHECK(!write_text("/proc/self/uid_map", map));
	CHECK(!write_text("/proc/self/gid_map", "0 0 1"));
}

/* All but the outermost belong to a subordinate id. */
static int rent_below(void)
{
	CHECK(become(5, 0));
	nest("0 5 1");
	nest("0 0 1");
	nest("0 0 1");
	return rent_the_quota_and_stay();
}

TEST_F(account, nested_namespaces_have_the_outermosts)
{
	pid_t pid;

	if (!has_namespaces())
		SKIP(return, NO_NAMESPACES);
	pid = namespace_begin(ALICE, rent_below);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(word_reaches(&court->ready, 1));
	EXPECT_EQ(0, as_user(ALICE, find_it_rented));
	EXPECT_EQ(0, as_user(FIRST_ID + 4, rent_the_quota));
	word_set(&court->go, 1);
	EXPECT_EQ(0, reap(pid));
}

/* All capabilities in a namespace, be it root's, exempt from nothing. */
TEST_F(account, only_the_initial_namespace_exempts)
{
	if (!has_namespaces())
		SKIP(return, NO_NAMESPACES);
	EXPECT_EQ(0, in_namespace(0, rent_the_quota));
	EXPECT_EQ(0, in_namespace(ALICE, rent_the_quota));
}

static int see_oneself(void)
{
	int fd = open_or_fail();

	CHECK(client_number(fd, "account") == 0);
	return 0;
}

/* As in the namespace of who looks. */
TEST_F(account, fdinfo_has_it)
{
	EXPECT_EQ(0, client_number(self->fd, "account"));
	if (!has_namespaces())
		SKIP(return, NO_NAMESPACES);
	EXPECT_EQ(0, in_namespace(ALICE, see_oneself));
}

/* What changes after the device was opened ------------------------------------- */

static int become_another(void)
{
	struct bufpool_block blocks[MOST];
	int fd = open_or_fail();

	CHECK(become(BOB, ONLY_OPEN));
	CHECK(rent_many(fd, BLOCK, MOST, blocks) == QUOTA);
	CHECK(client_number(fd, "account") == ALICE);
	CHECK(stats_of(fd).user_held == QUOTA * BLOCK);
	CHECK(stats_of(open_or_fail()).user_held == 0);
	word_set(&court->ready, 1);
	CHECK(word_reaches(&court->go, 1));
	return 0;
}

TEST_F(account, setuid_changes_nothing)
{
	struct tenant alice = {
		.uid = ALICE,
		.capabilities = ONLY_OPEN | CAP_TO_MASK(CAP_SETUID),
		.body = become_another,
	};
	pid_t pid = spawn(live_as, &alice);

	ASSERT_TRUE(word_reaches(&court->ready, 1));
	EXPECT_EQ(0, as_user(ALICE, find_it_rented));
	EXPECT_EQ(0, as_user(BOB, rent_the_quota));
	word_set(&court->go, 1);
	EXPECT_EQ(0, reap(pid));
}

static int ends[2];

static int rent_what_was_passed(void)
{
	int fd = receive_descriptor(ends[1]);
	struct bufpool_block blocks[MOST];

	CHECK(fd >= 0);
	CHECK(rent_many(fd, BLOCK, MOST, blocks) == QUOTA);
	CHECK(client_number(fd, "account") == ALICE);
	word_set(&court->ready, 1);
	CHECK(word_reaches(&court->go, 1));
	return 0;
}

static int pass_on(void)
{
	int fd = open_or_fail();

	CHECK(send_descriptor(ends[0], fd));
	return 0;
}

/* Who opened it pays, also when nothing else of that user is left. */
TEST_F(account, passed_descriptor_is_the_openers)
{
	struct tenant bob = {
		.uid = BOB,
		.capabilities = ONLY_OPEN,
		.body = rent_what_was_passed,
	};
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	pid = spawn(live_as, &bob);
	ASSERT_EQ(0, as_user(ALICE, pass_on));
	ASSERT_TRUE(word_reaches(&court->ready, 1));
	EXPECT_EQ(0, as_user(ALICE, find_it_rented));
	EXPECT_EQ(0, as_user(BOB, rent_the_quota));
	word_set(&court->go, 1);
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, as_user(ALICE, rent_the_quota));
}

/* The table --------------------------------------------------------------------- */

struct row {
	unsigned int uid;
	__u64 clients, waiters, bytes, warm_bytes, kept_bytes, pinned, quota, quarantined;
};

/*
 * Read the table. Return: how many rows have user ids from @first up to before @end, of
 * which @row is the last; or -1 where something is wrong with it.
 */
static int rows_of(unsigned int first, unsigned int end, struct row *row)
{
	FILE *file = fopen(ACCOUNTS, "re");
	char line[256], title[256] = "";
	long long last = -1;
	int count = 0, at;
	struct row r;

	if (!file)
		return -1;
	if (!fgets(title, sizeof(title), file))
		count = -1;
	for (at = 0; title[at] == ' '; at++)
		;
	if (strncmp(title + at, "uid ", 4))
		count = -1;
	while (count >= 0 && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%u %llu %llu %llu %llu %llu %llu %llu %llu%n", &r.uid,
			   &r.clients, &r.waiters, &r.bytes, &r.warm_bytes,
			   &r.kept_bytes, &r.pinned, &r.quota, &r.quarantined, &at) != 9 ||
		    line[at] != '\n' || r.uid <= last) {
			count = -1;
			break;
		}
		last = r.uid;
		if (r.uid < first || r.uid >= end)
			continue;
		*row = r;
		count++;
	}
	fclose(file);
	return count;
}

static int hold_some(void)
{
	int one = open_or_fail(), two = open_or_fail();
	struct bufpool_block blocks[4];

	CHECK(rent_many(one, BLOCK, 3, blocks) == 3);
	CHECK(rent_many(two, BLOCK, 1, blocks + 3) == 1);
	CHECK(!give(one, blocks[0].handle));
	word_set(&court->ready, 1);
	CHECK(word_reaches(&court->go, 1));
	return 0;
}

TEST_F(account, is_listed_while_it_has_clients)
{
	struct tenant alice = {
		.uid = ALICE,
		.capabilities = ONLY_OPEN,
		.body = hold_some,
	};
	struct row row;
	pid_t pid;

	if (access(ACCOUNTS, R_OK))
		SKIP(return, "cannot read " ACCOUNTS);
	ASSERT_EQ(0, rows_of(ALICE, ALICE + 1, &row));
	pid = spawn(live_as, &alice);
	ASSERT_TRUE(word_reaches(&court->ready, 1));
	ASSERT_EQ(1, rows_of(ALICE, ALICE + 1, &row));
	EXPECT_EQ(2, row.clients);
	EXPECT_EQ(0, row.waiters);
	EXPECT_EQ(3 * BLOCK, row.bytes);
	EXPECT_EQ(BLOCK, row.warm_bytes);
	EXPECT_EQ(0, row.kept_bytes);
	EXPECT_EQ(4 * BLOCK, row.pinned);
	EXPECT_EQ(QUOTA * BLOCK, row.quota);
	EXPECT_EQ(0, row.quarantined);
	word_set(&court->go, 1);
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(BECOMES(rows_of(ALICE, ALICE + 1, &row) == 0));
}

/* Have a pipe refer to one of two blocks, and end. */
static int leave_one_behind(void)
{
	struct bufpool_rent rented, left;
	int fd = open_or_fail();
	struct iovec vec = {
		.iov_base = rent_io_mapped(fd, BLOCK, &left),
		.iov_len = BLOCK,
	};

	CHECK(!rent(fd, BLOCK, &rented));
	CHECK(vec.iov_base);
	memset(vec.iov_base, 'l', BLOCK);
	CHECK(vmsplice(court->pipe[1], &vec, 1, 0) == BLOCK);
	return 0;
}

/* It has no client, and still more than nothing. */
TEST_F(account, is_listed_while_it_has_blocks_in_quarantine)
{
	struct row row;

	if (access(ACCOUNTS, R_OK))
		SKIP(return, "cannot read " ACCOUNTS);
	ASSERT_EQ(0, pipe(court->pipe));
	EXPECT_EQ(0, as_user(ALICE, leave_one_behind));
	EXPECT_TRUE(BECOMES(stats_of(self->fd).quarantined == BLOCK));
	ASSERT_EQ(1, rows_of(ALICE, ALICE + 1, &row));
	EXPECT_EQ(0, row.clients);
	EXPECT_EQ(0, row.bytes);
	EXPECT_EQ(0, row.warm_bytes);
	EXPECT_EQ(BLOCK, row.pinned);
	EXPECT_EQ(BLOCK, row.quarantined);
	EXPECT_EQ(0, stats_of(self->fd).user_quarantined);
	close(court->pipe[0]);
	close(court->pipe[1]);
	EXPECT_TRUE(BECOMES(rows_of(ALICE, ALICE + 1, &row) == 0));
	EXPECT_EQ(0, stats_of(self->fd).quarantined);
}

static int make_a_channel(void)
{
	struct channel channel;

	CHECK(!channel_make(open_or_fail(), 1, &channel));
	return 0;
}

TEST_F(account, is_gone_with_its_last_channel)
{
	struct row row;

	if (access(ACCOUNTS, R_OK))
		SKIP(return, "cannot read " ACCOUNTS);
	EXPECT_EQ(0, as_user(ALICE, make_a_channel));
	EXPECT_TRUE(BECOMES(rows_of(ALICE, ALICE + 1, &row) == 0));
}

/* What it pays for in another's slab, and that other for the slab, comes back, or goes on. */
TEST_F(account, is_gone_with_the_last_block_that_it_pays_for)
{
	int alice = open_for(ALICE), bob = open_for(BOB), carol = open_for(CAROL);
	struct bufpool_message message;
	struct bufpool_rent rented;
	struct channel channel;
	struct row row;

	if (access(ACCOUNTS, R_OK))
		SKIP(return, "cannot read " ACCOUNTS);
	ASSERT_EQ(0, channel_make(self->fd, 1, &channel));
	ASSERT_EQ(0, rent(alice, BLOCK, &rented));
	ASSERT_EQ(0, send_one(alice, channel.sends, &rented, 0));
	close(alice);
	ASSERT_EQ(0, receive_one(bob, channel.receives, &message));
	ASSERT_EQ(0, send_with(bob, channel.sends, message.handle, 0, 0, 0));
	close(bob);
	EXPECT_EQ(1, rows_of(ALICE, ALICE + 1, &row));
	EXPECT_EQ(1, rows_of(BOB, BOB + 1, &row));
	ASSERT_EQ(0, receive_one(carol, channel.receives, &message));
	EXPECT_TRUE(BECOMES(rows_of(BOB, BOB + 1, &row) == 0));
	ASSERT_EQ(0, give(carol, message.handle));
	EXPECT_TRUE(BECOMES(rows_of(ALICE, ALICE + 1, &row) == 0));
	close(carol);
	EXPECT_TRUE(BECOMES(rows_of(CAROL, CAROL + 1, &row) == 0));
	channel_end(&channel);
}

TEST_F(account, no_quota_is_all_ones)
{
	struct row row;

	if (access(ACCOUNTS, R_OK))
		SKIP(return, "cannot read " ACCOUNTS);
	ASSERT_EQ(0, parameter_write("quota", LONG_MAX));
	ASSERT_EQ(1, rows_of(geteuid(), geteuid() + 1, &row));
	EXPECT_LE(1, row.clients);
	EXPECT_EQ(~0ULL, row.quota);
}

static int open_as(uid_t uid)
{
	int fd;

	CHECK(!setresuid(-1, uid, -1));
	fd = open_or_fail();
	CHECK(!setresuid(-1, 0, -1));
	return fd;
}

/* Thousands of users, all at once, and then none. */
static int be_many(void *arg)
{
	unsigned int most = often(4000), i;
	struct rlimit files = { most + 64, most + 64 };
	int *fds = calloc(most, sizeof(*fds));
	struct row row;

	(void)arg;
	CHECK(fds && !setrlimit(RLIMIT_NOFILE, &files));
	CHECK(!prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP));
	for (i = 0; i < most; i++)
		fds[i] = open_as(FIRST_ID + i * 7);
	CHECK(rows_of(FIRST_ID, FIRST_ID + most * 7, &row) == (int)most);
	CHECK(row.uid == FIRST_ID + (most - 1) * 7);
	CHECK(row.clients == 1);
	for (i = 0; i < most; i += 2)
		CHECK(!close(fds[i]));
	CHECK(rows_of(FIRST_ID, FIRST_ID + most * 7, &row) == (int)most / 2);
	for (i = 1; i < most; i += 2)
		CHECK(!close(fds[i]));
	CHECK(rows_of(FIRST_ID, FIRST_ID + most * 7, &row) == 0);
	return 0;
}

TEST_F(account, thousands_come_and_go)
{
	if (access(ACCOUNTS, R_OK))
		SKIP(return, "cannot read " ACCOUNTS);
	EXPECT_EQ(0, in_child(be_many, NULL));
}

/* The last client of an account goes while another task opens the next. */
static int come_and_go(void *arg)
{
	unsigned int rounds = often(8000);

	(void)arg;
	CHECK(!prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP));
	CHECK(!setresuid(-1, ALICE, -1));
	while (rounds--)
		CHECK(!close(open_or_fail()));
	return 0;
}

TEST_F(account, comes_and_goes_in_a_race)
{
	pid_t pids[3];
	struct row row;
	size_t i;

	if (access(ACCOUNTS, R_OK))
		SKIP(return, "cannot read " ACCOUNTS);
	for (i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = spawn(come_and_go, NULL);
	while (!child_has_ended())
		EXPECT_LE(0, rows_of(ALICE, ALICE + 1, &row));
	for (i = 0; i < ARRAY_SIZE(pids); i++)
		EXPECT_EQ(0, reap(pids[i]));
	EXPECT_TRUE(BECOMES(rows_of(ALICE, ALICE + 1, &row) == 0));
}

TEST_HARNESS_MAIN
