/* SPDX-License-Identifier: MIT */
/*
 * What the tests of bufpool have in common.
 *
 * Functions that end in a system call return what it returned, or -errno: a
 * test compares that with the one answer it expects.
 *
 * A function that is run in a child process says what went wrong by CHECK(),
 * since the harness's own macros only know the process that runs the test.
 */
#ifndef BUFPOOL_TEST_H
#define BUFPOOL_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/bufpool.h>
#include <linux/capability.h>

#include "kselftest_harness.h"

/*
 * A test that takes longer hangs. Nothing else may be concluded from it: machines
 * are slow, and busy.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	240

#define POOL_DEVICE	"/dev/bufpool"
#define POOL_PARAMETERS	"/sys/module/bufpool/parameters/"
#define POOL_LIMIT	POOL_PARAMETERS "limit"

/* A process that is executed with this set waits for the end of its input. */
#define HOLD_ENV	"BUFPOOL_TEST_HOLD"

#define KIB		1024ULL
#define MIB		(1024 * KIB)
#define NSEC_PER_MSEC	1000000LL
#define NO_HANDLE	(~0ULL)

/* How long anything that happens "soon" may take on the slowest machine. */
#define SOON_MS		20000

/* The layout that 32-bit and 64-bit programs share. */
static_assert(sizeof(struct bufpool_info) == 80, "bufpool_info");
static_assert(offsetof(struct bufpool_info, features) == 24, "features");
static_assert(offsetof(struct bufpool_info, span) == 64, "span");
static_assert(offsetof(struct bufpool_info, status_offset) == 72, "status");
static_assert(sizeof(struct bufpool_status) == 8, "bufpool_status");
static_assert(offsetof(struct bufpool_status, pressure) == 4, "pressure");
static_assert(sizeof(struct bufpool_rent) == 56, "bufpool_rent");
static_assert(offsetof(struct bufpool_rent, min_size) == 8, "min_size");
static_assert(offsetof(struct bufpool_rent, timeout_ns) == 16, "timeout_ns");
static_assert(offsetof(struct bufpool_rent, handle) == 24, "handle");
static_assert(offsetof(struct bufpool_rent, length) == 40, "length");
static_assert(sizeof(struct bufpool_return) == 16, "bufpool_return");
static_assert(offsetof(struct bufpool_return, handle) == 8, "handle");
static_assert(sizeof(struct bufpool_block) == 24, "bufpool_block");
static_assert(sizeof(struct bufpool_rent_many) == 48, "bufpool_rent_many");
static_assert(offsetof(struct bufpool_rent_many, count) == 24, "count");
static_assert(offsetof(struct bufpool_rent_many, blocks) == 32, "blocks");
static_assert(sizeof(struct bufpool_return_many) == 24, "bufpool_return_many");
static_assert(offsetof(struct bufpool_return_many, handles) == 8, "handles");
static_assert(offsetof(struct bufpool_return_many, count) == 16, "count");
static_assert(sizeof(struct bufpool_limit) == 16, "bufpool_limit");
static_assert(offsetof(struct bufpool_limit, ceiling) == 8, "ceiling");
static_assert(sizeof(struct bufpool_stats) == 264, "bufpool_stats");
static_assert(offsetof(struct bufpool_stats, client_rents) == 8, "stats");
static_assert(offsetof(struct bufpool_stats, rents) == 88, "stats");
static_assert(offsetof(struct bufpool_stats, slabs_destroyed) == 192, "stats");
static_assert(sizeof(struct bufpool_trim) == 24, "bufpool_trim");
static_assert(offsetof(struct bufpool_trim, min_size) == 8, "min_size");
static_assert(offsetof(struct bufpool_trim, trimmed) == 16, "trimmed");

/* Children of a test ---------------------------------------------------- */

#define CHECK(cond)	check_that(cond, #cond, __FILE__, __LINE__)

static inline void check_that(bool holds, const char *what, const char *file,
			      int line)
{
	if (holds)
		return;
	fprintf(stderr, "# %s:%d: pid %d: not true: %s (errno %d)\n", file,
		line, getpid(), what, errno);
	_exit(1);
}

