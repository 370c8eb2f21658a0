/* SPDX-License-Identifier: MIT */
/*
 * A pool of a few large blocks, and a line of waiters for them.
 */
#ifndef WAITING_H
#define WAITING_H

#include "line.h"

#define IN_LINE	8

static inline bool waiting_becomes(int fd, __u64 want)
{
	return BECOMES(stats_of(fd).waiting == want);
}

/*
 * Exactly @count waiters have been served. A waiter that is next is awake, and
 * either has a block in the end or sleeps again.
 */
static inline bool only_served(struct line *line, unsigned int count)
{
	struct place *place;

	if (!word_reaches(&line->served, count))
		return false;
	for (place = line->places; place < line->places + PLACES; place++) {
		if (place->pid && place->answer == 1 &&
		    !task_sleeps(place->pid, place->pid))
			return false;
	}
	return word_get(&line->served) == count;
}

FIXTURE(line)
{
	int fd;
	struct bufpool_block *blocks;
	struct bufpool_rent rent;
	struct bufpool_stats before;
	struct line *line;
	pid_t pids[PLACES];
};

FIXTURE_SETUP(line)
{
	ASSERT_TRUE(line_begin(&self->fd, &self->line));
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
	self->blocks = calloc(MOST, sizeof(*self->blocks));
	ASSERT_NE(NULL, self->blocks);
}

FIXTURE_TEARDOWN(line)
{
	line_end(self->fd);
}

#endif /* WAITING_H */
