/* SPDX-License-Identifier: MIT */
/* Time that only goes forward, in milliseconds. */
#ifndef BUFPOOLCTL_CLOCK_H
#define BUFPOOLCTL_CLOCK_H

#include <linux/types.h>

__u64 clock_now(void);
void clock_sleep_until(__u64 when);
/* From now until @when; 0 if that is over. */
__u64 clock_left(__u64 when);

#endif
