// SPDX-License-Identifier: MIT
/*
 * Clients, as fdinfo and the table in debugfs show them.
 */
#include "channel.h"
#include "effort.h"
#include "inside.h"
#include "keeper.h"
#include "outside.h"
#include "random.h"

#include <grp.h>

#define CLIENTS_MAX	4

static bool fdinfo_agrees(int fd, const struct bufpool_stats *stats)
{
	return client_number(fd, "blocks") == stats->client_blocks &&
	       client_number(fd, "bytes") == stats->client_bytes &&
	       client_number(fd, "warm-blocks") == stats->client_warm_blocks &&
	       client_number(fd, "warm-bytes") == stats->client_warm_bytes &&
	       client_number(fd, "kept-blocks") == stats->client_kept_blocks &&
	       client_number(fd, "kept-bytes") == stats->client_kept_bytes &&
	       client_number(fd, "user-quarantined") == stats->user_quarantined &&
	       client_number(fd, "ceiling") == stats->client_ceiling &&
	       client_number(fd, "rents") == stats->client_rents &&
	       client_number(fd, "returns") == stats->client_returns &&
	       client_number(fd, "sent") == stats->client_sent &&
	       client_number(fd, "received") == stats->client_received &&
	       client_number(fd, "account") == geteuid();
}

TEST_F(pool, fdinfo_agrees_with_stats)
{
	int copy = dup(self->fd), other = pool_open();
	struct bufpool_block blocks[3];
	struct bufpool_stats stats;

	ASSERT_LE(0, copy);
	ASSERT_LE(0, other);
	ASSERT_EQ(0, pool_stats(self->fd, &stats));
	EXPECT_TRUE(fdinfo_agrees(self->fd, &stats));
	EXPECT_EQ(~0ULL, client_number(self->fd, "ceiling"));

	ASSERT_EQ(3, rent_many(self->fd, 2 * PAGE, 3, blocks));
	ASSERT_EQ(0, give(self->fd, blocks[2].handle));
	ASSERT_EQ(0, set_ceiling(self->fd, MIB));
	ASSERT_EQ(0, pool_stats(self->fd, &stats));
	EXPECT_TRUE(fdinfo_agrees(self->fd, &stats));
	EXPECT_EQ(2, client_number(self->fd, "blocks"));
	EXPECT_EQ(4 * PAGE, client_number(self->fd, "bytes"));
	EXPECT_EQ(1, client_number(self->fd, "warm-blocks"));
	EXPECT_EQ(2 * PAGE, client_number(self->fd, "warm-bytes"));
	EXPECT_EQ(MIB, client_number(self->fd, "ceiling"));
	EXPECT_EQ(3, client_number(self->fd, "rents"));
	EXPECT_EQ(1, client_number(self->fd, "returns"));

	/* the same client, and another one */
	EXPECT_TRUE(fdinfo_agrees(copy, &stats));
	EXPECT_EQ(0, client_number(other, "blocks"));
}

/* Both ends of a channel have its number, and no other has. */
TEST_F(pool, fdinfo_tells_channels_apart)
{
	struct channel channel, other;
	__u64 number;

	ASSERT_EQ(0, channel_make(self->fd, 1, &channel));
	ASSERT_EQ(0, channel_make(self->fd, 1, &other));
	number = client_number(channel.sends, "channel");
	EXPECT_NE(NOT_A_NUMBER, number);
	EXPECT_EQ(number, client_number(channel.receives, "channel"));
	EXPECT_EQ(number + 1, client_number(other.sends, "channel"));
	EXPECT_EQ(number + 1, client_number(other.receives, "channel"));
	channel_end(&channel);
	channel_end(&other);
}

/* It is the user's: each client says the same. */
TEST_F(pool, fdinfo_has_what_is_quarantined)
{
	int other = pool_open();
	struct outsider outsider;
	struct bufpool_rent rented;
	struct bufpool_stats stats;

	ASSERT_LE(0, other);
	ASSERT_NE(NULL, rent_shared(self->fd, 4 * PAGE, 'q', &rented, &outsider));
	ASSERT_EQ(0, give_up(self->fd, rented.handle));
	ASSERT_EQ(0, pool_stats(self->fd, &stats));
	EXPECT_EQ(4 * PAGE, stats.user_quarantined);
	EXPECT_TRUE(fdinfo_agrees(self->fd, &stats));
	EXPECT_EQ(4 * PAGE, client_number(other, "user-quarantined"));
	outsider_end(&outsider);
	EXPECT_TRUE(BECOMES(!client_number(other, "user-quarantined")));
}

/* debugfs --------------------------------------------------------------------- */

struct line {
	int pid;
	char comm[80];
	unsigned int uid;
	__u64 blocks, bytes, warm_blocks, warm_bytes, ceiling, rents, returns, kept_bytes;
};

static const char *const columns[] = {
	"pid", "comm", "uid", "blocks", "bytes", "warm_blocks", "warm_bytes",
	"ceiling", "rents", "returns", "kept_bytes",
};

