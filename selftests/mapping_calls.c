// SPDX-License-Identifier: MIT
/*
 * Every other system call that can be pointed at a mapping or at the descriptor,
 * and what a debugger sees.
 */
#include "mapping.h"

#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Advice, locks and the like ---------------------------------------------- */

struct advice {
	const char *name;
	int advice;
	int answer;	/* 0, or the errno */
};

TEST_F(mapping, advice_takes_nothing_away)
{
	const struct advice table[] = {
		{ "NORMAL", MADV_NORMAL, 0 },
		{ "RANDOM", MADV_RANDOM, 0 },
		{ "SEQUENTIAL", MADV_SEQUENTIAL, 0 },
		{ "DONTNEED", MADV_DONTNEED, EINVAL },
		{ "FREE", MADV_FREE, EINVAL },
		{ "REMOVE", MADV_REMOVE, ENODEV },
		{ "DODUMP", MADV_DODUMP, EINVAL },
		{ "COLD", MADV_COLD, EINVAL },
		{ "PAGEOUT", MADV_PAGEOUT, EINVAL },
		{ "POPULATE_READ", MADV_POPULATE_READ, EINVAL },
		{ "POPULATE_WRITE", MADV_POPULATE_WRITE, EINVAL },
	};
	const int optional[] = {
		MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE,
		MADV_NOHUGEPAGE, MADV_WILLNEED,
	};
	size_t i;

	memset(self->at, 0x5a, BLOCK);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		int ret = madvise(self->at, BLOCK, table[i].advice);

		EXPECT_EQ(table[i].answer, ret ? errno : 0) {
			TH_LOG("MADV_%s", table[i].name);
		}
		EXPECT_TRUE(filled(self->at, 0x5a, BLOCK)) {
			TH_LOG("MADV_%s", table[i].name);
		}
	}
	/* Whether these are known depends on the kernel's configuration. */
	for (i = 0; i < ARRAY_SIZE(optional); i++) {
		madvise(self->at, BLOCK, optional[i]);
		EXPECT_TRUE(filled(self->at, 0x5a, BLOCK)) {
			TH_LOG("advice %d", optional[i]);
		}
	}
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_EQ(SIGBUS, touch(self->at));
}

TEST_F(mapping, mlock_is_harmless)
{
	memset(self->at, 0x5a, BLOCK);
	EXPECT_EQ(0, mlock(self->at, BLOCK));
	EXPECT_TRUE(filled(self->at, 0x5a, BLOCK));
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_EQ(SIGBUS, touch(self->at));
	EXPECT_EQ(0, munlock(self->at, BLOCK));
}

TEST_F(mapping, mlockall_future_is_harmless)
{
	char *at;

	ASSERT_EQ(0, mlockall(MCL_FUTURE));
	at = map_block(self->fd, &self->rent);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(0, poke(at, 0x5a));
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_EQ(SIGBUS, touch(at));
	munlockall();
}

/* Nothing can be populated where nothing is held. */
TEST_F(mapping, populate_is_harmless)
{
	char *at;

	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	at = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_POPULATE, self->fd, self->rent.offset);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(SIGBUS, touch(at));
}

TEST_F(mapping, msync)
{
	memset(self->at, 0x5a, BLOCK);
	EXPECT_EQ(0, msync(self->at, BLOCK, MS_ASYNC));
	EXPECT_EQ(0, msync(self->at, BLOCK, MS_ASYNC | MS_INVALIDATE));
	EXPECT_EQ(-1, msync(self->at, BLOCK, MS_SYNC));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_TRUE(filled(self->at, 0x5a, BLOCK));
}

