// SPDX-License-Identifier: MIT
/*
 * libbufpool in a program that forbids itself system calls: those which the manual names
 * are enough, and where one of them is refused too, calls fail and nothing else does.
 */
#include "library_test.h"
#include "seccomp.h"

#include <poll.h>

/* What the manual names; C libraries have several for some. */
static const int made[] = {
	__NR_close, __NR_ioctl, __NR_madvise, __NR_membarrier, __NR_memfd_create,
	__NR_mprotect, __NR_munlock, __NR_munmap, __NR_pipe2, __NR_pwrite64, __NR_read,
	__NR_rt_sigaction, __NR_rt_sigprocmask,
	__NR_sched_yield, __NR_write, __NR_openat, __NR_getpid, __NR_fallocate, __NR_prlimit64,
#ifdef __NR_open
	__NR_open,
#endif
#ifdef __NR_mmap2
	__NR_mmap2,
#endif
#ifdef __NR_mmap
	__NR_mmap,
#endif
#ifdef __NR_ftruncate
	__NR_ftruncate,
#endif
#ifdef __NR_ftruncate64
	__NR_ftruncate64,
#endif
#ifdef __NR_fcntl
	__NR_fcntl,
#endif
#ifdef __NR_fcntl64
	__NR_fcntl64,
#endif
#ifdef __NR_fstat
	__NR_fstat,
#endif
#ifdef __NR_newfstatat
	__NR_newfstatat,
#endif
#ifdef __NR_statx
	__NR_statx,
#endif
#ifdef __NR_futex
	__NR_futex,
#endif
#ifdef __NR_futex_time64
	__NR_futex_time64,
#endif
#ifdef __NR_clock_gettime
	__NR_clock_gettime,
#endif
#ifdef __NR_clock_gettime64
	__NR_clock_gettime64,
#endif
#ifdef __NR_clock_nanosleep
	__NR_clock_nanosleep,
#endif
#ifdef __NR_clock_nanosleep_time64
	__NR_clock_nanosleep_time64,
#endif
#ifdef __NR_nanosleep
	__NR_nanosleep,
#endif
};

#ifdef __NR_mmap2
#define MMAP_CALL	__NR_mmap2
#else
#define MMAP_CALL	__NR_mmap
#endif

/* malloc()'s and sysconf()'s */
static const int of_the_c_library[] = {
	__NR_brk, __NR_mremap, __NR_getrandom, __NR_sysinfo, __NR_sched_getaffinity,
};

/* The program's own */
static const int of_the_program[] = {
	__NR_exit_group, __NR_kill,
#ifdef __NR_poll
	__NR_poll,
#endif
#ifdef __NR_ppoll
	__NR_ppoll,
#endif
#ifdef __NR_ppoll_time64
	__NR_ppoll_time64,
#endif
};

static bool is_error(long ret)
{
	return ret < 0 && ret > -4096;
}

/* A call that returns a pointer may fail, and then says why. */
static bool is_fair(const void *pointer)
{
	return pointer || errno;
}

/* Every rent and return there is; whatever is refused, to the end */
static bool use(struct bufpool *pool, size_t size)
{
	void *many[70] = { NULL }, *block = bufpool_rent(pool, size, 0);
	bool fine = is_fair(block);
	int ret;

	if (block) {
		ret = poke(block, 1);
		fine &= !ret && bufpool_block_size(pool, block) >= size;
		fine &= !bufpool_return(pool, block, 0);
		fine &= bufpool_return(pool, block, 0) == -ESTALE;
	}
	ret = bufpool_rent_many(pool, size, 0, many, ARRAY_SIZE(many));
	fine &= is_error(ret) || ret <= (int)ARRAY_SIZE(many);
	if (ret > 0)
		fine &= bufpool_return_many(pool, many, ret, BUFPOOL_RETURN_REVOKE) != 0;
	block = bufpool_rent_timed(pool, size, 0, 1000);
	fine &= is_fair(block);
	if (block)
		fine &= !bufpool_return(pool, block, BUFPOOL_RETURN_CLEAR);
	return fine;
}

static bool ask(struct bufpool *pool)
{
	struct bufpool_stats stats = { .size = sizeof(stats) };
	int fd = bufpool_poller(pool, 4096);
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	bool fine = fd >= 0 || is_error(fd);

	fine &= bufpool_stats(pool, &stats) <= 0;
	if (fd >= 0) {
		poll(&poller, 1, 0);
		close(fd);
	}
	fine &= bufpool_cancel(pool, 1) <= 0;
	fine &= bufpool_cancel(pool, 0) <= 0;
	return fine && bufpool_trim(pool, 0, NULL) <= 0;
}

static int do_all(void)
{
	struct bufpool *pool;
	bool fine = true;

	errno = 0;
	pool = bufpool_open(NULL, 0);
	if (!pool)
		return errno ? 0 : 1;
	fine &= use(pool, 1) && use(pool, 100000) && use(pool, 2 * MIB);
	fine &= ask(pool);
	fine &= use(pool, 5000);
	return bufpool_close(pool) || !fine;
}

