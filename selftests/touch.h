/* SPDX-License-Identifier: MIT */
/*
 * What is in memory, and the signal that a touch of it raises.
 */
#ifndef TOUCH_H
#define TOUCH_H

#include <setjmp.h>
#include <signal.h>

#include "device.h"

static inline bool filled(const void *at, int byte, size_t size)
{
	const unsigned char *p = at;

	return p[0] == byte && !memcmp(p, p + 1, size - 1);
}

/* Whether every byte of a block that @fd holds is zero. */
static inline bool block_is_zero(int fd, __u64 offset, __u64 length)
{
	void *at = map_at(fd, offset, length);
	bool zero;

	if (at == MAP_FAILED)
		return false;
	zero = filled(at, 0, length);
	munmap(at, length);
	return zero;
}

/* Overwrite a block that @fd holds. */
static inline bool block_fill(int fd, __u64 offset, __u64 length, int byte)
{
	void *at = map_at(fd, offset, length);

	if (at == MAP_FAILED)
		return false;
	memset(at, byte, length);
	munmap(at, length);
	return true;
}

/* A touch answers with the signal that it raised, or 0. */
static __thread sigjmp_buf touch_env;
static __thread int touch_armed;

static inline void touch_signalled(int sig)
{
	if (!__atomic_load_n(&touch_armed, __ATOMIC_RELAXED)) {
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	siglongjmp(touch_env, sig);
}

/* Before there is a second thread. */
static inline void __attribute__((constructor)) touch_prepare(void)
{
	struct sigaction action = { .sa_handler = touch_signalled };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

static inline int peek(const void *at, unsigned char *value)
{
	int sig;

	sig = sigsetjmp(touch_env, 1);
	if (!sig) {
		__atomic_store_n(&touch_armed, 1, __ATOMIC_RELAXED);
		*value = __atomic_load_n((const unsigned char *)at,
					 __ATOMIC_RELAXED);
	}
	__atomic_store_n(&touch_armed, 0, __ATOMIC_RELAXED);
	return sig;
}

static inline int poke(void *at, unsigned char value)
{
	int sig;

	sig = sigsetjmp(touch_env, 1);
	if (!sig) {
		__atomic_store_n(&touch_armed, 1, __ATOMIC_RELAXED);
		__atomic_store_n((unsigned char *)at, value, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&touch_armed, 0, __ATOMIC_RELAXED);
	return sig;
}

static inline int touch(const void *at)
{
	unsigned char ignored;

	return peek(at, &ignored);
}

#endif /* TOUCH_H */
