// SPDX-License-Identifier: MIT
/*
 * Seeing inside: what sysfs, fdinfo, debugfs and the tracepoints say is what
 * STATS says and what has happened, and looking harms nobody.
 */
#include "bufpool_test.h"

#include <dirent.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <sys/syscall.h>

#define SYSFS		"/sys/class/misc/bufpool/"
#define CLASSES		SYSFS "classes/"
#define QUOTA		"/sys/module/bufpool/parameters/quota"
#define DEBUGFS		"/sys/kernel/debug/bufpool/clients"
#define TRACING		"/sys/kernel/tracing/"
#define INSTANCE	TRACING "instances/bufpool_inside/"

#define NOT_A_NUMBER	(~0ULL - 1)
#define CLIENTS_MAX	4

/* Files --------------------------------------------------------------------- */

/* The text of a file, however long; how many bytes, or -errno. */
static ssize_t file_read(const char *path, char *text, size_t size)
{
	ssize_t done = 0, ret = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (done < (ssize_t)size - 1) {
		ret = read(fd, text + done, size - 1 - done);
		if (ret <= 0)
			break;
		done += ret;
	}
	if (ret < 0)
		done = -errno;
	close(fd);
	text[done < 0 ? 0 : done] = '\0';
	return done;
}

/* The number that is the one line of a file, or NOT_A_NUMBER. */
static __u64 file_number(const char *directory, const char *name)
{
	char path[PATH_MAX], text[64], again[64];
	__u64 number;
	ssize_t len;

	snprintf(path, sizeof(path), "%s%s", directory, name);
	len = file_read(path, text, sizeof(text));
	if (len < 0)
		return NOT_A_NUMBER;
	number = strtoull(text, NULL, 10);
	len = snprintf(again, sizeof(again), "%llu\n", number);
	return strcmp(text, again) ? NOT_A_NUMBER : number;
}

static __u64 pool_number(const char *name)
{
	return file_number(SYSFS, name);
}

static __u64 class_number(__u64 block_size, const char *name)
{
	char directory[PATH_MAX];

	snprintf(directory, sizeof(directory), CLASSES "%llu/", block_size);
	return file_number(directory, name);
}

static int number_write(const char *path, __u64 number)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", number);
	return write_text(path, text);
}

/* Whether a class's file comes to say @want. */
static bool class_number_becomes(__u64 block_size, const char *name, __u64 want)
{
	__u64 end = now_ms() + SOON_MS;

	while (class_number(block_size, name) != want) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

/* A block size whose class has no slab yet, so that its blocks are new; or 0. */
static __u64 fresh_class(const struct bufpool_info *info)
{
	__u64 size = info->page_size;

	for (; size <= info->slab_size / 2; size *= 2)
		if (!class_number(size, "slabs"))
			return size;
	return 0;
}

/* sysfs --------------------------------------------------------------------- */

static const struct {
	const char *name;
	size_t offset;
} numbers[] = {
	{ "limit", offsetof(struct bufpool_stats, limit) },
	{ "in_use", offsetof(struct bufpool_stats, in_use) },
	{ "warm", offsetof(struct bufpool_stats, warm) },
	{ "pinned", offsetof(struct bufpool_stats, pinned) },
	{ "waiting", offsetof(struct bufpool_stats, waiting) },
	{ "clients", offsetof(struct bufpool_stats, clients) },
	{ "rents", offsetof(struct bufpool_stats, rents) },
	{ "reused", offsetof(struct bufpool_stats, reused) },
	{ "returns", offsetof(struct bufpool_stats, returns) },
	{ "waits", offsetof(struct bufpool_stats, waits) },
	{ "steals", offsetof(struct bufpool_stats, steals) },
	{ "scrubs", offsetof(struct bufpool_stats, scrubs) },
	{ "slabs_created", offsetof(struct bufpool_stats, slabs_created) },
	{ "slabs_destroyed", offsetof(struct bufpool_stats, slabs_destroyed) },
};

#define NR_NUMBERS	ARRAY_SIZE(numbers)

static const char *const class_numbers[] = {
	"slabs", "idle_slabs", "free", "out", "waiting",
};

#define NR_CLASS_NUMBERS	ARRAY_SIZE(class_numbers)

static __u64 in_stats(int fd, size_t offset)
{
	struct bufpool_stats stats;
	__u64 number = NOT_A_NUMBER;

	if (!pool_stats(fd, &stats))
		memcpy(&number, (char *)&stats + offset, sizeof(number));
	return number;
}

FIXTURE(pool)
{
	int fd;
	struct bufpool_info info;
};

FIXTURE_SETUP(pool)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
}

