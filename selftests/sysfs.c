// SPDX-License-Identifier: MIT
/*
 * The pool's numbers in sysfs are those of STATS, and those of each class follow
 * its blocks.
 */
#include "channel.h"
#include "inside.h"

#include <dirent.h>

static __u64 in_stats(int fd, size_t offset)
{
	struct bufpool_stats stats;
	__u64 number = NOT_A_NUMBER;

	if (!pool_stats(fd, &stats))
		memcpy(&number, (char *)&stats + offset, sizeof(number));
	return number;
}

TEST_F(pool, numbers_agree_with_stats)
{
	struct bufpool_message message;
	struct bufpool_block blocks[10];
	__u64 before, shown, after;
	unsigned int i, tries;
	struct channel channel;

	ASSERT_EQ(10, rent_many(self->fd, 2 * PAGE, 10, blocks));
	ASSERT_EQ(0, give(self->fd, blocks[0].handle));
	ASSERT_EQ(0, channel_make(self->fd, 2, &channel));
	for (i = 8; i < 10; i++)
		ASSERT_EQ(0, send_with(self->fd, channel.sends, blocks[i].handle, 0, 0, 0));
	ASSERT_EQ(0, receive_one(self->fd, channel.receives, &message));
	ASSERT_EQ(0, give_up(self->fd, message.handle));
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
	EXPECT_EQ(7 * 2 * PAGE, pool_number("in_use"));
	EXPECT_EQ(1 * 2 * PAGE, pool_number("warm"));
	EXPECT_EQ(1 * 2 * PAGE, pool_number("in_channels"));
	EXPECT_EQ(1, pool_number("channels"));
	channel_end(&channel);
	EXPECT_EQ(0, pool_number("in_channels"));
	EXPECT_EQ(0, pool_number("channels"));
}

/* What is no order does nothing. */
TEST_F(pool, trim_takes_orders_only)
{
	static const char *const orders[] = { "0", "n", "off", "2", "-1", "please" };
	struct bufpool_rent rented;
	unsigned int i;

	ASSERT_EQ(0, rent(self->fd, PAGE, &rented));
	ASSERT_EQ(0, give(self->fd, rented.handle));
	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		EXPECT_EQ(-EINVAL, write_text("/sys/class/misc/bufpool/trim", orders[i])) {
			TH_LOG("'%s'", orders[i]);
		}
		EXPECT_EQ(1, stats_of(self->fd).client_warm_blocks);
	}
	EXPECT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1\n"));
	EXPECT_EQ(0, stats_of(self->fd).client_warm_blocks);
}

TEST_F(pool, quota_is_the_parameter)
{
	__u64 quota = file_number(POOL_PARAMETERS, "quota");

	ASSERT_NE(NOT_A_NUMBER, quota);
	/* it says what that means */
	EXPECT_EQ(quota ? quota : limit_read() / 2, pool_number("quota"));
	ASSERT_EQ(0, parameter_write("quota", 3 * MIB));
	EXPECT_EQ(3 * MIB, pool_number("quota"));
	ASSERT_EQ(0, parameter_write("quota", 0));
	EXPECT_EQ(limit_read() / 2, pool_number("quota"));
	ASSERT_EQ(0, parameter_write("quota", quota));
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
static unsigned int class_files(const struct bufpool_info *info, unsigned int class)
{
	const char *prefix = class_flags(info, class) ? "io-" : "";
	unsigned int count = 0, i;

	for (i = 0; i < NR_CLASS_NUMBERS; i++)
		count += class_number_of(prefix, class_size(info, class), class_numbers[i]) !=
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
		EXPECT_EQ(NR_CLASS_NUMBERS, class_files(&self->info, class));
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

TEST_F(pool, waiter_is_counted)
{
	struct queue queue = {
		.size = largest_within(&self->info, 4 * MIB),
	};
	struct bufpool_rent rented;
	struct bufpool_stats stats;
	pid_t child;

	ASSERT_EQ(0, limit_write(queue.size));
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

TEST_F(pool, waiter_that_gave_up_is_not_counted)
{
	struct queue queue = queue_in_vain(largest_within(&self->info, 4 * MIB));
	struct bufpool_rent rented;
	pid_t child;

	ASSERT_EQ(0, limit_write(queue.size));
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

TEST_HARNESS_MAIN
