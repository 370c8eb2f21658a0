/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_COUNTERS_H
#define _BUFPOOL_COUNTERS_H

#include <linux/percpu.h>
#include <linux/types.h>
#include "window.h"

/* What is counted, see struct bufpool_stats. */
enum bufpool_event {
	BUFPOOL_RENTS,
	BUFPOOL_REUSED,
	BUFPOOL_RETURNS,
	BUFPOOL_SENDS,
	BUFPOOL_RECEIVES,
	BUFPOOL_WAITS,
	BUFPOOL_STEALS,
	BUFPOOL_SCRUBS,
	BUFPOOL_SLABS_CREATED,
	BUFPOOL_SLABS_DESTROYED,
	BUFPOOL_NR_EVENTS,
};

/* Why a rent is refused; and the last, that a client is. */
enum bufpool_refusal {
	BUFPOOL_REFUSED_AGAIN,
	BUFPOOL_REFUSED_QUOTA,
	BUFPOOL_REFUSED_MEMORY,
	BUFPOOL_REFUSED_TIMEOUT,
	BUFPOOL_REFUSED_WAITERS,
	BUFPOOL_REFUSED_CLIENTS,
	BUFPOOL_NR_REFUSALS,
};

/* Each CPU has its own, readers add them up. */
struct bufpool_counters {
	u64 of[BUFPOOL_NR_EVENTS];
	u64 refused[BUFPOOL_NR_REFUSALS];
	/* blocks of a class that became warm here, less those that ceased to be */
	s64 warm[BUFPOOL_MAX_CLASSES];
};

static inline void bufpool_count_many(struct bufpool_counters __percpu *counters,
				      enum bufpool_event event, int nr)
{
	this_cpu_add(counters->of[event], nr);
}

static inline void bufpool_count(struct bufpool_counters __percpu *counters,
				 enum bufpool_event event)
{
	bufpool_count_many(counters, event, 1);
}

void bufpool_counters_sum(struct bufpool_counters __percpu *counters,
			  struct bufpool_counters *sum);
unsigned long bufpool_counters_warm(struct bufpool_counters __percpu *counters,
				    unsigned int class);

#endif /* _BUFPOOL_COUNTERS_H */
