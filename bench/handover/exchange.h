/* SPDX-License-Identifier: MIT */
/*
 * Two processes with a transport between them. After each load the consumer says, in the
 * same way for all transports, that it is done.
 */
#ifndef BENCH_EXCHANGE_H
#define BENCH_EXCHANGE_H

#include <stdbool.h>

struct load;
struct transport;

/* Start the consumer. Return: false where this machine has nothing of that kind. */
bool exchange_begin(const struct transport *transport, const struct load *load);

/* Hand one load over, and wait until the consumer is done with it. */
void exchange_once(void);

void exchange_end(void);

#endif /* BENCH_EXCHANGE_H */
