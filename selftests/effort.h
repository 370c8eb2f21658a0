/* SPDX-License-Identifier: MIT */
/*
 * How long races last: until so much has been done, however long that takes. Only
 * where BUFPOOL_STRESS_SECONDS is given they last for that time.
 */
#ifndef EFFORT_H
#define EFFORT_H

#include "bufpool_test.h"

/* A test can have any number of seconds. */
#define A_DAY	(24 * 3600)

struct effort {
	__u64 work;
	__u64 end;		/* in ms, or 0: until the work is done */
};

/* A program that has several races gives each a @share of the seconds. */
static inline struct effort effort_begin(__u64 work, unsigned int share)
{
	const char *given = getenv("BUFPOOL_STRESS_SECONDS");
	struct effort effort = { .work = work };

	if (given && atoi(given) > 0)
		effort.end = now_ms() + atoi(given) * 1000ULL / share;
	return effort;
}

static inline bool effort_goes_on(const struct effort *effort, __u64 done)
{
	return effort->end ? now_ms() < effort->end : done < effort->work;
}

#endif /* EFFORT_H */