static int do_all_with(const int *calls, unsigned int count, unsigned int these,
		       unsigned int others)
{
	pid_t pid = fork();

	if (!pid) {
		alarm(60);
		_exit(restrict_calls(calls, count, these, others) ? 97 : do_all());
	}
	return reap(pid);
}

static unsigned int add(int *all, unsigned int count, const int *calls, size_t bytes)
{
	memcpy(all + count, calls, bytes);
	return count + bytes / sizeof(*calls);
}

TEST(what_the_manual_names_is_enough)
{
	int all[SECCOMP_CALLS_MAX];
	unsigned int count = add(all, 0, made, sizeof(made));

	count = add(all, count, of_the_c_library, sizeof(of_the_c_library));
	count = add(all, count, of_the_program, sizeof(of_the_program));
	EXPECT_EQ(0, do_all_with(all, count, SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS));
}

TEST(each_of_them_may_be_refused)
{
	static const int errors[] = { EPERM, EACCES, ENOMEM };
	size_t call, error;
	int ret;

	for (call = 0; call < ARRAY_SIZE(made); call++)
		for (error = 0; error < ARRAY_SIZE(errors); error++) {
			ret = do_all_with(&made[call], 1, SECCOMP_RET_ERRNO | errors[error],
					  SECCOMP_RET_ALLOW);
			EXPECT_EQ(0, ret) {
				TH_LOG("system call %d refused by error %d", made[call],
				       errors[error]);
			}
		}
}

/* What fails on the way to a pool ------------------------------------------------------ */

/* A system call that is refused, always or with a value as one of its arguments */
struct refusal {
	int call;
	int argument;			/* -1: whatever they are */
	__u32 value;
};

#define ALWAYS(call)	{ __NR_##call, -1, 0 }

#ifdef __GLIBC__
#define IS_GLIBC	1
#else
#define IS_GLIBC	0
#endif

/* Of the process, what a pool that is open takes */
struct possessions {
	int fds;
	int maps;
	long space;
	size_t allocated;
};

static struct possessions look_around(void)
{
	return (struct possessions){
		.fds = count_entries("/proc/self/fd"),
		.maps = count_maps(),
		.space = status_kib("VmSize:"),
		.allocated = allocated(),
	};
}

/* Return: 0; or a number that tells what failed opens have left, or that they did not fail */
static int open_refused(const struct refusal *refusal, unsigned int flags)
{
	struct possessions before, after;
	int ret, i;

	ret = refusal->argument < 0 ? forbid_call(refusal->call, EPERM) :
	      forbid_call_with(refusal->call, refusal->argument, refusal->value, EPERM);
	if (ret)
		return 1;
	for (i = 0; i < 2 * MANY_TIMES; i++) {
		/* by then the heap has its shape */
		if (i == MANY_TIMES)
			before = look_around();
		if (open_error(NULL, flags) != -EPERM)
			return 2;
	}
	after = look_around();
	if (after.fds != before.fds)
		return 3;
	if (after.maps != before.maps || after.space != before.space)
		return 4;
	return has_lost(before.allocated, after.allocated) ? 5 : 0;
}

static int open_refused_in_child(const struct refusal *refusal, unsigned int flags)
{
	pid_t pid = fork();

	if (!pid)
		_exit(open_refused(refusal, flags));
	return reap(pid);
}

/* Whatever is refused on the way, what has been done by then is undone. */
TEST(an_open_that_fails_leaves_nothing_behind)
{
	struct bufpool *pool;
	struct refusal refusals[] = {
		ALWAYS(memfd_create),
#ifdef __NR_ftruncate64
		ALWAYS(ftruncate64),
#else
		ALWAYS(ftruncate),
#endif
#ifdef __NR_fcntl64
		{ __NR_fcntl64, 1, F_ADD_SEALS },
#else
		{ __NR_fcntl, 1, F_ADD_SEALS },
#endif
		ALWAYS(munlock),
		{ __NR_madvise, 2, MADV_WIPEONFORK },
		{ __NR_madvise, 2, MADV_DONTFORK },
		{ __NR_madvise, 2, MADV_DONTDUMP },
		{ __NR_madvise, 2, MADV_NOHUGEPAGE },
		{ MMAP_CALL, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE },
		{ MMAP_CALL, 3, MAP_SHARED | MAP_FIXED | MAP_NORESERVE },
		/* what a class has at first, and the table of rentals: set below */
		{ __NR_madvise, 1, 0 },
		{ MMAP_CALL, 1, 0 },
	};
	struct refusal *last = &refusals[ARRAY_SIZE(refusals) - 1];
	size_t i;

	if (!IS_GLIBC)
		SKIP(return, "this heap is in mappings that come and go");
	ASSERT_EQ(0, setenv("BUFPOOL_PRIVATE_LIMIT", SMALL_LIMIT_TEXT, 1));
	pool = bufpool_open(NULL, BUFPOOL_OPEN_PRIVATE);
	ASSERT_NE(NULL, pool);
	last[-1].value = pool->window.first;
	last[0].value = 2 * pool->rentals.length + PAGE;
	ASSERT_EQ(0, bufpool_close(pool));
	for (i = 0; i < ARRAY_SIZE(refusals); i++) {
		EXPECT_EQ(0, open_refused_in_child(&refusals[i], BUFPOOL_OPEN_PRIVATE)) {
			TH_LOG("refusal %zu", i);
		}
	}
}