FIXTURE_TEARDOWN(pool)
{
	close(self->fd);
}

TEST_F(pool, numbers_agree_with_stats)
{
	struct bufpool_block blocks[8];
	__u64 before, shown, after;
	unsigned int i, tries;

	ASSERT_EQ(8, rent_many(self->fd, 8 * KIB, 8, blocks));
	ASSERT_EQ(0, give(self->fd, blocks[0].handle));
	for (i = 0; i < NR_NUMBERS; i++) {
		/* the background goes on meanwhile */
		for (tries = 0; tries < 100; tries++) {
			before = in_stats(self->fd, numbers[i].offset);
			shown = pool_number(numbers[i].name);
			after = in_stats(self->fd, numbers[i].offset);
			if (before == after)
				break;
		}
		EXPECT_NE(NOT_A_NUMBER, shown);
		EXPECT_EQ(before, after);
		EXPECT_EQ(before, shown) {
			TH_LOG("%s", numbers[i].name);
		}
	}
	EXPECT_EQ(limit_read(), pool_number("limit"));
	EXPECT_EQ(7 * 8 * KIB, pool_number("in_use"));
	EXPECT_EQ(1 * 8 * KIB, pool_number("warm"));
}

TEST_F(pool, quota_is_the_parameter)
{
	__u64 quota = file_number(QUOTA, "");

	ASSERT_NE(NOT_A_NUMBER, quota);
	EXPECT_EQ(quota, pool_number("quota"));
	ASSERT_EQ(0, number_write(QUOTA, 3 * MIB));
	EXPECT_EQ(3 * MIB, pool_number("quota"));
	ASSERT_EQ(0, number_write(QUOTA, quota));
	EXPECT_EQ(quota, pool_number("quota"));
}

TEST_F(pool, numbers_are_read_only)
{
	char path[PATH_MAX];
	struct stat stat_buf;
	unsigned int i;

	for (i = 0; i < NR_NUMBERS; i++) {
		snprintf(path, sizeof(path), SYSFS "%s", numbers[i].name);
		ASSERT_EQ(0, stat(path, &stat_buf));
		EXPECT_EQ(0444, stat_buf.st_mode & 07777);
		EXPECT_EQ(-EACCES, write_text(path, "1"));
	}
	EXPECT_EQ(-EACCES, write_text(SYSFS "quota", "1"));
	for (i = 0; i < NR_CLASS_NUMBERS; i++) {
		snprintf(path, sizeof(path), CLASSES "%u/%s",
			 self->info.page_size, class_numbers[i]);
		ASSERT_EQ(0, stat(path, &stat_buf));
		EXPECT_EQ(0444, stat_buf.st_mode & 07777);
		EXPECT_EQ(-EACCES, write_text(path, "1"));
	}
}

/* How many files a class's directory has that are one number. */
static unsigned int class_files(__u64 block_size)
{
	unsigned int count = 0, i;

	for (i = 0; i < NR_CLASS_NUMBERS; i++)
		count += class_number(block_size, class_numbers[i]) !=
			 NOT_A_NUMBER;
	return count;
}

TEST_F(pool, a_directory_for_each_class)
{
	DIR *dir = opendir(CLASSES);
	unsigned int class, found = 0;
	struct dirent *entry;

	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir)))
		found += entry->d_name[0] != '.';
	closedir(dir);
	EXPECT_EQ(self->info.nr_classes, found);

	for (class = 0; class < self->info.nr_classes; class++)
		EXPECT_EQ(NR_CLASS_NUMBERS,
			  class_files((__u64)self->info.page_size << class));
}