TEST_F(mapping, file_calls_on_the_descriptor)
{
	int ends[2];
	int fd = self->fd;

	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, pipe(ends));
	EXPECT_EQ(-1, fsync(fd));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, fdatasync(fd));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ftruncate(fd, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, fallocate(fd, 0, 0, BLOCK));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(-1, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				self->rent.offset, BLOCK));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(-1, readahead(fd, 0, BLOCK));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	EXPECT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED));
	EXPECT_EQ(-1, sendfile(ends[1], fd, NULL, BLOCK));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, splice(fd, NULL, ends[1], NULL, BLOCK,
			     SPLICE_F_NONBLOCK));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(1, write(ends[1], "x", 1));
	EXPECT_EQ(-1, splice(ends[0], NULL, fd, NULL, 1, SPLICE_F_NONBLOCK));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_TRUE(filled(self->at, 0x5a, BLOCK));
	EXPECT_EQ(0, give_up(fd, self->rent.handle));
}

/* What the kernel itself reads and writes --------------------------------- */

TEST_F(mapping, write_from_a_block)
{
	char seen[4096];
	int ends[2];

	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(sizeof(seen), write(ends[1], self->at, sizeof(seen)));
	ASSERT_EQ(sizeof(seen), read(ends[0], seen, sizeof(seen)));
	EXPECT_TRUE(filled(seen, 0x5a, sizeof(seen)));
}

/* The first touch is the kernel's. */
TEST_F(mapping, read_into_an_untouched_block)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC), ends[2];

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(5, write(ends[1], "hello", 5));
	ASSERT_EQ(5, read(ends[0], self->at + 100, 5));
	EXPECT_EQ(0, memcmp(self->at + 100, "hello", 5));
	EXPECT_EQ((ssize_t)BLOCK, read(fd, self->at, BLOCK));
	EXPECT_TRUE(filled(self->at, 0, BLOCK));
	close(fd);
}

TEST_F(mapping, read_into_a_returned_block_is_efault)
{
	int ends[2];

	ASSERT_EQ(0, poke(self->at, 1));
	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_EQ(-1, write(ends[1], self->at, 1));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(1, write(ends[1], "x", 1));
	EXPECT_EQ(-1, read(ends[0], self->at, 1));
	EXPECT_EQ(EFAULT, errno);
}

/* An ioctl's argument may itself be in a block. */
TEST_F(mapping, argument_in_a_block)
{
	struct bufpool_rent *rented = (void *)self->at;
	struct bufpool_return *back = (void *)(self->at + self->page);

	ASSERT_EQ(0, rent(self->fd, 1, rented));
	ASSERT_EQ(0, give_up(self->fd, rented->handle));
	/* A block that is given back by what is written in it. */
	back->size = sizeof(*back);
	back->flags = BUFPOOL_RETURN_REVOKE;
	back->handle = self->rent.handle;
	EXPECT_EQ(0, pool_ioctl(self->fd, BUFPOOL_IOC_RETURN, back));
	EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, BUFPOOL_IOC_RETURN, back));
}

/* A page reference would outlive the return: none is to be had. */
TEST_F(mapping, vmsplice_is_efault)
{
	struct iovec iov = { .iov_base = self->at, .iov_len = self->page };
	int ends[2];

	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, pipe(ends));
	EXPECT_EQ(-1, vmsplice(ends[1], &iov, 1, SPLICE_F_NONBLOCK));
	EXPECT_EQ(EFAULT, errno);
}

static int read_parent_memory(void *arg)
{
	struct shared *shared = arg;
	char seen[16];
	struct iovec local = { .iov_base = seen, .iov_len = sizeof(seen) };
	struct iovec remote = {
		.iov_base = shared->at,
		.iov_len = sizeof(seen),
	};

	struct iovec ordinary = { .iov_base = shared, .iov_len = 1 };

	if (process_vm_readv(getppid(), &local, 1, &ordinary, 1, 0) != 1)
		return KSFT_SKIP;
	CHECK(process_vm_readv(getppid(), &local, 1, &remote, 1, 0) == -1);
	CHECK(errno == EFAULT);
	return 0;
}

