// SPDX-License-Identifier: MIT
/*
 * Prints "name count" for everything that is counted in the VM, and at last
 * "end": without that, something failed.
 */
#include <stdio.h>

#include "cases.h"

int main(void)
{
	verbs_measure();
	library_measure();
	memory_measure();
	peers_measure();
	growth_measure();
	neighbours_measure();
	metadata_measure();
	strangers_measure();
	printf("end\n");
	return 0;
}
