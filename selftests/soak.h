/* SPDX-License-Identifier: MIT */
/*
 * What the processes of the soak share: workers, which use blocks, and disturbers, which change
 * what these rely on.
 */
#ifndef SOAK_H
#define SOAK_H

#include "library_test.h"
#include "channel.h"

/* Answers to a rent that says nothing of a mistake */
static inline bool is_short(int ret)
{
	return ret == -EAGAIN || ret == -EDQUOT || ret == -ENOMEM || ret == -ETIMEDOUT ||
	       ret == -EINTR || ret == -ECANCELED;
}

/**
 * struct soak - memory of all processes
 * @seed: what they draw their numbers from
 * @stop: disturbers are to put things right, and end
 * @steps: what workers have done; atomic, as the rest
 * @channel: an open one, which workers of two kinds use
 * @pids: of the workers; 0 where there is none
 */
struct soak {
	__u64 seed;
	unsigned int stop;
	unsigned long steps;
	struct channel channel;
	pid_t pids[32];
};

static inline bool soak_goes_on(const struct soak *soak)
{
	return !__atomic_load_n(&soak->stop, __ATOMIC_ACQUIRE);
}

static inline void soak_count(struct soak *soak)
{
	__atomic_add_fetch(&soak->steps, 1, __ATOMIC_RELAXED);
}

typedef void soak_fn(struct soak *soak, __u64 *random);

/* What is written to each page of a block, and what of it is there still */
static inline void stamp_block(void *at, __u64 length, __u64 stamp)
{
	__u64 page;

	for (page = 0; page < length; page += PAGE)
		*(__u64 *)(at + page) = stamp + page;
}

static inline bool has_stamp(const void *at, __u64 length, __u64 stamp)
{
	__u64 page;

	for (page = 0; page < length; page += PAGE)
		if (*(const __u64 *)(at + page) != stamp + page)
			return false;
	return true;
}

/* The largest block that the device has, as long as some of them are within the limit */
static __u64 soak_largest;

/* Small sizes mostly */
static inline __u64 soak_size(__u64 *random)
{
	__u64 size = PAGE << __builtin_ctzll(next_random(random) | 1 << 10);

	return size < soak_largest ? size : soak_largest;
}

#endif /* SOAK_H */