/* Run @body in a child that does not outlive this process. */
static inline pid_t spawn(int (*body)(void *arg), void *arg)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(body(arg));
	}
	return pid;
}

/* The exit status of a child, or the negative number of what killed it. */
static inline int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline int in_child(int (*body)(void *arg), void *arg)
{
	return reap(spawn(body, arg));
}

/* Become another user, with no more than these capabilities (CAP_TO_MASK()). */
static inline bool become(uid_t uid, __u32 capabilities)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = {
		{ .effective = capabilities, .permitted = capabilities },
	};

	if (prctl(PR_SET_KEEPCAPS, 1) || setresuid(uid, uid, uid) ||
	    syscall(SYS_capset, &header, data))
		return false;
	/* A change of user forgets it. */
	return !prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* Enough to open the device, and nothing that the pool cares for. */
#define ONLY_OPEN	CAP_TO_MASK(CAP_DAC_OVERRIDE)

/* Time ------------------------------------------------------------------- */

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

/* Wait until another process has set @word to at least @value. */
static inline bool word_reaches(unsigned int *word, unsigned int value)
{
	__u64 end = now_ms() + SOON_MS;

	while (word_get(word) < value) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

static inline void word_set(unsigned int *word, unsigned int value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Wait until the thread @tid of process @pid sleeps in the kernel. */
static inline bool task_sleeps(pid_t pid, pid_t tid)
{
	__u64 end = now_ms() + SOON_MS;
	char path[64], line[256], *state;
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	while (now_ms() < end) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return false;
		len = read(fd, line, sizeof(line) - 1);
		close(fd);
		if (len <= 0)
			return false;
		line[len] = '\0';
		state = strrchr(line, ')');
		if (state && state[1] && state[2] == 'S')
			return true;
		sleep_ms(1);
	}
	return false;
}

/*
 * How often to do what shows something only now and then. A kernel that looks for
 * mistakes in every step takes many times as long for each, and sees in a few
 * what others may not see in many.
 */
static inline unsigned int often(unsigned int times)
{
	return access("/sys/kernel/debug/kmemleak", F_OK) ? times : times / 8;
}

/* Random numbers that the printed seed brings back ------------------------ */

static inline __u64 next_random(__u64 *state)
{
	__u64 x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/* BUFPOOL_SEED, or one that differs from run to run; never 0. */
static inline __u64 random_seed(void)
{
	const char *given = getenv("BUFPOOL_SEED");
	__u64 seed;

	seed = given ? strtoull(given, NULL, 0) : now_ms() << 20 ^ getpid();
	seed |= 1;
	fprintf(stderr, "# BUFPOOL_SEED=%llu\n", seed);
	return seed;
}

/* The device -------------------------------------------------------------- */

static inline int pool_ioctl(int fd, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

static inline int pool_open(void)
{
	int fd = open(POOL_DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static inline int pool_info(int fd, struct bufpool_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return pool_ioctl(fd, BUFPOOL_IOC_INFO, info);
}

static inline int pool_stats(int fd, struct bufpool_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->size = sizeof(*stats);
	return pool_ioctl(fd, BUFPOOL_IOC_STATS, stats);
}

/* The same where nothing can be done about a failure: then nothing fits. */
static inline struct bufpool_stats stats_of(int fd)
{
	struct bufpool_stats stats;

	if (pool_stats(fd, &stats))
		memset(&stats, 0xff, sizeof(stats));
	return stats;
}

static inline int rent_with(int fd, __u64 min_size, __u32 flags,
			    __s64 timeout_ns, struct bufpool_rent *rent)
{
	memset(rent, 0, sizeof(*rent));
	rent->size = sizeof(*rent);
	rent->flags = flags;
	rent->min_size = min_size;
	rent->timeout_ns = timeout_ns;
	return pool_ioctl(fd, BUFPOOL_IOC_RENT, rent);
}

/* Never waits: a test that finds the pool empty fails instead of hanging. */
static inline int rent(int fd, __u64 min_size, struct bufpool_rent *rent)
{
	return rent_with(fd, min_size, BUFPOOL_RENT_NONBLOCK, 0, rent);
}

static inline int give_with(int fd, __u64 handle, __u32 flags)
{
	struct bufpool_return give = {
		.size = sizeof(give),
		.flags = flags,
		.handle = handle,
	};

	return pool_ioctl(fd, BUFPOOL_IOC_RETURN, &give);
}

/* The block may stay warm: mapped, with what is in it. */
static inline int give(int fd, __u64 handle)
{
	return give_with(fd, handle, 0);
}

/* Nothing of the client reaches the block any more when this returns. */
static inline int give_up(int fd, __u64 handle)
{
	return give_with(fd, handle, BUFPOOL_RETURN_REVOKE);
}

static inline int rent_many(int fd, __u64 min_size, __u32 count,
			    struct bufpool_block *blocks)
{
	struct bufpool_rent_many many = {
		.size = sizeof(many),
		.flags = BUFPOOL_RENT_NONBLOCK,
		.min_size = min_size,
		.count = count,
		.blocks = (uintptr_t)blocks,
	};

	return pool_ioctl(fd, BUFPOOL_IOC_RENT_MANY, &many);
}

static inline int give_many_with(int fd, const __u64 *handles, __u32 count,
				 __u32 flags)
{
	struct bufpool_return_many many = {
		.size = sizeof(many),
		.flags = flags,
		.handles = (uintptr_t)handles,
		.count = count,
	};

	return pool_ioctl(fd, BUFPOOL_IOC_RETURN_MANY, &many);
}

static inline int give_many(int fd, const __u64 *handles, __u32 count)
{
	return give_many_with(fd, handles, count, 0);
}

static inline int give_up_many(int fd, const __u64 *handles, __u32 count)
{
	return give_many_with(fd, handles, count, BUFPOOL_RETURN_REVOKE);
}

/* Give up warm blocks; how many bytes, or -errno. */
static inline __s64 trim(int fd, __u64 min_size)
{
	struct bufpool_trim args = {
		.size = sizeof(args),
		.min_size = min_size,
	};
	int ret = pool_ioctl(fd, BUFPOOL_IOC_TRIM, &args);

	return ret ? ret : (__s64)args.trimmed;
}

static inline int set_ceiling(int fd, __u64 ceiling)
{
	struct bufpool_limit limit = {
		.size = sizeof(limit),
		.ceiling = ceiling,
	};

	return pool_ioctl(fd, BUFPOOL_IOC_LIMIT, &limit);
}

/* Map @length bytes at @offset; MAP_FAILED and errno as mmap() has them. */
static inline void *map_at(int fd, __u64 offset, size_t length)
{
	return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    offset);
}

static inline void *map_block(int fd, const struct bufpool_rent *rent)
{
	return map_at(fd, rent->offset, rent->length);
}

/* What mmap() answers: 0, or -errno; nothing stays mapped. */
static inline int try_map(int fd, __u64 offset, size_t length, int prot,
			  int flags)
{
	void *at = mmap(NULL, length, prot, flags, fd, offset);

	if (at == MAP_FAILED)
		return -errno;
	munmap(at, length);
	return 0;
}

/* The page that says when blocks are short; NULL where it cannot be mapped. */
static inline struct bufpool_status *map_status(int fd)
{
	struct bufpool_info info;
	void *at;

	if (pool_info(fd, &info))
		return NULL;
	at = mmap(NULL, info.page_size, PROT_READ, MAP_SHARED, fd,
		  info.status_offset);
	return at == MAP_FAILED ? NULL : at;
}

/* Rent, and map what was rented; NULL when either fails. */
static inline void *rent_mapped(int fd, __u64 min_size,
				struct bufpool_rent *out)
{
	void *at;

	if (rent(fd, min_size, out))
		return NULL;
	at = map_block(fd, out);
	return at == MAP_FAILED ? NULL : at;
}

/* Bytes ------------------------------------------------------------------- */

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

/* Counters ---------------------------------------------------------------- */

static inline bool same_holdings(const struct bufpool_stats *after,
				 const struct bufpool_stats *before)
{
	return after->client_rents == before->client_rents &&
	       after->client_returns == before->client_returns &&
	       after->client_blocks == before->client_blocks &&
	       after->client_bytes == before->client_bytes &&
	       after->client_ceiling == before->client_ceiling &&
	       after->client_warm_rents == before->client_warm_rents &&
	       after->user_held == before->user_held &&
	       after->in_use == before->in_use;
}

/* Whether a call that failed left everything as it was in @before. */
static inline bool unchanged(int fd, const struct bufpool_stats *before)
{
	struct bufpool_stats after;

	return !pool_stats(fd, &after) && same_holdings(&after, before);
}

static inline __u64 in_use(int fd)
{
	struct bufpool_stats stats;

	return pool_stats(fd, &stats) ? ~0ULL : stats.in_use;
}

/* The end of a process is asynchronous: wait, but not for ever. */
static inline bool in_use_becomes(int fd, __u64 want)
{
	__u64 end = now_ms() + SOON_MS;

	while (in_use(fd) != want) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

/* The pool's parameters ----------------------------------------------------- */

static inline int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* Those that may change while the pool is in use. */
static const char *const parameters[] = {
	"limit", "quota", "floor", "warm_blocks", "warm_bytes", "trim_ms",
};

static inline __u64 parameter_read(const char *name)
{
	char path[64], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), POOL_PARAMETERS "%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strtoull(text, NULL, 0);
}

static inline int parameter_write_text(const char *name, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), POOL_PARAMETERS "%s", name);
	return write_text(path, text);
}

static inline int parameter_write(const char *name, __u64 value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", value);
	return parameter_write_text(name, text);
}

static inline __u64 limit_read(void)
{
	return parameter_read("limit");
}

static inline int limit_write(__u64 bytes)
{
	return parameter_write("limit", bytes);
}

/* Rent blocks of @min_size until none is left; how many, or -errno. */
static inline int drain(int fd, __u64 min_size, struct bufpool_block *blocks,
			int max)
{
	int count = 0, ret;

	while (count < max) {
		ret = rent_many(fd, min_size,
				max - count < BUFPOOL_MANY_MAX ?
				max - count : BUFPOOL_MANY_MAX,
				blocks + count);
		if (ret == -EAGAIN)
			break;
		if (ret < 0)
			return ret;
		count += ret;
	}
	return count;
}

/* Before the harness ------------------------------------------------------- */

static __u64 parameters_at_start[ARRAY_SIZE(parameters)];

static inline void parameters_save(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(parameters); i++)
		parameters_at_start[i] = parameter_read(parameters[i]);
}

static inline void parameters_restore(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(parameters); i++) {
		if (parameter_read(parameters[i]) != parameters_at_start[i])
			parameter_write(parameters[i], parameters_at_start[i]);
	}
}

