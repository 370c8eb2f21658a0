// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>

#include "../random.h"
#include "weather.h"

#define CPU	"/sys/devices/system/cpu/cpu1/online"

/* Not all kernels have all of these. */
static void tell(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t ignored = 0;

	if (fd < 0)
		return;
	ignored = write(fd, text, strlen(text));
	(void)ignored;
	close(fd);
}

/* Interrupt a thread, which may wait without an end. */
static void stir(const struct role *role)
{
	pid_t tid = __atomic_load_n(&role->tid, __ATOMIC_ACQUIRE);

	if (tid)
		syscall(SYS_tgkill, role->pid, tid, SIGUSR1);
}

void weather_stir(const struct common *common)
{
	unsigned int i;

	for (i = 0; i < ROLES; i++)
		stir(&common->roles[i]);
}

void weather_change(const struct common *common, __u64 *random)
{
	__u64 lot = next_random(random);

	stir(&common->roles[(lot >> 32) % ROLES]);
	switch (lot % 1024) {
	case 0:
	case 1:
	case 2:
	case 3:
		tell("/proc/sys/vm/drop_caches", "2");
		break;
	case 4:
	case 5:
		tell("/sys/fs/cgroup/memory.reclaim", "4M");
		break;
	case 6:
		tell("/proc/sys/vm/compact_memory", "1");
		break;
	case 7:
		tell(CPU, "0");
		break;
	case 8:
	case 9:
	case 10:
	case 11:
	case 12:
	case 13:
	case 14:
		tell(CPU, "1");
		break;
	}
}

void weather_clear(void)
{
	tell(CPU, "1");
}