TEST_F(pool, class_numbers_follow_blocks)
{
	__u64 size = fresh_class(&self->info), per_slab;
	struct bufpool_block blocks[3];
	__u64 handles[3];
	int i;

	if (!size)
		SKIP(return, "every class has slabs already");
	per_slab = self->info.slab_size / size;
	EXPECT_EQ(0, class_number(size, "out"));
	EXPECT_EQ(0, class_number(size, "free"));

	ASSERT_EQ(3, rent_many(self->fd, size, 3, blocks));
	for (i = 0; i < 3; i++)
		handles[i] = blocks[i].handle;
	EXPECT_EQ(3, class_number(size, "out"));
	EXPECT_EQ((3 + per_slab - 1) / per_slab, class_number(size, "slabs"));
	EXPECT_EQ(class_number(size, "slabs") * per_slab - 3,
		  class_number(size, "free"));
	EXPECT_EQ(0, class_number(size, "idle_slabs"));
	EXPECT_EQ(0, class_number(size, "waiting"));

	/* a warm block is out still, */
	ASSERT_EQ(0, give(self->fd, handles[0]));
	EXPECT_EQ(3, class_number(size, "out"));
	/* and one that is given up is not */
	ASSERT_EQ(0, give_with(self->fd, handles[1], BUFPOOL_RETURN_REVOKE));
	EXPECT_EQ(2, class_number(size, "out"));
	EXPECT_EQ(class_number(size, "slabs") * per_slab - 2,
		  class_number(size, "free"));
	close(self->fd);
	EXPECT_EQ(0, class_number(size, "out"));
	EXPECT_EQ(class_number(size, "slabs"),
		  class_number(size, "idle_slabs"));
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
}

/* Thirty rents, twenty of them of new blocks and ten of used ones. */
TEST_F(pool, new_and_reused_are_told_apart)
{
	__u64 size = fresh_class(&self->info), rents, reused;
	struct bufpool_block blocks[20];
	struct bufpool_stats first, second;
	int i;

	if (!size)
		SKIP(return, "every class has slabs already");
	rents = pool_number("rents");
	reused = pool_number("reused");
	ASSERT_EQ(0, pool_stats(self->fd, &first));

	ASSERT_EQ(20, rent_many(self->fd, size, 20, blocks));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, give(self->fd, blocks[i].handle));
	ASSERT_EQ(10, rent_many(self->fd, size, 10, blocks));

	ASSERT_EQ(0, pool_stats(self->fd, &second));
	EXPECT_EQ(30, second.rents - first.rents);
	EXPECT_EQ(10, second.reused - first.reused);
	EXPECT_EQ(10, second.returns - first.returns);
	EXPECT_EQ(30, second.client_rents);
	EXPECT_EQ(10, second.client_warm_rents);
	EXPECT_EQ(10, second.client_returns);
	EXPECT_EQ(20, second.client_blocks);
	EXPECT_EQ(30, pool_number("rents") - rents);
	EXPECT_EQ(10, pool_number("reused") - reused);
	EXPECT_EQ(20, class_number(size, "out"));
}

/*
 * A full pool, and a child that waits for the block which fills it. If it gets
 * that it gives it back and rents it again, which needs no waiting.
 */
struct queue {
	__u64 size;
	__s64 timeout_ns;
	int expect;
};

static int stand_in_line(void *arg)
{
	struct queue *queue = arg;
	struct bufpool_rent rented;
	int fd = pool_open();

	CHECK(fd >= 0);
	CHECK(rent_with(fd, queue->size, 0, queue->timeout_ns, &rented) ==
	      queue->expect);
	if (!queue->expect) {
		CHECK(!give(fd, rented.handle));
		CHECK(!rent(fd, queue->size, &rented));
	}
	return 0;
}

TEST_F(pool, who_waits_is_counted)
{
	struct queue queue = {
		.size = self->info.max_pooled,
		.timeout_ns = SOON_MS * NSEC_PER_MSEC,
	};
	struct bufpool_rent rented;
	struct bufpool_stats stats;
	pid_t child;

	ASSERT_EQ(0, limit_write(self->info.max_pooled));
	ASSERT_EQ(0, rent(self->fd, queue.size, &rented));
	ASSERT_EQ(0, class_number(queue.size, "waiting"));

	child = spawn(stand_in_line, &queue);
	EXPECT_TRUE(class_number_becomes(queue.size, "waiting", 1));
	EXPECT_EQ(1, pool_number("waiting"));
	ASSERT_EQ(0, pool_stats(self->fd, &stats));
	EXPECT_EQ(1, stats.waiting);
	EXPECT_EQ(stats.waits, pool_number("waits"));

	ASSERT_EQ(0, give(self->fd, rented.handle));
	EXPECT_EQ(0, reap(child));
	EXPECT_EQ(0, class_number(queue.size, "waiting"));
	EXPECT_EQ(0, pool_number("waiting"));
	limit_restore();
}

