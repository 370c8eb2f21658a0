/* SPDX-License-Identifier: MIT */
/* An ordinary user, to whom the quota applies. */
#ifndef BENCH_USER_H
#define BENCH_USER_H

struct device;

/* Act as that user, and as root again. */
void user_enter(void);
void user_leave(void);

/* Open a client of that user. */
void user_open(struct device *device);

#endif /* BENCH_USER_H */
