// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cancel.h"
#include "memory.h"

/* glibc 2.36 does not have it. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL	0x0008U
#endif

/*
 * An island costs two mappings, and a process may have 65530 by default: leave
 * the program half of them.
 */
#define MAX_ISLANDS	16384

static int make_file(void)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("bufpool", flags | MFD_NOEXEC_SEAL);

	/* Linux knows that since 6.3. */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("bufpool", flags);
	return fd < 0 ? -errno : fd;
}

/* To ask for more raises SIGXFSZ. */
static bool is_too_large(__u64 size)
{
	struct rlimit limit;

	return !getrlimit(RLIMIT_FSIZE, &limit) && size > limit.rlim_cur;
}

/* So that no process can take the blocks away, not even through /proc/self/fd. */
static int size_and_seal(int fd, __u64 size)
{
	if (is_too_large(size))
		return -EFBIG;
	if (ftruncate(fd, size) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return -errno;
	return 0;
}

int bufpool_memory_init(struct bufpool_memory *memory)
{
	int fd, ret;

	fd = make_file();
	if (fd < 0)
		return fd;
	ret = size_and_seal(fd, memory->span * memory->nr_classes);
	if (!ret)
		ret = bufpool_file_init(&memory->file, fd);
	if (ret)
		close(fd);
	return ret;
}

void bufpool_memory_destroy(struct bufpool_memory *memory)
{
	unsigned int class;

	for (class = 0; class < memory->nr_classes; class++)
		bufpool_indexset_destroy(&memory->areas[class].shown);
	bufpool_file_close(&memory->file);
}

int bufpool_memory_map(struct bufpool_memory *memory, void *address,
		       size_t length, __u64 offset)
{
	struct bufpool_area *area = &memory->areas[offset / memory->span];
	size_t mapped = offset % memory->span;

	if (!bufpool_file_is_open(&memory->file))
		return -EBADF;
	if (mmap(address, length, PROT_NONE,
		 MAP_SHARED | MAP_FIXED | MAP_NORESERVE, memory->file.fd,
		 offset) == MAP_FAILED)
		return -errno;
	/*
	 * A core would have all of the file, with what is not rented. Huge pages would
	 * take more memory than was rented; EINVAL: a kernel without them
	 */
	if (madvise(address, length, MADV_DONTFORK) ||
	    madvise(address, length, MADV_DONTDUMP) ||
	    (madvise(address, length, MADV_NOHUGEPAGE) && errno != EINVAL))
		return -errno;
	area->address = (char *)address - mapped;
	area->length = mapped + length;
	return 0;
}

void *bufpool_memory_address(const struct bufpool_memory *memory,
			     unsigned int class, size_t index)
{
	const struct bufpool_area *area = &memory->areas[class];

	return area->address + index * area->block_size;
}

bool bufpool_memory_is_shown(const struct bufpool_memory *memory,
			     unsigned int class, size_t index)
{
	return bufpool_indexset_has(&memory->areas[class].shown, index);
}

/* How many of the two blocks beside the run are shown. */
static int shown_beside(const struct bufpool_memory *memory,
			const struct bufpool_run *run)
{
	size_t after = run->first + run->count;

	return (run->first && bufpool_memory_is_shown(memory, run->class,
						      run->first - 1)) +
	       bufpool_memory_is_shown(memory, run->class, after);
}

static int protect_run(const struct bufpool_memory *memory,
		       const struct bufpool_run *run, int protection)
{
	return mprotect(bufpool_memory_address(memory, run->class, run->first),
			run->count * memory->areas[run->class].block_size,
			protection);
}

int bufpool_memory_show(struct bufpool_memory *memory, unsigned int class,
			size_t index)
{
	struct bufpool_run run = { class, index, 1 };
	struct bufpool_area *area = &memory->areas[class];

	if (bufpool_window_grow(memory->window, class, (index + 1) * area->block_size) ||
	    bufpool_indexset_reserve(&area->shown, index + 1) ||
	    protect_run(memory, &run, PROT_READ | PROT_WRITE))
		return -ENOMEM;
	memory->islands += 1 - shown_beside(memory, &run);
	bufpool_indexset_add(&area->shown, index);
	return 0;
}

static void hide_run(struct bufpool_memory *memory, const struct bufpool_run *run,
		     bool must)
{
	int beside = shown_beside(memory, run);
	size_t i;

	if (beside == 2 && memory->islands >= MAX_ISLANDS && !must)
		return;
	if (protect_run(memory, run, PROT_NONE))
		return;
	memory->islands += beside - 1;
	for (i = 0; i < run->count; i++)
		bufpool_indexset_remove(&memory->areas[run->class].shown,
					run->first + i);
}

/*
 * Where the program has closed the descriptor, another file may have it: the memory is let
 * go by its address, which has to be accessible for that.
 */
static void remove_shown(const struct bufpool_memory *memory,
			 const struct bufpool_run *run, size_t length)
{
	madvise(bufpool_memory_address(memory, run->class, run->first), length,
		MADV_REMOVE);
}

/* Where fallocate() is forbidden to the program, the memory stays. */
static void overwrite_range(const struct bufpool_memory *memory, off_t offset,
			    size_t length)
{
	static const char zeroes[4096];
	size_t done;

	for (done = 0; done < length; done += sizeof(zeroes)) {
		if (pwrite(memory->file.fd, zeroes, sizeof(zeroes),
			   offset + done) != sizeof(zeroes))
			return;
	}
}

/* Hidden first, so that no thread writes into it behind the zeroes. */
void bufpool_memory_discard(struct bufpool_memory *memory,
			    const struct bufpool_run *run, bool must)
{
	size_t block_size = memory->areas[run->class].block_size;
	size_t length = run->count * block_size;
	off_t offset = bufpool_memory_offset(memory, run->class) +
		       (off_t)run->first * block_size;
	int state = bufpool_cancel_disable();
	bool is_open = bufpool_file_is_open(&memory->file);

	if (!is_open)
		remove_shown(memory, run, length);
	hide_run(memory, run, must);
	if (is_open && fallocate(memory->file.fd,
				 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				 offset, length))
		overwrite_range(memory, offset, length);
	bufpool_cancel_restore(state);
}
