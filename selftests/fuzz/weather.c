// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>

#include "../clock.h"
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

void weather_stir_one(const struct common *common, __u32 lot)
{
	stir(&common->roles[lot % ROLES]);
}

void weather_stir(const struct common *common)
{
	unsigned int i;

	for (i = 0; i < ROLES; i++)
		stir(&common->roles[i]);
}

static void change(__u32 lot)
{
	switch (lot % 14) {
	case 0:
	case 1:
	case 2:
	case 3:
		tell("/proc/sys/vm/drop_caches", "2");
		break;
	case 4:
	case 5:
		tell("/sys/fs/cgroup/memory.reclaim", "1M");
		break;
	case 6:
		tell("/proc/sys/vm/compact_memory", "1");
		break;
	case 7:
		tell(CPU, "0");
		break;
	default:
		tell(CPU, "1");
	}
}

/* Until it is killed. */
int weather(void *arg)
{
	struct weather *weather = arg;
	__u64 next = done_by(weather->common);

	while (true) {
		sleep_ms(5);
		if (done_by(weather->common) < next)
			continue;
		change(next_random(&weather->random) >> 32);
		__atomic_add_fetch(&weather->common->changes, 1, __ATOMIC_RELAXED);
		next = done_by(weather->common) + 1 +
		       next_random(&weather->random) % (2 * weather->spell);
	}
}

void weather_clear(void)
{
	tell(CPU, "1");
}
