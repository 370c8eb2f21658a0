// SPDX-License-Identifier: GPL-2.0-only
/*
 * Polling: what is locked while pollers are woken, and what may become of them meanwhile. The
 * task that polls is none: it is a function, which the wake-up calls.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/rcupdate.h>
#include "unit.h"

#define ROOM	(EPOLLIN | EPOLLRDNORM)

/**
 * struct sleeper - who polls, and what it found when it was woken
 * @entry: in the queue of what it polls
 * @table: for putting that there
 * @woken: how often
 * @in_the_way: of them, with the lock of all pollers held
 * @unkept: of them, outside of RCU
 * @ends: a client that ends then, by another processor so to speak; or NULL
 * @closes: a file that is released then; or NULL
 */
struct sleeper {
	wait_queue_entry_t entry;
	poll_table table;
	unsigned int woken;
	unsigned int in_the_way;
	unsigned int unkept;
	struct bufpool_client *ends;
	struct file *closes;
};

/* What others do while one is woken, where they can. */
static void meanwhile(struct sleeper *sleeper)
{
	if (sleeper->ends)
		bufpool_poll_exit(sleeper->ends);
	if (sleeper->closes)
		sleeper->closes->f_op->release(file_inode(sleeper->closes), sleeper->closes);
}

static int wake(wait_queue_entry_t *entry, unsigned int mode, int flags, void *key)
{
	struct sleeper *sleeper = container_of(entry, struct sleeper, entry);

	/* as epoll does before a file is released */
	list_del_init(&entry->entry);
	sleeper->woken++;
	sleeper->unkept += !rcu_read_lock_held();
	if (spin_trylock(&unit_pool->poll_lock)) {
		spin_unlock(&unit_pool->poll_lock);
		meanwhile(sleeper);
	} else {
		sleeper->in_the_way++;
	}
	return 1;
}

static void sleep_in(wait_queue_head_t *tasks, struct sleeper *sleeper)
{
	init_waitqueue_func_entry(&sleeper->entry, wake);
	add_wait_queue(tasks, &sleeper->entry);
}

static struct bufpool_client *open_and_poll(struct kunit *test, struct sleeper *sleeper)
{
	struct bufpool_client *client = unit_open(test, 1000);

	bufpool_poll_init(client);
	sleep_in(&client->poll, sleeper);
	KUNIT_EXPECT_EQ(test, (unsigned int)ROOM,
			(__force unsigned int)bufpool_poll_client(client, ROOM));
	return client;
}

/* Something comes, as there is room all the time. */
static void tell(void)
{
	bufpool_poll_kick(unit_pool);
	flush_delayed_work(&unit_pool->wake_pollers);
}

static void expect_woken(struct kunit *test, struct sleeper *sleeper, unsigned int woken)
{
	KUNIT_EXPECT_EQ(test, woken, sleeper->woken);
	KUNIT_EXPECT_EQ(test, 0U, sleeper->in_the_way);
	KUNIT_EXPECT_EQ(test, 0U, sleeper->unkept);
}

static void nobody_is_locked_out_meanwhile(struct kunit *test)
{
	struct sleeper first = {}, second = {};
	struct bufpool_client *a = open_and_poll(test, &first), *b = open_and_poll(test, &second);

	tell();
	expect_woken(test, &first, 1);
	expect_woken(test, &second, 1);
	/* and once only, as they do not look again */
	tell();
	expect_woken(test, &first, 1);
	bufpool_poll_exit(a);
	bufpool_poll_exit(b);
}

static void who_ends_meanwhile_is_passed_over(struct kunit *test)
{
	struct sleeper sleepers[3] = {};
	struct bufpool_client *clients[3];
	unsigned int i;

	for (i = 0; i < 3; i++)
		clients[i] = open_and_poll(test, &sleepers[i]);
	sleepers[0].ends = clients[1];
	tell();
	expect_woken(test, &sleepers[0], 1);
	expect_woken(test, &sleepers[1], 0);
	expect_woken(test, &sleepers[2], 1);
	for (i = 0; i < 3; i++) {
		bufpool_poll_exit(clients[i]);
		remove_wait_queue(&clients[i]->poll, &sleepers[i].entry);
	}
}

static void queue_first(struct file *file, wait_queue_head_t *tasks, poll_table *table)
{
	struct sleeper *sleeper = container_of(table, struct sleeper, table);

	/* the second one is for the end of its client */
	if (!sleeper->entry.func)
		sleep_in(tasks, sleeper);
}

static const struct file_operations released_fops = {
	.owner = THIS_MODULE,
};

/* The memory of a poller goes with its file, which has no lock in common with a wake-up. */
static void a_poller_may_be_released_meanwhile(struct kunit *test)
{
	struct sleeper first = {}, second = {};
	struct bufpool_client *client = unit_open(test, 1000), *b;
	const struct file_operations *released = &released_fops;
	int fd;

	bufpool_poll_init(client);
	fd = bufpool_poll_create(client, unit_class());
	KUNIT_ASSERT_LE(test, 0, fd);
	first.closes = fget(fd);
	init_poll_funcptr(&first.table, queue_first);
	first.table._key = ROOM;
	KUNIT_EXPECT_EQ(test, (unsigned int)ROOM,
			(__force unsigned int)vfs_poll(first.closes, &first.table));
	b = open_and_poll(test, &second);
	tell();
	expect_woken(test, &first, 1);
	expect_woken(test, &second, 1);
	if (!first.in_the_way)
		replace_fops(first.closes, fops_get(released));
	bufpool_poll_exit(client);
	bufpool_poll_exit(b);
	fput(first.closes);
	close_fd(fd);
	flush_delayed_fput();
}

static struct kunit_case cases[] = {
	KUNIT_CASE(nobody_is_locked_out_meanwhile),
	KUNIT_CASE(who_ends_meanwhile_is_passed_over),
	KUNIT_CASE(a_poller_may_be_released_meanwhile),
	{}
};

struct kunit_suite poll_suite = {
	.name = "bufpool_poll",
	.init = unit_init,
	.exit = unit_exit,
	.test_cases = cases,
};