TEST_F(pool, who_stops_waiting_is_not)
{
	struct queue queue = {
		.size = self->info.max_pooled,
		.timeout_ns = NSEC_PER_MSEC,
		.expect = -ETIMEDOUT,
	};
	struct bufpool_rent rented;
	pid_t child;

	ASSERT_EQ(0, limit_write(self->info.max_pooled));
	ASSERT_EQ(0, rent(self->fd, queue.size, &rented));
	EXPECT_EQ(0, in_child(stand_in_line, &queue));
	EXPECT_EQ(0, class_number(queue.size, "waiting"));

	queue.timeout_ns = 0;
	child = spawn(stand_in_line, &queue);
	EXPECT_TRUE(class_number_becomes(queue.size, "waiting", 1));
	kill(child, SIGKILL);
	EXPECT_EQ(-SIGKILL, reap(child));
	EXPECT_EQ(0, class_number(queue.size, "waiting"));
	limit_restore();
}

/* fdinfo ---------------------------------------------------------------------- */

/* The number after "bufpool-NAME:", which is there once; or NOT_A_NUMBER. */
static __u64 client_number(int fd, const char *name)
{
	char path[64], text[4096], key[64], *found, *end;
	__u64 number;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (file_read(path, text, sizeof(text)) < 0)
		return NOT_A_NUMBER;
	snprintf(key, sizeof(key), "\nbufpool-%s:\t", name);
	found = strstr(text, key);
	if (!found || strstr(found + 1, key))
		return NOT_A_NUMBER;
	number = strtoull(found + strlen(key), &end, 10);
	return *end == '\n' ? number : NOT_A_NUMBER;
}

static bool fdinfo_agrees(int fd, const struct bufpool_stats *stats)
{
	return client_number(fd, "blocks") == stats->client_blocks &&
	       client_number(fd, "bytes") == stats->client_bytes &&
	       client_number(fd, "warm-blocks") == stats->client_warm_blocks &&
	       client_number(fd, "warm-bytes") == stats->client_warm_bytes &&
	       client_number(fd, "ceiling") == stats->client_ceiling &&
	       client_number(fd, "rents") == stats->client_rents &&
	       client_number(fd, "returns") == stats->client_returns;
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

	ASSERT_EQ(3, rent_many(self->fd, 8 * KIB, 3, blocks));
	ASSERT_EQ(0, give(self->fd, blocks[2].handle));
	ASSERT_EQ(0, set_ceiling(self->fd, MIB));
	ASSERT_EQ(0, pool_stats(self->fd, &stats));
	EXPECT_TRUE(fdinfo_agrees(self->fd, &stats));
	EXPECT_EQ(2, client_number(self->fd, "blocks"));
	EXPECT_EQ(16 * KIB, client_number(self->fd, "bytes"));
	EXPECT_EQ(1, client_number(self->fd, "warm-blocks"));
	EXPECT_EQ(8 * KIB, client_number(self->fd, "warm-bytes"));
	EXPECT_EQ(MIB, client_number(self->fd, "ceiling"));
	EXPECT_EQ(3, client_number(self->fd, "rents"));
	EXPECT_EQ(1, client_number(self->fd, "returns"));

	/* the same client, and another one */
	EXPECT_TRUE(fdinfo_agrees(copy, &stats));
	EXPECT_EQ(0, client_number(other, "blocks"));
}

/* debugfs --------------------------------------------------------------------- */

struct line {
	int pid;
	char comm[80];
	unsigned int uid;
	__u64 blocks, bytes, warm_blocks, warm_bytes, ceiling, rents, returns;
};

