/* SPDX-License-Identifier: MIT */
/*
 * Strangers: processes that lose their processor in the middle of a call. Other
 * clients must not wait for them.
 *
 * Strangers run on processor 1, the test on processor 0.
 */
#ifndef STRANGER_H
#define STRANGER_H

#include "processor.h"

#include <sys/resource.h>
#include <sys/sysinfo.h>

#include <linux/userfaultfd.h>

#define CGROUP_ROOT	"/sys/fs/cgroup/"
#define CGROUP		CGROUP_ROOT "bufpool-test"
#define CGROUP_TRIES	200

#define STRANGERS	3

/* How many turns a spinner makes before it gives up: seconds of them. */
#define SPINS		1000000000UL

/* Processor time ---------------------------------------------------------- */

/* What keeps strangers from running. */
enum hindrance {
	THROTTLED,	/* a cgroup with a thousandth of a processor */
	IDLE,		/* SCHED_IDLE, beside a busy program */
	PREEMPTED,	/* a real-time program that never sleeps */
};

/**
 * struct crowd - strangers that all do the same
 * @act: what each does again and again
 * @hindrance: what keeps them from running
 * @pids: the strangers
 * @spinner: the program that has their processor
 * @rounds: how often they have acted, together
 * @spins: the spinner is to spin until this is cleared
 * @outlasted: the spinner gave up before that
 */
struct crowd {
	void (*act)(void);
	enum hindrance hindrance;
	pid_t pids[STRANGERS];
	pid_t spinner;
	unsigned int ready;	/* strangers that have acted once */
	unsigned int rounds;
	unsigned int spins;
	unsigned int outlasted;
};

/* How often this thread has slept; being preempted does not count. */
static inline long times_asleep(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_THREAD, &usage) ? -1 : usage.ru_nvcsw;
}

static inline int cgroup_write(const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), CGROUP "/%s", file);
	return write_text(path, text);
}

/* A cgroup that the crowd can be throttled in. */
static inline bool cgroup_create(void)
{
	write_text(CGROUP_ROOT "cgroup.subtree_control", "+cpu");
	return !mkdir(CGROUP, 0755) || errno == EEXIST;
}

/* Its last process may take a moment to leave. */
static inline void cgroup_remove(void)
{
	int i;

	for (i = 0; i < CGROUP_TRIES && rmdir(CGROUP) && errno == EBUSY; i++)
		sleep_ms(5);
}

static inline bool cgroup_enter(pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	return !cgroup_write("cgroup.procs", text);
}

/* Why a hindrance cannot be had here, or NULL. */
static inline const char *hindrance_missing(enum hindrance hindrance)
{
	bool throttles;

	if (hindrance != THROTTLED)
		return NULL;
	throttles = cgroup_create() && !access(CGROUP "/cpu.max", W_OK);
	cgroup_remove();
	return throttles ? NULL : "this kernel has no cpu.max for cgroups";
}

