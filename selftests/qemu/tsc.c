// SPDX-License-Identifier: MIT
/*
 * Print how many thousand times a second the processor's time stamp counter
 * counts. That of the VM counts along with it, and a kernel that has nothing but
 * an emulated timer to find that out is wrong about it on a busy machine.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct moment {
	uint64_t ticks;
	uint64_t ns;
};

/* Of many looks at both clocks the quickest: nothing came between. */
static struct moment now(void)
{
	struct moment now = { 0 };
	uint64_t shortest = UINT64_MAX;
	int i;

	for (i = 0; i < 1000; i++) {
		uint64_t before = __rdtsc(), after;
		struct timespec ts;

		clock_gettime(CLOCK_MONOTONIC, &ts);
		after = __rdtsc();
		if (after - before >= shortest)
			continue;
		shortest = after - before;
		now.ticks = before + shortest / 2;
		now.ns = ts.tv_sec * 1000000000ULL + ts.tv_nsec;
	}
	return now;
}

int main(void)
{
	const struct timespec while_counting = { .tv_nsec = 200000000 };
	struct moment first = now(), last;

	nanosleep(&while_counting, NULL);
	last = now();
	printf("%.0f\n", (last.ticks - first.ticks) * 1e6 / (last.ns - first.ns));
	return 0;
}
