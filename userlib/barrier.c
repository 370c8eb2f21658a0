// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "barrier.h"
#include "cancel.h"

/* Before the kernel is asked again, which was short of memory */
#define MOMENT_NS	20000

/* Many times as long as a store can stay in the store buffer of a CPU */
#define LONG_NS		100000000

static int membarrier(int command)
{
	return syscall(__NR_membarrier, command, 0, 0);
}

bool bufpool_barriers_prepare(void)
{
	return !membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

void bufpool_doze(long ns)
{
	struct timespec left = { .tv_nsec = ns };
	int state = bufpool_cancel_disable();

	while (nanosleep(&left, &left) && errno == EINTR)
		;
	bufpool_cancel_restore(state);
}

void bufpool_barriers_pass(void)
{
	while (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) {
		if (errno != ENOMEM) {
			bufpool_doze(LONG_NS);
			return;
		}
		bufpool_doze(MOMENT_NS);
	}
}
