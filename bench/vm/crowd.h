/* SPDX-License-Identifier: MIT */
/* Other clients of the device, in any number. */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#define CROWD_MAX	10000

/* Open that many clients; they hold nothing. */
void crowd_join(unsigned int count);

/* Close them all. */
void crowd_leave(void);

/* Each client keeps one block of a page warm; a full pool gives them. */
void crowd_keep_warm(void);

/* One of the clients, in turn, keeps the free block at an offset warm. */
void crowd_keep_warm_at(unsigned long long offset);

/* Register all of them in one epoll set, which is never asked for events. */
void crowd_register(void);

/*
 * The same; and then each call of crowd_rearm() has one of the clients, in turn,
 * poll, so that the device has a poller to wake at the next event.
 */
void crowd_arm(void);
void crowd_rearm(void);

#endif /* BENCH_CROWD_H */
