/* SPDX-License-Identifier: MIT */
/*
 * Time, and waiting for what another task does.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>

#include <linux/types.h>

static inline __u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

static inline void sleep_ms(unsigned int ms)
{
	struct timespec ts = {
		.tv_sec = ms / 1000,
		.tv_nsec = (ms % 1000) * 1000000L,
	};

	nanosleep(&ts, NULL);
}

/* Memory that processes of a test share, all zero. */
static inline void *shared_alloc(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static inline unsigned int word_get(const unsigned int *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void word_set(unsigned int *word, unsigned int value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/*
 * What is right is never decided by the clock. A test that waits for another task
 * looks for what that does, naps, and looks again. It gives up after a number
 * of looks: on a busy machine naps are longer, and so is the limit.
 */
#define LOOKS_MOST	60000

static inline bool look_again(unsigned int *looks)
{
	sleep_ms(1);
	return ++*looks < LOOKS_MOST;
}

#define BECOMES(cond)	({					\
	unsigned int __looks = 0;				\
								\
	while (!(cond) && look_again(&__looks))			\
		;						\
	__looks < LOOKS_MOST;					\
})

/* Wait until another task has set @word to at least @value. */
static inline bool word_reaches(unsigned int *word, unsigned int value)
{
	return BECOMES(word_get(word) >= value);
}

/* The letter that /proc has for the state of a thread; 0 when it is gone. */
static inline char task_state(pid_t pid, pid_t tid)
{
	char path[64], line[256], *state;
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	len = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (len <= 0)
		return 0;
	line[len] = '\0';
	state = strrchr(line, ')');
	return state && state[1] ? state[2] : 0;
}

/* Wait until the thread @tid of process @pid sleeps in the kernel. */
static inline bool task_sleeps(pid_t pid, pid_t tid)
{
	char state = 0;

	return BECOMES((state = task_state(pid, tid)) == 'S' || !state) && state;
}

#endif /* CLOCK_H */