TEST_F(mapping, process_vm_readv_is_refused)
{
	struct shared *shared = share(self->fd, &self->rent, self->at);
	int ret;

	ASSERT_NE(NULL, shared);
	memset(self->at, 0x5a, BLOCK);
	ret = in_child(read_parent_memory, shared);
	if (ret == KSFT_SKIP)
		SKIP(return, "this kernel has no process_vm_readv");
	EXPECT_EQ(0, ret);
}

TEST_F(mapping, direct_io_is_efault)
{
	const char *const devices[] = {
		"/dev/ram0", "/dev/zram1", "/dev/zram0", "/dev/vda",
		"/dev/sda", "/dev/loop0",
	};
	char *own = shared_alloc(self->page);
	size_t i;
	int fd;

	ASSERT_NE(NULL, own);
	memset(self->at, 0x5a, BLOCK);
	for (i = 0; i < ARRAY_SIZE(devices); i++) {
		fd = open(devices[i], O_RDONLY | O_DIRECT | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (pread(fd, own, self->page, 0) != (ssize_t)self->page) {
			close(fd);
			continue;
		}
		EXPECT_EQ(-1, pread(fd, self->at, self->page, 0));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_TRUE(filled(self->at, 0x5a, BLOCK));
		close(fd);
		return;
	}
	SKIP(return, "there is no block device to read directly");
}

/* Debuggers --------------------------------------------------------------- */

static int be_traced(void *arg)
{
	struct shared *shared = arg;

	shared->at = map_block(shared->fd, &shared->rent);
	CHECK(shared->at != MAP_FAILED);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		return 77;
	raise(SIGSTOP);
	return 0;
}

/* A child that maps the block and stops; NULL where it cannot be traced. */
static struct shared *start_traced(int fd, const struct bufpool_rent *rent,
				   pid_t *pid)
{
	struct shared *shared = share(fd, rent, NULL);
	int status;

	if (!shared)
		return NULL;
	*pid = spawn(be_traced, shared);
	if (waitpid(*pid, &status, WUNTRACED) != *pid || !WIFSTOPPED(status))
		return NULL;
	return shared;
}

static void end_traced(pid_t pid)
{
	kill(pid, SIGKILL);
	reap(pid);
}

TEST_F(mapping, debugger_peeks)
{
	struct shared *shared;
	long word;
	pid_t pid;

	memset(self->at, 0x5a, BLOCK);
	memset(&word, 0x5a, sizeof(word));
	shared = start_traced(self->fd, &self->rent, &pid);
	if (!shared)
		SKIP(return, "a child cannot be traced here");
	errno = 0;
	EXPECT_EQ(word, ptrace(PTRACE_PEEKDATA, pid, shared->at, NULL));
	EXPECT_EQ(0, errno);
	EXPECT_EQ(word, ptrace(PTRACE_PEEKDATA, pid,
			       shared->at + BLOCK - sizeof(word), NULL));

	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	errno = 0;
	EXPECT_EQ(-1, ptrace(PTRACE_PEEKDATA, pid, shared->at, NULL));
	EXPECT_EQ(EIO, errno);
	end_traced(pid);
}

TEST_F(mapping, debugger_reads_memory)
{
	struct shared *shared;
	char path[64], *seen = shared_alloc(BLOCK);
	pid_t pid;
	int fd;

	memset(self->at, 0x5a, BLOCK);
	shared = start_traced(self->fd, &self->rent, &pid);
	if (!shared)
		SKIP(return, "a child cannot be traced here");
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ((ssize_t)BLOCK, pread(fd, seen, BLOCK,
					(uintptr_t)shared->at));
	EXPECT_TRUE(filled(seen, 0x5a, BLOCK));

	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_EQ(-1, pread(fd, seen, BLOCK, (uintptr_t)shared->at));
	EXPECT_EQ(EIO, errno);
	end_traced(pid);
	close(fd);
}

/* A debugger reaches no more than the program that it debugs. */
TEST_F(mapping, debugger_sees_no_foreign_block)
{
	int other = pool_open();
	struct shared *shared;
	pid_t pid;

	ASSERT_LE(0, other);
	memset(self->at, 0x5a, BLOCK);
	shared = start_traced(other, &self->rent, &pid);
	if (!shared)
		SKIP(return, "a child cannot be traced here");
	errno = 0;
	EXPECT_EQ(-1, ptrace(PTRACE_PEEKDATA, pid, shared->at, NULL));
	EXPECT_EQ(EIO, errno);
	errno = 0;
	EXPECT_EQ(-1, ptrace(PTRACE_POKEDATA, pid, shared->at, 0L));
	EXPECT_EQ(EIO, errno);
	EXPECT_TRUE(filled(self->at, 0x5a, BLOCK));
	end_traced(pid);
}

/* Rent blocks until there is one at @offset. Return: whether it came, and all were zero. */
static bool next_owner_finds_zeroes(__u64 offset)
{
	struct bufpool_rent rented = { .offset = ~0ULL };
	int fd = pool_open(), tries;
	bool zero = fd >= 0;

	for (tries = 0; zero && tries < 64 && rented.offset != offset; tries++)
		zero = !rent(fd, BLOCK, &rented) && block_is_zero(fd, rented.offset, BLOCK);
	close(fd);
	return zero && rented.offset == offset;
}

/* The program itself has never touched the block. */
TEST_F(mapping, what_a_debugger_pokes_is_the_owners_alone)
{
	struct shared *shared;
	pid_t pid;

	shared = start_traced(self->fd, &self->rent, &pid);
	if (!shared)
		SKIP(return, "a child cannot be traced here");
	ASSERT_EQ(0, ptrace(PTRACE_POKEDATA, pid, shared->at + PAGE, -1L));
	EXPECT_EQ(-1L, ptrace(PTRACE_PEEKDATA, pid, shared->at + PAGE, NULL));
	end_traced(pid);
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_TRUE(next_owner_finds_zeroes(self->rent.offset));
}

TEST_F(mapping, what_a_debugger_writes_is_the_owners_alone)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	static const char secret[] = "a secret";

	ASSERT_LE(0, fd);
	if (pwrite(fd, secret, sizeof(secret), (uintptr_t)self->at + BLOCK - sizeof(secret)) < 0)
		SKIP(return, "this kernel writes to no memory by /proc");
	close(fd);
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_TRUE(next_owner_finds_zeroes(self->rent.offset));
}