static inline int act_for_ever(void *arg)
{
	struct crowd *crowd = arg;

	/* what comes first takes longest, and is no part of what is hindered */
	crowd->act();
	__atomic_fetch_add(&crowd->ready, 1, __ATOMIC_RELEASE);
	for (;;) {
		crowd->act();
		__atomic_fetch_add(&crowd->rounds, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

static inline int spin_for_long(void *arg)
{
	struct crowd *crowd = arg;
	unsigned long i;

	CHECK(crowd->hindrance != PREEMPTED || schedule_as(0, SCHED_FIFO, 50));
	for (;;) {
		while (!word_get(&crowd->spins))
			sleep_ms(1);
		for (i = 0; i < SPINS && word_get(&crowd->spins); i++)
			;
		if (word_get(&crowd->spins))
			word_set(&crowd->outlasted, 1);
		word_set(&crowd->spins, 0);
	}
	return 0;
}

/* Let the strangers run, until each has got somewhere. */
static inline bool crowd_release(struct crowd *crowd)
{
	unsigned int rounds = word_get(&crowd->rounds);

	word_set(&crowd->spins, 0);
	if (crowd->hindrance == THROTTLED)
		cgroup_write("cpu.max", "max 1000000");
	return word_reaches(&crowd->rounds, rounds + 2 * STRANGERS);
}

/* Take their processor away, wherever they are just now. */
static inline void crowd_hinder(struct crowd *crowd)
{
	if (crowd->hindrance == THROTTLED)
		cgroup_write("cpu.max", "1000 1000000");
	else
		word_set(&crowd->spins, 1);
	sleep_ms(20);
}

/* What takes processor 1 when the crowd is hindered */
static inline bool crowd_add_spinner(struct crowd *crowd)
{
	/* Where real-time programs have to rest, strangers run meanwhile. */
	set_real_time_leaves_some(false);
	crowd->spinner = spawn(spin_for_long, crowd);
	return pin(crowd->spinner, 1);
}

static inline void crowd_remove_spinner(struct crowd *crowd)
{
	kill(crowd->spinner, SIGKILL);
	reap(crowd->spinner);
	set_real_time_leaves_some(true);
}

/* Start strangers; NULL if they do not come. */
static inline struct crowd *crowd_gather(enum hindrance hindrance,
					 void (*act)(void))
{
	struct crowd *crowd = shared_alloc(sizeof(*crowd));
	int i;

	if (!crowd || !pin(0, 0))
		return NULL;
	crowd->act = act;
	crowd->hindrance = hindrance;
	if (hindrance == THROTTLED && !cgroup_create())
		return NULL;
	for (i = 0; i < STRANGERS; i++) {
		pid_t pid = spawn(act_for_ever, crowd);

		crowd->pids[i] = pid;
		if (!pin(pid, 1))
			return NULL;
		if (hindrance == IDLE && !schedule_as(pid, SCHED_IDLE, 0))
			return NULL;
		if (hindrance == THROTTLED && !cgroup_enter(pid))
			return NULL;
	}
	return crowd_add_spinner(crowd) &&
	       word_reaches(&crowd->ready, STRANGERS) && crowd_release(crowd) ?
	       crowd : NULL;
}

static inline void crowd_disperse(struct crowd *crowd)
{
	int i;

	word_set(&crowd->spins, 0);
	if (crowd->hindrance == THROTTLED)
		cgroup_write("cpu.max", "max 1000000");
	crowd_remove_spinner(crowd);
	for (i = 0; i < STRANGERS; i++)
		kill(crowd->pids[i], SIGKILL);
	for (i = 0; i < STRANGERS; i++)
		reap(crowd->pids[i]);
	if (crowd->hindrance == THROTTLED)
		cgroup_remove();
}

/* Pages that hang ------------------------------------------------------------ */

static inline int uffd_open(__u64 features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

/*
 * A page whose first touch hangs until the process is killed, or @teller closed: its faults are
 * told to that descriptor, which nobody reads. NULL where there is no such thing.
 */
static inline void *hanging_page(int *teller)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	long size = sysconf(_SC_PAGESIZE);
	int fd = uffd_open(0);
	void *at;

	if (fd < 0)
		return NULL;
	at = mmap(NULL, size, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	reg.range.start = (uintptr_t)at;
	reg.range.len = size;
	*teller = fd;
	return ioctl(fd, UFFDIO_REGISTER, &reg) ? NULL : at;
}

/* A page that can be read, and whose next write hangs likewise. Return: the descriptor, or -1. */
static inline int hang_writes(void *at)
{
	long size = sysconf(_SC_PAGESIZE);
	struct uffdio_register reg = {
		.mode = UFFDIO_REGISTER_MODE_WP,
		.range = { .start = (uintptr_t)at, .len = size },
	};
	struct uffdio_writeprotect protect = {
		.range = reg.range,
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int fd = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP);

	return fd >= 0 && !ioctl(fd, UFFDIO_REGISTER, &reg) &&
	       !ioctl(fd, UFFDIO_WRITEPROTECT, &protect) ? fd : -1;
}

#endif /* STRANGER_H */
