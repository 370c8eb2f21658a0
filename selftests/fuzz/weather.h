/* SPDX-License-Identifier: MIT */
/*
 * What happens to all processes, now and then.
 */
#ifndef FUZZ_WEATHER_H
#define FUZZ_WEATHER_H

#include "world.h"

void weather_stir(const struct common *common);
void weather_change(const struct common *common, __u64 *random);
void weather_clear(void);

#endif /* FUZZ_WEATHER_H */