static inline void limit_restore(void)
{
	if (limit_read() != parameters_at_start[0])
		limit_write(parameters_at_start[0]);
}

/* End the program as skipped, before any test ran. */
static inline void skip_all(const char *reason)
{
	printf("TAP version 13\n1..0 # SKIP %s\n", reason);
	fflush(stdout);
	_exit(KSFT_SKIP);
}

/* Whether the library is to make pools that need no device. */
static inline bool private_chosen(void)
{
	const char *provider = getenv("BUFPOOL_PROVIDER");

	return provider && !strcmp(provider, "private");
}

/* A program that is about more than the device defines this before. */
#ifdef ANY_PROVIDER
#define NEEDS_DEVICE	(!private_chosen())
#else
#define NEEDS_DEVICE	true
#endif

static inline void __attribute__((constructor)) bufpool_test_start(void)
{
	char c;
	int fd;

	if (getenv(HOLD_ENV)) {
		while (read(STDIN_FILENO, &c, 1) > 0)
			;
		_exit(0);
	}

	if (!NEEDS_DEVICE)
		return;
	fd = pool_open();
	if (fd == -ENOENT)
		skip_all("there is no " POOL_DEVICE);
	if (fd < 0) {
		fprintf(stderr, "# %s: %s\n", POOL_DEVICE, strerror(-fd));
		_exit(KSFT_FAIL);
	}
	close(fd);

	/* Also where a test was killed before it could put them back. */
	parameters_save();
	atexit(parameters_restore);
}

#endif /* BUFPOOL_TEST_H */
