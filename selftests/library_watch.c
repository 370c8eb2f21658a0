// SPDX-License-Identifier: MIT
/*
 * libbufpool: what the address sanitizer and valgrind see of a program's blocks. Without
 * them, that nothing is watched.
 */
#include "library_test.h"

#include <limits.h>
#include <stdlib.h>

/* This program is about nothing else: before it asks for a device. */
static void __attribute__((constructor(101))) choose_private(void)
{
	setenv("BUFPOOL_PROVIDER", "private", 1);
	unsetenv("BUFPOOL_WATCH");
}

static bool is_watched(void)
{
#ifdef __SANITIZE_ADDRESS__
	return true;
#else
	return in_valgrind();
#endif
}

TEST_F(library, is_watched_where_something_watches)
{
	EXPECT_EQ(is_watched(), self->pool->watch.is_on);
}

static char *block;
static struct bufpool *pool;

static void write_after_return(void)
{
	bufpool_return(pool, block, 0);
	block[7] = 1;
}

static void read_after_return(void)
{
	bufpool_return(pool, block, 0);
	block[0] = block[4999] + 1;
}

static void read_after_return_many(void)
{
	void *blocks[1] = { block };

	bufpool_return_many(pool, blocks, 1, BUFPOOL_RETURN_CLEAR);
	block[0] = block[1];
}

static void write_beyond(void)
{
	block[5000] = 1;
}

static void write_beyond_what_there_is(void)
{
	block[bufpool_block_size(pool, block)] = 1;
}

static void write_beyond_for_io(void)
{
	char *other = bufpool_rent(pool, 3 * MIB, BUFPOOL_RENT_IO);

	other[3 * MIB] = 1;
}

static void use_after_return_for_io(void)
{
	char *other = bufpool_rent(pool, 5000, BUFPOOL_RENT_IO);

	bufpool_return(pool, other, 0);
	other[1] = 1;
}

static void forget_a_rental(void)
{
	block = NULL;
}

static void do_nothing_wrong(void)
{
	void *other = bufpool_rent(pool, 4096, BUFPOOL_RENT_ZERO);
	size_t size = bufpool_block_size(pool, block);

	memset(block, 2, size);
	memset(other, 2, 4096);
	bufpool_return(pool, block, BUFPOOL_RETURN_REVOKE);
	block = bufpool_rent(pool, 8192, BUFPOOL_RENT_ZERO);
	memset(block, 3, 8192);
	bufpool_return(pool, block, 0);
	bufpool_return(pool, other, BUFPOOL_RETURN_CLEAR);
	block = bufpool_rent(pool, 6 * MIB, BUFPOOL_RENT_IO);
	memset(block, 4, 6 * MIB);
	bufpool_return(pool, block, 0);
	bufpool_close(pool);
}

static void close_with_a_rental(void)
{
	bufpool_close(pool);
}

/* A child has no rental to lose, once it has closed what it inherited. */
static void close_in_a_child(void)
{
	int status = -1;

	if (!fork()) {
		bufpool_close(pool);
		exit(0);
	}
	wait(&status);
	bufpool_return(pool, block, 0);
	bufpool_close(pool);
	if (status)
		_exit(96);
}

#define POISONED	"use-after-poison"
#define INVALID		"Invalid "

static const struct fault {
	void (*body)(void);
	const char *sanitizer, *valgrind;	/* NULL: there is none, and nothing is wrong */
} faults[] = {
	{ write_after_return, POISONED, INVALID "write" },
	{ read_after_return, POISONED, INVALID "read" },
	{ read_after_return_many, POISONED, INVALID "read" },
	{ write_beyond, POISONED, INVALID "write" },
	{ write_beyond_for_io, POISONED, INVALID "write" },
	{ use_after_return_for_io, POISONED, INVALID "write" },
	/* no memory is there */
	{ write_beyond_what_there_is, "", INVALID "write" },
	{ forget_a_rental, "5000 byte(s) leaked", "5,000 bytes in 1 blocks are definitely lost" },
	{ do_nothing_wrong, NULL, NULL },
	{ close_with_a_rental, NULL, NULL },
	{ close_in_a_child, NULL, NULL },
};

/* The number of the fault that this program is to do, and nothing else */
#define FAULT	"BUFPOOL_FAULT"

static void __attribute__((constructor(102))) do_fault(void)
{
	const char *number = getenv(FAULT);

	if (!number)
		return;
	pool = bufpool_open(NULL, 0);
	block = pool ? bufpool_rent(pool, 5000, 0) : NULL;
	if (!block)
		_exit(99);
	memset(block, 1, 5000);
	faults[atoi(number)].body();
	exit(0);
}

/* Become this program that does it, with all it says in @output. */
static void become_faulty(size_t fault, int output)
{
	char number[8], program[PATH_MAX] = "";

	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		_exit(98);
	snprintf(number, sizeof(number), "%zu", fault);
	setenv(FAULT, number, 1);
	dup2(output, STDERR_FILENO);
	execl(program, "library_watch", NULL);
	_exit(98);
}

/* What it writes to stderr, and how it ends */
static int said_by(size_t fault, char *said, size_t length)
{
	size_t have = 0;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (!pid)
		become_faulty(fault, fds[1]);
	close(fds[1]);
	while (have < length - 1 && (n = read(fds[0], said + have, length - 1 - have)) > 0)
		have += n;
	said[have] = 0;
	close(fds[0]);
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(faults_are_seen_where_something_watches)
{
	const char *report;
	char said[16384];
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		report = in_valgrind() ? faults[i].valgrind : faults[i].sanitizer;
		if (report && !is_watched())
			continue;
		ret = said_by(i, said, sizeof(said));
		if (!report) {
			EXPECT_EQ(0, ret);
			EXPECT_STREQ("", said);
			continue;
		}
		EXPECT_LT(0, ret);
		EXPECT_FALSE(ret == 98 || ret == 99);
		EXPECT_NE(NULL, strstr(said, report)) {
			TH_LOG("fault %zu: %s", i, said);
		}
	}
}

TEST_HARNESS_MAIN
