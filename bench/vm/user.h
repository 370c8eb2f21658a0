/* SPDX-License-Identifier: MIT */
/* Ordinary users, to whom the quota applies. */
#ifndef BENCH_USER_H
#define BENCH_USER_H

struct device;

/* Act as that user, and as root again. */
void user_enter(void);
void user_leave(void);

/* Open a client of that user, or of the @nr-th after it. */
void user_open(struct device *device);
void user_open_of(struct device *device, unsigned int nr);

#endif /* BENCH_USER_H */