#define NR_COLUMNS	((int)ARRAY_SIZE(columns))

/* The lines of the table that are of process @pid; how many, or -1. */
static int clients_of(pid_t pid, struct line lines[CLIENTS_MAX])
{
	static char text[256 * 1024];
	char *line, *next, *word, *save;
	int count = 0, column = 0, end;
	struct line l;

	if (file_read(DEBUGFS, text, sizeof(text)) < 0)
		return -1;
	line = text;
	next = strchr(line, '\n');
	if (!next)
		return -1;
	*next++ = '\0';
	for (word = strtok_r(line, " ", &save); word;
	     word = strtok_r(NULL, " ", &save), column++)
		if (column == NR_COLUMNS || strcmp(word, columns[column]))
			return -1;
	if (column != NR_COLUMNS)
		return -1;

	for (line = next; *line; line = next + 1) {
		next = strchr(line, '\n');
		if (!next)
			return -1;
		*next = '\0';
		if (sscanf(line,
			   "%d %79s %u %llu %llu %llu %llu %llu %llu %llu %llu%n",
			   &l.pid, l.comm, &l.uid, &l.blocks, &l.bytes,
			   &l.warm_blocks, &l.warm_bytes, &l.ceiling, &l.rents,
			   &l.returns, &l.kept_bytes, &end) != 11 || line[end])
			return -1;
		if (l.pid == pid && count < CLIENTS_MAX)
			lines[count++] = l;
	}
	return count;
}

TEST_F(pool, debugfs_lists_clients)
{
	struct line lines[CLIENTS_MAX];
	struct bufpool_block blocks[3];
	struct bufpool_stats stats;
	char comm[32] = "";
	int other;

	if (access(DEBUGFS, R_OK))
		SKIP(return, "cannot read " DEBUGFS);
	prctl(PR_GET_NAME, comm);
	ASSERT_EQ(3, rent_many(self->fd, 2 * PAGE, 3, blocks));
	ASSERT_EQ(0, give(self->fd, blocks[2].handle));
	ASSERT_EQ(0, pool_stats(self->fd, &stats));

	ASSERT_EQ(1, clients_of(getpid(), lines));
	EXPECT_STREQ(comm, lines[0].comm);
	EXPECT_EQ(geteuid(), lines[0].uid);
	EXPECT_EQ(2, lines[0].blocks);
	EXPECT_EQ(4 * PAGE, lines[0].bytes);
	EXPECT_EQ(1, lines[0].warm_blocks);
	EXPECT_EQ(2 * PAGE, lines[0].warm_bytes);
	EXPECT_EQ(stats.client_ceiling, lines[0].ceiling);
	EXPECT_EQ(3, lines[0].rents);
	EXPECT_EQ(1, lines[0].returns);

	other = pool_open();
	ASSERT_LE(0, other);
	ASSERT_EQ(0, set_ceiling(other, 5 * MIB));
	ASSERT_EQ(2, clients_of(getpid(), lines));
	EXPECT_EQ(0, lines[1].blocks);
	EXPECT_EQ(5 * MIB, lines[1].ceiling);
	ASSERT_EQ(0, close(other));
	EXPECT_EQ(1, clients_of(getpid(), lines));
}

/* A name cannot break out of its column. */
TEST_F(pool, debugfs_quotes_names)
{
	struct line lines[CLIENTS_MAX];
	int fd;

	if (access(DEBUGFS, R_OK))
		SKIP(return, "cannot read " DEBUGFS);
	ASSERT_EQ(0, prctl(PR_SET_NAME, "a b\\c\nd\033[1m\xff"));
	fd = pool_open();
	ASSERT_LE(0, fd);
	ASSERT_EQ(2, clients_of(getpid(), lines));
	EXPECT_STREQ("a\\040b\\134c\\012d\\033[1m\\377", lines[1].comm);
	close(fd);

	ASSERT_EQ(0, prctl(PR_SET_NAME, ""));
	fd = pool_open();
	ASSERT_LE(0, fd);
	EXPECT_EQ(2, clients_of(getpid(), lines));
	close(fd);
}

/* Clients that have had warm blocks, and keep others, come and go all the time. */
static int come_and_go(void *arg)
{
	unsigned int *stop = arg;

	while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
		struct bufpool_block blocks[2];
		struct bufpool_stack *stack;
		int fd = pool_open();

		CHECK(fd >= 0);
		CHECK(rent_many(fd, PAGE, 2, blocks) == 2);
		stack = map_stack(fd, blocks[1].handle >> 59);
		CHECK(stack != MAP_FAILED);
		CHECK(push(stack, entry_of(&blocks[1])));
		CHECK(!give(fd, blocks[0].handle));
		CHECK(!close(fd));
		CHECK(!munmap(stack, PAGE));
	}
	return 0;
}

