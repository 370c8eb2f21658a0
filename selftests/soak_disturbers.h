/* SPDX-License-Identifier: MIT */
/*
 * Disturbers of the soak: each changes what the workers rely on, now and then, and puts that
 * right at the end. What a kernel does not have, it does without.
 */
#ifndef SOAK_DISTURBERS_H
#define SOAK_DISTURBERS_H

#include "soak.h"
#include "box.h"
#include "inside.h"
#include "pressure.h"

#include <sys/uio.h>

#define FROZEN	"soak"

static void rest(__u64 *random, unsigned int ms)
{
	usleep(next_random(random) % ms * 1000);
}

/* A worker, which may be gone by now; never 0, which would be all */
static pid_t any_worker(const struct soak *soak, __u64 *random)
{
	return __atomic_load_n(&soak->pids[next_random(random) % ARRAY_SIZE(soak->pids)],
			       __ATOMIC_RELAXED) ?: getpid();
}

/* Parameters, by up to eight times less than they were */
static void change_parameters(struct soak *soak, __u64 *random)
{
	while (soak_goes_on(soak)) {
		unsigned int nr = next_random(random) % ARRAY_SIZE(parameters);
		__u64 most = parameters_at_start[nr] ?: limit_read() / 2;

		parameter_write(parameters[nr], most >> next_random(random) % 4);
		rest(random, 20);
		if (!(next_random(random) % 8))
			parameters_restore();
	}
	parameters_restore();
}

static void change_reserve(struct soak *soak, __u64 *random)
{
	while (soak_goes_on(soak)) {
		write_text(CLASSES "65536/reserve", next_random(random) % 2 ? "1M" : "0");
		write_text(SYSFS "trim", "1");
		rest(random, 50);
	}
	write_text(CLASSES "65536/reserve", "0");
}

/* The last processor comes and goes */
static void plug_a_processor(struct soak *soak, __u64 *random)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%ld/online",
		 sysconf(_SC_NPROCESSORS_CONF) - 1);
	while (soak_goes_on(soak)) {
		write_text(path, next_random(random) % 2 ? "1" : "0");
		rest(random, 300);
	}
	write_text(path, "1");
}

static void freeze_some(struct soak *soak, __u64 *random)
{
	char pid[16];

	if (!box_create(FROZEN, 256 * MIB))
		return;
	while (soak_goes_on(soak)) {
		snprintf(pid, sizeof(pid), "%d", any_worker(soak, random));
		if (atoi(pid) != getpid())
			box_write(FROZEN, "cgroup.procs", pid);
		box_write(FROZEN, "cgroup.freeze", "1");
		rest(random, 50);
		box_write(FROZEN, "cgroup.freeze", "0");
		rest(random, 50);
	}
}

static void stop_some(struct soak *soak, __u64 *random)
{
	while (soak_goes_on(soak)) {
		pid_t pid = any_worker(soak, random);

		if (pid == getpid())
			continue;
		kill(pid, SIGSTOP);
		rest(random, 50);
		kill(pid, SIGCONT);
	}
}

/* As far as the freezer and the devices, and back */
static void almost_suspend(struct soak *soak, __u64 *random)
{
	if (access("/sys/power/pm_test", W_OK))
		return;
	write_text("/sys/module/suspend/parameters/pm_test_delay", "0");
	while (soak_goes_on(soak)) {
		write_text("/sys/power/pm_test", next_random(random) % 4 ? "freezer" : "devices");
		write_text("/sys/power/state", "freeze");
		rest(random, 2000);
	}
	write_text("/sys/power/pm_test", "none");
}

static int take_half(void *arg)
{
	size_t bytes = memory_number("MemAvailable") * KIB / 2, at;
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	(void)arg;
	write_text("/proc/self/oom_score_adj", "1000");
	for (at = 0; memory != MAP_FAILED && at < bytes; at += PAGE)
		memory[at] = 1;
	return 0;
}

static void press(struct soak *soak, __u64 *random)
{
	while (soak_goes_on(soak)) {
		in_child(take_half, NULL);
		write_text("/proc/sys/vm/drop_caches", "3");
		write_text("/proc/sys/vm/compact_memory", "1");
		rest(random, 1000);
	}
}

static void read_memory_of(pid_t pid, __u64 *random)
{
	char path[64], line[256], buffer[64];
	struct iovec local = { buffer, sizeof(buffer) }, remote = { NULL, sizeof(buffer) };
	unsigned long from;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		if (!strstr(line, POOL_DEVICE) || next_random(random) % 4 ||
		    sscanf(line, "%lx", &from) != 1)
			continue;
		remote.iov_base = (void *)from;
		if (process_vm_readv(pid, &local, 1, &remote, 1, 0) < 0)
			continue;
	}
	if (maps)
		fclose(maps);
}

/* All that can be read, while it changes */
static void read_all(struct soak *soak, __u64 *random)
{
	static const char *const files[] = {
		DEBUGFS, "/sys/kernel/debug/bufpool/accounts", "/sys/kernel/debug/bufpool/channels",
		SYSFS "in_use", SYSFS "kept", CLASSES "4096/free",
	};
	static char text[64 * 1024];
	char path[64];

	while (soak_goes_on(soak)) {
		pid_t pid = any_worker(soak, random);

		file_read(files[next_random(random) % ARRAY_SIZE(files)], text, sizeof(text));
		snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
		file_read(path, text, sizeof(text));
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/5", pid);
		file_read(path, text, sizeof(text));
		read_memory_of(pid, random);
		rest(random, 20);
	}
}

static soak_fn *const soak_disturbers[] = {
	change_parameters, change_reserve, plug_a_processor, freeze_some, stop_some, almost_suspend,
	press, read_all,
};

#endif /* SOAK_DISTURBERS_H */