TEST(so_does_one_of_the_device)
{
	static const struct refusal refusals[] = {
		{ __NR_ioctl, 1, BUFPOOL_IOC_INFO },
		{ __NR_ioctl, 1, BUFPOOL_IOC_CLASS },
		{ __NR_madvise, 2, MADV_WIPEONFORK },
		{ MMAP_CALL, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE },
		{ MMAP_CALL, 3, MAP_SHARED | MAP_FIXED },
	};
	size_t i;

	if (private_chosen())
		SKIP(return, "this is about the device");
	for (i = 0; i < ARRAY_SIZE(refusals); i++) {
		EXPECT_EQ(0, open_refused_in_child(&refusals[i], 0)) {
			TH_LOG("refusal %zu", i);
		}
	}
}

/* fstat() */
static const int looks[] = {
#ifdef __NR_fstat
	__NR_fstat,
#endif
#ifdef __NR_fstat64
	__NR_fstat64,
#endif
#ifdef __NR_newfstatat
	__NR_newfstatat,
#endif
#ifdef __NR_statx
	__NR_statx,
#endif
};

/* Its number may be another file's, some day. */
TEST(a_file_that_cannot_be_looked_at_is_closed)
{
	struct bufpool *pool = bufpool_open(NULL, BUFPOOL_OPEN_PRIVATE);
	int fd = next_fd();

	ASSERT_NE(NULL, pool);
	ASSERT_EQ(0, restrict_calls(looks, ARRAY_SIZE(looks), SECCOMP_RET_ERRNO | EPERM,
				    SECCOMP_RET_ALLOW));
	EXPECT_EQ(-EPERM, open_error(NULL, BUFPOOL_OPEN_PRIVATE));
	EXPECT_EQ(fd, next_fd());
	EXPECT_EQ(-EPERM, open_error(NULL, 0));
	EXPECT_EQ(fd, next_fd());
	EXPECT_EQ(-EPERM, bufpool_poller(pool, 1));
	EXPECT_EQ(fd, next_fd());
	EXPECT_EQ(0, bufpool_close(pool));
}

/* Each of its calls tries to have one again. */
TEST(a_thread_without_a_cache_leaves_nothing_behind)
{
	struct bufpool *pool = bufpool_open(NULL, BUFPOOL_OPEN_PRIVATE);
	struct possessions before;
	void *block;
	int i;

	ASSERT_NE(NULL, pool);
	ASSERT_EQ(0, forbid_call_with(__NR_madvise, 2, MADV_WIPEONFORK, EPERM));
	for (i = 0; i < MANY_TIMES; i++) {
		block = bufpool_rent(pool, 1, 0);
		ASSERT_NE(NULL, block);
		ASSERT_EQ(0, bufpool_return(pool, block, 0));
		ASSERT_EQ(0, rented_of(pool));
		if (!i)
			before = look_around();
	}
	EXPECT_EQ(before.space, look_around().space);
	EXPECT_EQ(0, bufpool_close(pool));
}

/* A return ----------------------------------------------------------------------------- */

/* Where no hole may be made into the memory it is overwritten, all of it and nothing else. */
TEST(a_revoked_block_comes_back_zero_without_holes)
{
	struct bufpool *pool = bufpool_open(NULL, BUFPOOL_OPEN_PRIVATE);
	char *block, *next;

	ASSERT_NE(NULL, pool);
	ASSERT_EQ(0, forbid_call(__NR_fallocate, EPERM));
	block = bufpool_rent(pool, 4 * PAGE, 0);
	next = bufpool_rent(pool, 4 * PAGE, 0);
	ASSERT_NE(NULL, block);
	ASSERT_EQ(block + 4 * PAGE, next);
	memset(block, 0x5a, 8 * PAGE);
	ASSERT_EQ(0, bufpool_return(pool, block, BUFPOOL_RETURN_REVOKE));
	/* or another one that is kept would come */
	ASSERT_EQ(0, bufpool_trim(pool, 0, NULL));
	ASSERT_EQ(block, bufpool_rent(pool, 4 * PAGE, 0));
	EXPECT_TRUE(filled(block, 0, 4 * PAGE));
	EXPECT_TRUE(filled(next, 0x5a, 4 * PAGE));
	EXPECT_EQ(0, bufpool_close(pool));
}

TEST_HARNESS_MAIN
