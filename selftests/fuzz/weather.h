/* SPDX-License-Identifier: MIT */
/*
 * What happens to all processes, now and then: in a process of its own, as the kernel may
 * take its time.
 */
#ifndef FUZZ_WEATHER_H
#define FUZZ_WEATHER_H

#include "world.h"

/**
 * struct weather - what that process is told
 * @common: what all share
 * @random: where its lots come from
 * @spell: about so many operations are between two changes
 */
struct weather {
	struct common *common;
	__u64 random;
	__u64 spell;
};

int weather(void *weather);
void weather_stir_one(const struct common *common, __u32 lot);
void weather_stir(const struct common *common);
void weather_clear(void);

#endif /* FUZZ_WEATHER_H */
