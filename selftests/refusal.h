/* SPDX-License-Identifier: MIT */
/*
 * Calls of the C library that are refused as the system may refuse them: the linker has
 * callers of those that REFUSABLE in the Makefile names come here.
 */
#ifndef REFUSAL_H
#define REFUSAL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* What calls are about */
#define OF_MEMORY	1
#define OF_FILES	2
#define OF_DEVICE	4
#define OF_THREADS	8

/* Of the calls of this thread that are about such things, one, or it and all after it */
struct refusal {
	unsigned int kinds;
	unsigned int at;	/* 1 for the next one */
	bool all;
	int error;		/* instead of the usual one, if not 0 */

	unsigned int calls;	/* so far */
	int given;		/* the error of the last that was refused, or 0 */
};

static __thread struct refusal refusal;

/* What this thread does before it maps memory the next time */
static __thread void (*before_mapping)(void);

/* What has been allocated and not freed, by anybody */
static long allocations;

static inline void refuse(struct refusal what)
{
	refusal = what;
}

/* Nothing more. Return: the error of what was refused, or 0 */
static inline int refuse_no_more(void)
{
	int given = refusal.given;

	refusal = (struct refusal){ 0 };
	return given;
}

static inline int refused_error(unsigned int kind, int usual)
{
	if (!(refusal.kinds & kind))
		return 0;
	refusal.calls++;
	if (refusal.calls != refusal.at && (!refusal.all || refusal.calls < refusal.at))
		return 0;
	refusal.given = refusal.error ? refusal.error : usual;
	return refusal.given;
}

static inline bool is_refused(unsigned int kind, int usual)
{
	int error = refused_error(kind, usual);

	if (error)
		errno = error;
	return error;
}

/* Where file offsets have 64 bits, glibc's functions have these names. */
#ifdef __GLIBC__
#define __real_mmap		__real_mmap64
#define __wrap_mmap		__wrap_mmap64
#define __real_ftruncate	__real_ftruncate64
#define __wrap_ftruncate	__wrap_ftruncate64
#define __real_fcntl		__real_fcntl64
#define __wrap_fcntl		__wrap_fcntl64
#define __real_fallocate	__real_fallocate64
#define __wrap_fallocate	__wrap_fallocate64
#define __real_pwrite		__real_pwrite64
#define __wrap_pwrite		__wrap_pwrite64
#endif

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __real_free(void *memory);
void __wrap_free(void *memory);
void *__real_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
int __real_mprotect(void *address, size_t length, int protection);
int __wrap_mprotect(void *address, size_t length, int protection);
int __real_madvise(void *address, size_t length, int advice);
int __wrap_madvise(void *address, size_t length, int advice);
int __real_munlock(const void *address, size_t length);
int __wrap_munlock(const void *address, size_t length);
int __real_memfd_create(const char *name, unsigned int flags);
int __wrap_memfd_create(const char *name, unsigned int flags);
int __real_ftruncate(int fd, off_t length);
int __wrap_ftruncate(int fd, off_t length);
int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, unsigned long argument);
int __real_fallocate(int fd, int mode, off_t offset, off_t length);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t length);
ssize_t __real_pwrite(int fd, const void *from, size_t length, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *from, size_t length, off_t offset);
int __real_pipe2(int *fds, int flags);
int __wrap_pipe2(int *fds, int flags);
int __real_ioctl(int fd, unsigned long command, ...);
int __wrap_ioctl(int fd, unsigned long command, void *argument);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);
int __real_pthread_setspecific(unsigned int key, const void *value);
int __wrap_pthread_setspecific(unsigned int key, const void *value);
int __real_pthread_key_create(unsigned int *key, void (*destructor)(void *value));
int __wrap_pthread_key_create(unsigned int *key, void (*destructor)(void *value));

static inline void *counted(void *memory)
{
	if (memory)
		__atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
	return memory;
}

void *__wrap_malloc(size_t size)
{
	return is_refused(OF_MEMORY, ENOMEM) ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
	return is_refused(OF_MEMORY, ENOMEM) ? NULL : counted(__real_calloc(count, size));
}

void __wrap_free(void *memory)
{
	if (memory)
		__atomic_sub_fetch(&allocations, 1, __ATOMIC_RELAXED);
	__real_free(memory);
}

void *__wrap_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	void (*meanwhile)(void) = before_mapping;

	before_mapping = NULL;
	if (meanwhile)
		meanwhile();
	return is_refused(OF_MEMORY, ENOMEM) ? (void *)-1 :
	       __real_mmap(address, length, protection, flags, fd, offset);
}

int __wrap_mprotect(void *address, size_t length, int protection)
{
	return is_refused(OF_MEMORY, ENOMEM) ? -1 : __real_mprotect(address, length, protection);
}

int __wrap_madvise(void *address, size_t length, int advice)
{
	return is_refused(OF_MEMORY, ENOMEM) ? -1 : __real_madvise(address, length, advice);
}

int __wrap_munlock(const void *address, size_t length)
{
	return is_refused(OF_MEMORY, ENOMEM) ? -1 : __real_munlock(address, length);
}

int __wrap_memfd_create(const char *name, unsigned int flags)
{
	return is_refused(OF_FILES, EMFILE) ? -1 : __real_memfd_create(name, flags);
}

int __wrap_ftruncate(int fd, off_t length)
{
	return is_refused(OF_FILES, ENOMEM) ? -1 : __real_ftruncate(fd, length);
}

int __wrap_fcntl(int fd, int command, unsigned long argument)
{
	return is_refused(OF_FILES, EBUSY) ? -1 : __real_fcntl(fd, command, argument);
}

int __wrap_fallocate(int fd, int mode, off_t offset, off_t length)
{
	return is_refused(OF_FILES, EOPNOTSUPP) ? -1 : __real_fallocate(fd, mode, offset, length);
}

ssize_t __wrap_pwrite(int fd, const void *from, size_t length, off_t offset)
{
	return is_refused(OF_FILES, ENOSPC) ? -1 : __real_pwrite(fd, from, length, offset);
}

int __wrap_pipe2(int *fds, int flags)
{
	return is_refused(OF_FILES, EMFILE) ? -1 : __real_pipe2(fds, flags);
}

int __wrap_ioctl(int fd, unsigned long command, void *argument)
{
	return is_refused(OF_DEVICE, ENOMEM) ? -1 : __real_ioctl(fd, command, argument);
}

/* Barriers; what else the library calls so cannot fail. */
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	return number == SYS_membarrier && is_refused(OF_THREADS, ENOMEM) ? -1 :
	       __real_syscall(number, a, b, c, d, e, f);
}

int __wrap_pthread_setspecific(unsigned int key, const void *value)
{
	return refused_error(OF_THREADS, ENOMEM) ?: __real_pthread_setspecific(key, value);
}

int __wrap_pthread_key_create(unsigned int *key, void (*destructor)(void *value))
{
	return refused_error(OF_THREADS, EAGAIN) ?: __real_pthread_key_create(key, destructor);
}

#endif /* REFUSAL_H */
