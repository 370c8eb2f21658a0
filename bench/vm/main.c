// SPDX-License-Identifier: MIT
/*
 * Prints "name count" for everything that is counted in the VM, or for the cases that it is
 * given the names of, and at last "end": without that, something failed.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cases.h"

/* In the order in which they are counted */
static const struct {
	const char *name;
	void (*measure)(void);
} cases[] = {
	{ "verbs", verbs_measure },
	{ "library", library_measure },
	{ "memory", memory_measure },
	{ "peers", peers_measure },
	{ "direct", direct_measure },
	{ "channel", channel_measure },
	{ "handover", handover_measure },
	{ "growth", growth_measure },
	{ "neighbours", neighbours_measure },
	{ "metadata", metadata_measure },
	{ "strangers", strangers_measure },
};

static bool is_chosen(const char *name, char *const *names)
{
	const bool are_all = !*names;

	for (; *names; names++)
		if (!strcmp(*names, name))
			return true;
	return are_all;
}

int main(int argc, char **argv)
{
	unsigned int i;

	(void)argc;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (is_chosen(cases[i].name, argv + 1))
			cases[i].measure();
	printf("end\n");
	return 0;
}