static const char *const columns[] = {
	"pid", "comm", "uid", "blocks", "bytes", "warm_blocks", "warm_bytes",
	"ceiling", "rents", "returns",
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
			   "%d %79s %u %llu %llu %llu %llu %llu %llu %llu%n",
			   &l.pid, l.comm, &l.uid, &l.blocks, &l.bytes,
			   &l.warm_blocks, &l.warm_bytes, &l.ceiling, &l.rents,
			   &l.returns, &end) != 10 || line[end])
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
	ASSERT_EQ(3, rent_many(self->fd, 8 * KIB, 3, blocks));
	ASSERT_EQ(0, give(self->fd, blocks[2].handle));
	ASSERT_EQ(0, pool_stats(self->fd, &stats));

	ASSERT_EQ(1, clients_of(getpid(), lines));
	EXPECT_STREQ(comm, lines[0].comm);
	EXPECT_EQ(geteuid(), lines[0].uid);
	EXPECT_EQ(2, lines[0].blocks);
	EXPECT_EQ(16 * KIB, lines[0].bytes);
	EXPECT_EQ(1, lines[0].warm_blocks);
	EXPECT_EQ(8 * KIB, lines[0].warm_bytes);
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

/* Tracepoints ------------------------------------------------------------------ */

/*
 * To make an instance is to make the files of every event that the kernel has,
 * which takes long: the first test does it for all.
 */
static void remove_instance(void)
{
	rmdir(INSTANCE);
}

static void __attribute__((constructor)) remove_instance_at_the_end(void)
{
	remove_instance();
	atexit(remove_instance);
}

static bool clear_trace(void)
{
	int fd = open(INSTANCE "trace", O_WRONLY | O_TRUNC | O_CLOEXEC);

	return fd >= 0 && !close(fd);
}

FIXTURE(traced)
{
	int fd;
	struct bufpool_info info;
	char *text;
};

#define TEXT_SIZE	MIB

FIXTURE_SETUP(traced)
{
	self->text = malloc(TEXT_SIZE);
	ASSERT_NE(NULL, self->text);
	if (access(TRACING "instances", W_OK))
		SKIP(return, "cannot trace: %s", strerror(errno));
	if (mkdir(INSTANCE, 0700))
		ASSERT_EQ(EEXIST, errno);
	ASSERT_TRUE(clear_trace());
	ASSERT_EQ(0, write_text(INSTANCE "events/bufpool/enable", "1"));
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
}

FIXTURE_TEARDOWN(traced)
{
	write_text(INSTANCE "events/bufpool/enable", "0");
	close(self->fd);
	limit_restore();
	free(self->text);
}

/* How often a text is in the trace. */
static int traced(char *text, const char *format, ...)
{
	const char *found = text;
	char wanted[256];
	int count = 0;
	va_list args;

	va_start(args, format);
	vsnprintf(wanted, sizeof(wanted), format, args);
	va_end(args);
	if (file_read(INSTANCE "trace", text, TEXT_SIZE) < 0)
		return -1;
	while ((found = strstr(found, wanted))) {
		found++;
		count++;
	}
	return count;
}

TEST_F(traced, rent_and_return)
{
	__u64 size = fresh_class(&self->info);
	struct bufpool_rent rented;
	pid_t pid = getpid();

	if (!size)
		SKIP(return, "every class has slabs already");
	ASSERT_EQ(0, rent(self->fd, size, &rented));
	EXPECT_EQ(1, traced(self->text,
			    "bufpool_rent: client=%d handle=0x%llx offset=0x%llx length=%llu flags=\n",
			    pid, rented.handle, rented.offset, rented.length));
	ASSERT_EQ(0, give(self->fd, rented.handle));
	EXPECT_EQ(1, traced(self->text,
			    "bufpool_return: client=%d handle=0x%llx offset=0x%llx length=%llu flags=warm\n",
			    pid, rented.handle, rented.offset, rented.length));
	ASSERT_EQ(0, rent(self->fd, size, &rented));
	EXPECT_EQ(1, traced(self->text,
			    "bufpool_rent: client=%d handle=0x%llx offset=0x%llx length=%llu flags=warm|reused\n",
			    pid, rented.handle, rented.offset, rented.length));
	ASSERT_EQ(0, give_with(self->fd, rented.handle,
			       BUFPOOL_RETURN_REVOKE));
	EXPECT_EQ(1, traced(self->text,
			    "bufpool_return: client=%d handle=0x%llx offset=0x%llx length=%llu flags=\n",
			    pid, rented.handle, rented.offset, rented.length));

	/* what a client leaves behind is returned too */
	ASSERT_EQ(0, rent(self->fd, size, &rented));
	close(self->fd);
	EXPECT_EQ(1, traced(self->text,
			    "bufpool_return: client=%d handle=0x%llx ", pid,
			    rented.handle));
	EXPECT_EQ(3, traced(self->text, " bufpool_rent: "));
	EXPECT_EQ(3, traced(self->text, " bufpool_return: "));
	self->fd = -1;
}