TEST_F_TIMEOUT(pool, debugfs_is_read_while_clients_go, A_DAY)
{
	unsigned int *stop = shared_alloc(sizeof(*stop)), looks;
	struct line lines[CLIENTS_MAX];
	pid_t pid;

	if (access(DEBUGFS, R_OK))
		SKIP(return, "cannot read " DEBUGFS);
	ASSERT_NE(NULL, stop);
	pid = spawn(come_and_go, stop);
	ASSERT_LT(0, pid);
	for (looks = often(6400); looks && !child_has_ended(); looks--)
		EXPECT_EQ(1, clients_of(getpid(), lines));
	__atomic_store_n(stop, 1, __ATOMIC_RELAXED);
	EXPECT_EQ(0, reap(pid));
}

/* More clients than one read of the file shows. */
TEST_F(pool, debugfs_lists_many_clients)
{
	struct line lines[CLIENTS_MAX];
	char text[64];
	int fds[200], i, fd;

	if (access(DEBUGFS, R_OK))
		SKIP(return, "cannot read " DEBUGFS);
	for (i = 0; i < 200; i++) {
		fds[i] = pool_open();
		ASSERT_LE(0, fds[i]);
	}
	EXPECT_EQ(CLIENTS_MAX, clients_of(getpid(), lines));
	/* and it does not mind that they go while it is read */
	fd = open(DEBUGFS, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	for (i = 0; i < 200; i++) {
		EXPECT_LE(0, read(fd, text, sizeof(text)));
		close(fds[i]);
	}
	EXPECT_EQ(1, clients_of(getpid(), lines));
}

/* The line of a channel, in words; whether there is one. */
static bool channel_line(__u64 nr, char line[256])
{
	static char text[64 * 1024];
	char *at, *end;
	__u64 found;

	if (file_read("/sys/kernel/debug/bufpool/channels", text, sizeof(text)) < 0)
		return false;
	for (at = strchr(text, '\n'); at && at[1]; at = end) {
		end = strchr(++at, '\n');
		if (!end)
			return false;
		found = strtoull(at, NULL, 10);
		if (found != nr)
			continue;
		/* one space between words */
		for (; at < end; at++)
			if (*at != ' ' || (at[1] != ' ' && at[1] != '\n'))
				*line++ = *at;
		*line = '\0';
		return true;
	}
	return false;
}

TEST_F(pool, debugfs_lists_channels)
{
	struct bufpool_message message;
	struct bufpool_rent rented;
	char line[256], want[256];
	struct channel channel;
	__u64 nr;
	int i;

	if (access(DEBUGFS, R_OK))
		SKIP(return, "cannot read " DEBUGFS);
	ASSERT_EQ(0, prctl(PR_SET_NAME, "maker"));
	ASSERT_EQ(0, channel_make(self->fd, 8, &channel));
	nr = client_number(channel.sends, "channel");
	EXPECT_EQ(nr, client_number(channel.receives, "channel"));
	EXPECT_EQ(8, client_number(channel.sends, "capacity"));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, rent(self->fd, 4 * PAGE, &rented));
		ASSERT_EQ(0, send_one(self->fd, channel.sends, &rented, i));
	}
	ASSERT_EQ(0, receive_one(self->fd, channel.receives, &message));
	EXPECT_EQ(2, client_number(channel.receives, "messages"));
	ASSERT_TRUE(channel_line(nr, line));
	snprintf(want, sizeof(want), " %llu %d maker %u rs 8 2 %llu 3 1 0", nr, getpid(),
		 geteuid(), 8 * PAGE);
	EXPECT_STREQ(want, line);
	close_end(&channel.receives);
	ASSERT_TRUE(channel_line(nr, line));
	snprintf(want, sizeof(want), " %llu %d maker %u -s 8 0 0 3 1 2", nr, getpid(), geteuid());
	EXPECT_STREQ(want, line);
	close_end(&channel.sends);
	EXPECT_FALSE(channel_line(nr, line));
}

/* Names, pids and users are for root alone. */
TEST(debugfs_is_for_root_to_read)
{
	const char *const files[] = { "clients", "accounts", "cgroups", "channels" };
	char path[64];
	struct stat st;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/bufpool/%s", files[i]);
		ASSERT_EQ(0, stat(path, &st));
		EXPECT_EQ(S_IFREG | 0400, st.st_mode);
		EXPECT_EQ(0, st.st_uid);
	}
}

static int open_the_device(void *arg)
{
	(void)arg;
	CHECK(!setgroups(0, NULL) && !setresgid(4711, 4711, 4711) && become(4711, 0));
	CHECK(open("/dev/bufpool", O_RDWR) == -1 && errno == EACCES);
	CHECK(open("/dev/bufpool", O_RDONLY) == -1 && errno == EACCES);
	return 0;
}

TEST(device_is_opened_by_nobody_else)
{
	struct stat st;

	ASSERT_EQ(0, stat("/dev/bufpool", &st));
	ASSERT_EQ(0, chmod("/dev/bufpool", 0660));
	EXPECT_EQ(0, in_child(open_the_device, NULL));
	ASSERT_EQ(0, chmod("/dev/bufpool", st.st_mode & 07777));
}

TEST_HARNESS_MAIN
