// SPDX-License-Identifier: MIT
/*
 * What a pair of get and put costs with one peer
 *
 * usage: PROGRAM WORKLOAD SIZE THREADS touch|leave MILLISECONDS
 *        PROGRAM WORKLOAD SIZE 1 touch|leave xPAIRS
 *
 * The first prints two numbers, nanoseconds of wall time that a pair takes a
 * thread, and of processor time that it takes the program. The second prints
 * nothing. Exit status 4: this peer has no such thing here.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "affinity.h"
#include "team.h"

static unsigned long number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!value || *end)
		errx(1, "'%s' is no positive integer", text);
	return value;
}

int main(int argc, char **argv)
{
	const struct workload *workload;
	struct team_result result;
	unsigned int threads;

	if (argc != 6)
		errx(1, "five arguments are needed");
	workload = workload_find(argv[1]);
	if (!workload)
		errx(WORKLOAD_ABSENT, "no workload '%s' with this peer", argv[1]);
	threads = number(argv[3]);
	affinity_init();
	workload_open(workload, number(argv[2]), !strcmp(argv[4], "touch"));

	if (*argv[5] == 'x' && !workload->consume) {
		team_count(workload, number(argv[5] + 1));
		return 0;
	}
	result = team_measure(workload, threads, number(argv[5]) / 1e3);
	printf("%.3f %.3f\n", result.wall_ns, result.cpu_ns);
	return 0;
}