TEST_F(traced, revoke_and_scrub)
{
	struct bufpool_rent rented;
	__u64 end = now_ms() + SOON_MS;
	char *at = rent_mapped(self->fd, 64 * KIB, &rented);

	ASSERT_NE(NULL, at);
	at[0] = 1;
	ASSERT_EQ(0, give(self->fd, rented.handle));
	EXPECT_EQ(0, traced(self->text, " bufpool_revoke: "));
	ASSERT_EQ(0, rent(self->fd, 64 * KIB, &rented));
	ASSERT_EQ(0, give_with(self->fd, rented.handle,
			       BUFPOOL_RETURN_REVOKE));
	EXPECT_EQ(1, traced(self->text,
			    "bufpool_revoke: client=%d offset=0x%llx length=%llu\n",
			    getpid(), rented.offset, rented.length));
	while (!traced(self->text, "bufpool_scrub: offset=0x%llx length=%llu\n",
		       rented.offset, rented.length) && now_ms() < end)
		sleep_ms(1);
	EXPECT_EQ(1, traced(self->text, " bufpool_scrub: "));
}

TEST_F(traced, slab_add_and_remove)
{
	__u64 size = 2 * self->info.max_pooled;
	struct bufpool_rent rented;

	if (size > self->info.max_rent)
		SKIP(return, "every block is kept when it is returned");
	ASSERT_EQ(0, rent(self->fd, size, &rented));
	EXPECT_EQ(1, traced(self->text,
			    "bufpool_slab_add: offset=0x%llx bytes=%llu block_size=%llu\n",
			    rented.offset, size, size));
	EXPECT_EQ(0, traced(self->text, "bufpool_slab_remove: offset=0x%llx ",
			    rented.offset));
	ASSERT_EQ(0, give(self->fd, rented.handle));
	EXPECT_EQ(1, traced(self->text,
			    "bufpool_slab_remove: offset=0x%llx bytes=%llu block_size=%llu\n",
			    rented.offset, size, size));
}

TEST_F(traced, steal)
{
	__u64 size = self->info.max_pooled;
	struct bufpool_rent rented, stolen;
	int other = pool_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, limit_write(size));
	ASSERT_EQ(0, rent(self->fd, size, &rented));
	ASSERT_EQ(0, give(self->fd, rented.handle));
	ASSERT_EQ(0, rent(other, size, &stolen));
	EXPECT_EQ(rented.offset, stolen.offset);
	EXPECT_EQ(1, traced(self->text,
			    "bufpool_steal: client=%d offset=0x%llx length=%llu\n",
			    getpid(), rented.offset, rented.length));
	EXPECT_EQ(1, traced(self->text, " bufpool_steal: "));
}

TEST_F(traced, wait)
{
	struct queue queue = {
		.size = self->info.max_pooled,
		.timeout_ns = NSEC_PER_MSEC,
		.expect = -ETIMEDOUT,
	};
	struct bufpool_rent rented;
	pid_t child;

	ASSERT_EQ(0, limit_write(queue.size));
	ASSERT_EQ(0, rent(self->fd, queue.size, &rented));
	EXPECT_EQ(0, in_child(stand_in_line, &queue));
	EXPECT_EQ(1, traced(self->text,
			    "bufpool_wait: block_size=%llu waiting=1\n",
			    queue.size));
	EXPECT_EQ(1, traced(self->text,
			    "bufpool_wait_end: block_size=%llu result=%d waited_ns=",
			    queue.size, -ETIMEDOUT));

	queue.timeout_ns = SOON_MS * NSEC_PER_MSEC;
	queue.expect = 0;
	child = spawn(stand_in_line, &queue);
	EXPECT_TRUE(class_number_becomes(queue.size, "waiting", 1));
	ASSERT_EQ(0, give(self->fd, rented.handle));
	EXPECT_EQ(0, reap(child));
	EXPECT_EQ(1, traced(self->text,
			    "bufpool_serve: block_size=%llu task=%d\n",
			    queue.size, child));
	EXPECT_EQ(2, traced(self->text,
			    "bufpool_wait: block_size=%llu waiting=1\n",
			    queue.size));
	EXPECT_EQ(1, traced(self->text,
			    "bufpool_wait_end: block_size=%llu result=0 waited_ns=",
			    queue.size));
	EXPECT_EQ(1, traced(self->text, "flags=reused|waited\n"));
	EXPECT_EQ(1, traced(self->text, "flags=warm|reused\n"));
	EXPECT_EQ(1, traced(self->text, "waited\n"));
}

