// SPDX-License-Identifier: MIT
#include <errno.h>
#include <time.h>

#include "clock.h"

__u64 clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

void clock_sleep_until(__u64 when)
{
	struct timespec until = {
		.tv_sec = when / 1000,
		.tv_nsec = when % 1000 * 1000000,
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until,
			       NULL) == EINTR)
		;
}

__u64 clock_left(__u64 when)
{
	__u64 now = clock_now();

	return when > now ? when - now : 0;
}
