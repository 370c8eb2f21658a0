/* SPDX-License-Identifier: MIT */
/*
 * A line of processes that wait for blocks, each for one.
 */
#ifndef LINE_H
#define LINE_H

#include "processor.h"

#define PLACES	16

#define BLOCK	(1 * MIB)
#define SMALL	(64 * KIB)
#define ALL	4			/* large blocks within the limit */
#define LIMIT	(ALL * BLOCK)
#define MOST	2048

/* What the processes of a test share: the state of each waiter, */
struct place {
	unsigned int ready;
	unsigned int go;
	pid_t pid;
	int answer;		/* 1 until there is one */
	__u64 offset;
	__u64 length;
};

/* and the order in which waiters were served. */
struct line {
	unsigned int served;
	unsigned int order[PLACES];
	struct place places[PLACES];
	/* of the churners, which rent and return small blocks all the time */
	unsigned int stop;
	unsigned int small;
	unsigned int small_when_served;
};

/* A pool of LIMIT bytes, a client of it, and an empty line. */
static inline bool line_begin(int *fd, struct line **line)
{
	*fd = pool_open();
	*line = shared_alloc(sizeof(**line));
	return *fd >= 0 && *line && !limit_write(LIMIT);
}

static inline void line_end(int fd)
{
	close(fd);
	parameters_restore();
}

static inline void ignore_signal(int sig)
{
	(void)sig;
}

/* The first three are always given; what is 0 of the others is as usual. */
struct waiter {
	struct line *line;
	unsigned int number;
	__u64 size;
	__s64 timeout_ns;
	int sa_flags;
	uid_t uid;
	__u64 ceiling;
	__u32 count;		/* not one block, but up to this many */
};

/* Where several were asked for, what is said is said of the first. */
static inline int rent_as(const struct waiter *waiter, int fd,
			  struct bufpool_rent *rented)
{
	struct bufpool_block blocks[BUFPOOL_MANY_MAX];
	struct bufpool_rent_many many = {
		.size = sizeof(many),
		.min_size = waiter->size,
		.timeout_ns = waiter->timeout_ns,
		.count = waiter->count,
		.blocks = (uintptr_t)blocks,
	};
	int ret;

	if (!waiter->count)
		return rent_with(fd, waiter->size, 0, waiter->timeout_ns,
				 rented);
	ret = pool_ioctl(fd, BUFPOOL_IOC_RENT_MANY, &many);
	if (ret < 0)
		return ret;
	rented->handle = blocks[0].handle;
	rented->offset = blocks[0].offset;
	rented->length = blocks[0].length;
	return 0;
}

static inline int wait_in_line(void *arg)
{
	const struct waiter *waiter = arg;
	struct sigaction action = {
		.sa_handler = ignore_signal,
		.sa_flags = waiter->sa_flags,
	};
	struct line *line = waiter->line;
	struct place *place = &line->places[waiter->number];
	struct bufpool_rent rented;
	unsigned int served;
	int fd;

	CHECK(!waiter->uid || become(waiter->uid, ONLY_OPEN));
	fd = pool_open();
	CHECK(fd >= 0);
	CHECK(!waiter->ceiling || !set_ceiling(fd, waiter->ceiling));
	CHECK(!sigaction(SIGUSR1, &action, NULL));
	place->pid = getpid();
	word_set(&place->ready, 1);
	place->answer = rent_as(waiter, fd, &rented);
	if (place->answer)
		return 0;
	place->offset = rented.offset;
	place->length = rented.length;
	line->small_when_served = __atomic_load_n(&line->small, __ATOMIC_RELAXED);
	served = __atomic_fetch_add(&line->served, 1, __ATOMIC_ACQ_REL);
	line->order[served] = waiter->number;
	CHECK(word_reaches(&place->go, 1));
	return 0;
}

/* Start a waiter, and see to it that it waits before the next one does. */
static inline pid_t enqueue_as(struct waiter *waiter)
{
	pid_t pid;

	waiter->line->places[waiter->number].answer = 1;
	pid = spawn(wait_in_line, waiter);
	if (!word_reaches(&waiter->line->places[waiter->number].ready, 1) ||
	    !task_sleeps(pid, pid))
		return -1;
	return pid;
}

static inline pid_t enqueue(struct line *line, unsigned int number, __u64 size)
{
	struct waiter waiter = {
		.line = line,
		.number = number,
		.size = size,
	};

	return enqueue_as(&waiter);
}

/*
 * Long enough for @count waiters to be in line before the one with a timeout leaves
 * it, however slow it is to start one.
 */
static inline __s64 time_to_queue_up(struct line *line, unsigned int count)
{
	__u64 start = now_ms();
	pid_t pid = enqueue(line, 0, BLOCK);

	if (pid < 0)
		return 0;
	kill(pid, SIGKILL);
	reap(pid);
	memset(line, 0, sizeof(*line));
	return (now_ms() - start + 10) * 3 * count * NSEC_PER_MSEC;
}

/* A waiter that was served may go, and must have been fine. */
static inline int dismiss(struct line *line, unsigned int number, pid_t pid)
{
	word_set(&line->places[number].go, 1);
	return reap(pid);
}

/* Nothing else of processor 0 runs until this is undone. */
static inline bool be_alone(bool alone)
{
	cpu_set_t set;

	if (alone)
		return be_alone_on(0);
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	CPU_SET(1, &set);
	return !sched_setaffinity(0, sizeof(set), &set) && schedule_as(0, SCHED_OTHER, 0);
}

/* Return block @nr, for the next that is served; which waiter is that? Or -1. */
static inline int served_by(int fd, const struct bufpool_block *blocks,
			    unsigned int nr, struct line *line)
{
	if (give(fd, blocks[nr].handle) || !word_reaches(&line->served, nr + 1))
		return -1;
	return line->order[nr];
}

/* The same in a test whose fixture has fd, blocks and line. */
#define SERVED_NEXT(nr)	served_by(self->fd, self->blocks, nr, self->line)

#endif /* LINE_H */