TEST_F(traced, limit_hit_by_the_pool)
{
	__u64 size = self->info.max_pooled;
	struct bufpool_rent rented;

	ASSERT_EQ(0, limit_write(size));
	ASSERT_EQ(0, rent(self->fd, size, &rented));
	EXPECT_EQ(0, traced(self->text, " bufpool_limit_hit: "));
	EXPECT_EQ(-EAGAIN, rent(self->fd, size, &rented));
	EXPECT_LT(0, traced(self->text,
			    "bufpool_limit_hit: bound=pool wanted=%llu held=%llu most=%llu\n",
			    size, size, size));
	EXPECT_EQ(0, traced(self->text, "bound=quota"));
	EXPECT_EQ(0, traced(self->text, "bound=ceiling"));
}

TEST_F(traced, limit_hit_by_the_ceiling)
{
	struct bufpool_rent rented;

	ASSERT_EQ(0, set_ceiling(self->fd, 12 * KIB));
	ASSERT_EQ(0, rent(self->fd, 8 * KIB, &rented));
	EXPECT_EQ(-EDQUOT, rent(self->fd, 8 * KIB, &rented));
	EXPECT_EQ(1, traced(self->text,
			    "bufpool_limit_hit: bound=ceiling wanted=%llu held=%llu most=%llu\n",
			    8 * KIB, 8 * KIB, 12 * KIB));
	EXPECT_EQ(1, traced(self->text, " bufpool_limit_hit: "));
}

