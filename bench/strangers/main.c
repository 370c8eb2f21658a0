// SPDX-License-Identifier: MIT
/*
 * Wall time of rents that do not wait, beside processes that get little CPU time.
 * Prints "BESIDE RENTS MEAN WORST", the latter in microseconds, for each kind of
 * them, and at last "end".
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "block.h"
#include "holders.h"

#define SIZE	(4 * 1024 * 1024)
#define RENTS	1000

/* The last of them begins within that time, however long each takes. */
#define MOST_NS		120000000000ULL

/* So that the rents meet the holders in every part of cpu.max's period. */
#define PAUSE_US	10000

/* The holders need some time to start. */
#define START_US	1500000

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static uint64_t time_rent(int fd)
{
	struct bufpool_rent rent;
	uint64_t begin = now_ns(), time;
	int ret = block_rent(fd, SIZE, &rent);

	time = now_ns() - begin;
	if (ret)
		err(1, "rent");
	block_return(fd, &rent);
	return time;
}

static void measure_beside(const char *name, enum holders_kind kind)
{
	uint64_t sum = 0, worst = 0, time, end;
	int fd = block_open(), rents;

	holders_start(kind, SIZE);
	usleep(START_US);
	end = now_ns() + MOST_NS;
	for (rents = 0; rents < RENTS && now_ns() < end; rents++) {
		time = time_rent(fd);
		sum += time;
		worst = time > worst ? time : worst;
		usleep(PAUSE_US);
	}
	holders_stop();
	close(fd);
	printf("%s %d %.0f %.0f\n", name, rents, sum / 1e3 / rents, worst / 1e3);
	fflush(stdout);
}

int main(void)
{
	measure_beside("nothing", HOLDERS_NONE);
	measure_beside("throttled", HOLDERS_THROTTLED);
	measure_beside("sched-idle", HOLDERS_IDLE);
	printf("end\n");
	return 0;
}