/* Where a mapping ends within a block, a debugger sees no more of that. */
TEST_F(mapping, debugger_stops_at_the_end_of_the_mapping)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	char seen[64];

	ASSERT_LE(0, fd);
	memset(self->at, 0x5a, BLOCK);
	ASSERT_EQ(0, munmap(self->at + PAGE, BLOCK - PAGE));
	EXPECT_EQ(16, pread(fd, seen, sizeof(seen), (uintptr_t)self->at + PAGE - 16));
	EXPECT_TRUE(filled(seen, 0x5a, 16));
	close(fd);
}

/* Not inherited, not in a core dump, not growing: as smaps shows it. */
TEST_F(mapping, flags_in_smaps)
{
	unsigned long start, end;
	char line[512];
	bool mine = false, seen = false;
	FILE *smaps = fopen("/proc/self/smaps", "re");

	if (!smaps)
		SKIP(return, "there is no /proc/self/smaps");
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			mine = start == (uintptr_t)self->at;
		if (!mine || strncmp(line, "VmFlags:", 8))
			continue;
		seen = true;
		EXPECT_NE(NULL, strstr(line, " dd"));
		EXPECT_NE(NULL, strstr(line, " dc"));
		EXPECT_NE(NULL, strstr(line, " de"));
		EXPECT_NE(NULL, strstr(line, " pf"));
		EXPECT_EQ(NULL, strstr(line, " me"));
	}
	fclose(smaps);
	EXPECT_TRUE(seen);
}

TEST_HARNESS_MAIN