/* Give up the capability that a quota does not bind. */
static int become_bound(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	data[CAP_TO_INDEX(CAP_SYS_RESOURCE)].effective &=
		~CAP_TO_MASK(CAP_SYS_RESOURCE);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

TEST_F(traced, limit_hit_by_the_quota)
{
	__u64 quota = file_number(QUOTA, "");
	struct bufpool_rent rented;
	int bound, ret;

	ASSERT_NE(NOT_A_NUMBER, quota);
	ASSERT_EQ(0, become_bound());
	bound = pool_open();
	ASSERT_LE(0, bound);
	ASSERT_EQ(0, number_write(QUOTA, 4 * KIB));
	ret = rent(bound, 8 * KIB, &rented);
	ASSERT_EQ(0, number_write(QUOTA, quota));
	EXPECT_EQ(-EDQUOT, ret);
	EXPECT_EQ(1, traced(self->text,
			    "bufpool_limit_hit: bound=quota wanted=%llu held=0 most=%llu\n",
			    8 * KIB, 4 * KIB));
}

TEST_F(traced, nothing_when_disabled)
{
	struct bufpool_rent rented;

	ASSERT_EQ(0, write_text(INSTANCE "events/bufpool/enable", "0"));
	ASSERT_TRUE(clear_trace());
	ASSERT_EQ(0, rent(self->fd, 8 * KIB, &rented));
	ASSERT_EQ(0, give(self->fd, rented.handle));
	EXPECT_EQ(0, traced(self->text, "bufpool_"));
}

/* Unloading -------------------------------------------------------------------- */

static int module_unload(void)
{
	return syscall(SYS_delete_module, "bufpool", O_NONBLOCK) ? -errno : 0;
}

static int module_load(void)
{
	const char *ko = getenv("BUFPOOL_KO");
	int fd = open(ko ? ko : "./bufpool.ko", O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, "dyndbg=+p", 0);
	if (ret < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* Who has just been looking may be on its way out. */
static int module_unload_soon(void)
{
	__u64 end = now_ms() + SOON_MS;
	int ret;

	do {
		ret = module_unload();
	} while ((ret == -EAGAIN || ret == -EBUSY) && now_ms() < end);
	return ret;
}

/* Why the module cannot be unloaded and loaded again, or NULL. */
static const char *module_is_fixed(void)
{
	const char *ko = getenv("BUFPOOL_KO");

	if (access(ko ? ko : "./bufpool.ko", R_OK))
		return "no module to load: set BUFPOOL_KO";
	return pool_number("clients") ? "others use the module" : NULL;
}

FIXTURE(module)
{
	unsigned int *looks;
};

FIXTURE_SETUP(module)
{
	if (module_is_fixed())
		SKIP(return, "%s", module_is_fixed());
	self->looks = shared_alloc(sizeof(*self->looks));
	ASSERT_NE(NULL, self->looks);
}

FIXTURE_TEARDOWN(module)
{
	munmap(self->looks, sizeof(*self->looks));
}

/* Files that were open before the module went belong to no pool afterwards. */
TEST_F(module, sysfs_open_at_unload)
{
	int fds[NR_NUMBERS + NR_CLASS_NUMBERS], nr = 0;
	char path[PATH_MAX], text[32];
	unsigned int i;

	for (i = 0; i < NR_NUMBERS; i++) {
		snprintf(path, sizeof(path), SYSFS "%s", numbers[i].name);
		fds[nr++] = open(path, O_RDONLY | O_CLOEXEC);
	}
	for (i = 0; i < NR_CLASS_NUMBERS; i++) {
		snprintf(path, sizeof(path), CLASSES "65536/%s",
			 class_numbers[i]);
		fds[nr++] = open(path, O_RDONLY | O_CLOEXEC);
	}
	while (nr--) {
		ASSERT_LE(0, fds[nr]);
		EXPECT_LT(0, pread(fds[nr], text, sizeof(text), 0));
	}

	ASSERT_EQ(0, module_unload());
	for (i = 0; i < NR_NUMBERS + NR_CLASS_NUMBERS; i++) {
		EXPECT_EQ(-1, pread(fds[i], text, sizeof(text), 0));
		EXPECT_EQ(ENODEV, errno);
	}
	EXPECT_EQ(-1, access(SYSFS, F_OK));
	ASSERT_EQ(0, module_load());
	for (i = 0; i < NR_NUMBERS + NR_CLASS_NUMBERS; i++) {
		EXPECT_EQ(-1, pread(fds[i], text, sizeof(text), 0));
		EXPECT_EQ(ENODEV, errno);
		close(fds[i]);
	}
	EXPECT_EQ(0, pool_number("clients"));
}

/* An open table keeps the module, and nothing of it stays behind. */
TEST_F(module, debugfs_open_at_unload)
{
	char text[4096];
	int fd;

	if (access(DEBUGFS, R_OK))
		SKIP(return, "cannot read " DEBUGFS);
	fd = open(DEBUGFS, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EAGAIN, module_unload());
	EXPECT_LT(0, read(fd, text, sizeof(text)));
	close(fd);
	ASSERT_EQ(0, module_unload_soon());
	EXPECT_EQ(-1, access("/sys/kernel/debug/bufpool", F_OK));
	ASSERT_EQ(0, module_load());
}

/* Look at everything until killed. */
static int look_on(void *arg)
{
	char text[4096], path[PATH_MAX];
	unsigned int *looks = arg, i;

	for (;;) {
		for (i = 0; i < NR_NUMBERS; i++)
			pool_number(numbers[i].name);
		for (i = 0; i < NR_CLASS_NUMBERS; i++) {
			snprintf(path, sizeof(path), CLASSES "4096/%s",
				 class_numbers[i]);
			file_read(path, text, sizeof(text));
		}
		file_read(DEBUGFS, text, sizeof(text));
		__atomic_add_fetch(looks, 1, __ATOMIC_RELEASE);
	}
	return 0;
}

TEST_F(module, looking_while_it_comes_and_goes)
{
	pid_t child[2];
	int i;

	for (i = 0; i < 2; i++)
		child[i] = spawn(look_on, self->looks);
	for (i = 1; i <= 3; i++) {
		EXPECT_TRUE(word_reaches(self->looks, 4 * i));
		EXPECT_EQ(0, module_unload_soon());
		EXPECT_EQ(0, module_load());
	}
	for (i = 0; i < 2; i++) {
		kill(child[i], SIGKILL);
		EXPECT_EQ(-SIGKILL, reap(child[i]));
	}
}

TEST_HARNESS_MAIN
