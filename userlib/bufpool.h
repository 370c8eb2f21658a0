/* SPDX-License-Identifier: MIT */
/*
 * libbufpool - rent and return blocks of /dev/bufpool
 *
 * A *pool* here is a view of the machine's pool of memory blocks: one open file
 * description of the device (a *client*, see <linux/bufpool.h>) and the address
 * space that its blocks appear in. A rented block is a plain pointer.
 *
 * Errors
 *
 *   Functions of type int return 0, or a count, or a negative errno. Functions
 *   that return a pointer or a size return NULL or 0 and set errno. A call that
 *   fails has changed nothing, but for errno where that is how it tells. The
 *   library never prints, never exits and never installs a signal handler.
 *
 *   Every function that takes a pool fails with EINVAL when it is NULL, and with
 *   ECHILD in a process that fork(2) made after the pool was opened; only
 *   bufpool_close() works there.
 *
 *   Every function that takes a block fails with
 *
 *     EINVAL   it is NULL, or points into a block and not at its first byte
 *     ENOENT   it is no block of this pool: foreign memory, or never rented
 *     ESTALE   it has been returned
 *
 * Threads
 *
 *   Every function but bufpool_close() may be called on one pool by any number of
 *   threads at once, and any thread may return what another one rented. Of
 *   threads that return one block at the very same instant one is told that it has.
 *   A thread that returns what another one rented waits for that one, but only while
 *   it is in the middle of a rent or return that makes no system call.
 *
 *   A thread may end or be cancelled (deferred) at any time between two calls;
 *   what the library keeps for it goes to others. bufpool_close() may be called
 *   while threads that used the pool are still there. After dlclose(3) the shared
 *   library stays loaded; a plugin that is linked with the static one must itself
 *   be linked with -z nodelete. In a signal handler that interrupted another call
 *   of the thread, or its end, a call may fail with EDEADLK, and has changed
 *   nothing; otherwise it works.
 *
 *   A coroutine may go from one thread to another between two calls, but not where
 *   those are inline (-flto): compilers take it that a function stays in its thread.
 *   There let each call stand in a function of its own that is not inlined.
 *
 * What is kept
 *
 *   A block that is returned without flags is kept for the next rent of its size
 *   in this process, so that most rents and returns need no system call. For
 *   each thread and size that is at most 2 MiB or 128 blocks, whichever is less, or 8
 *   blocks where that is more; for the whole process as much again as two threads keep.
 *
 *   What is kept lies in stacks that the kernel sees (struct bufpool_stack in
 *   <linux/bufpool.h>), and the kernel takes it back: when a renter of any process
 *   finds nothing else, at the client's ceiling and the user's quota, under memory
 *   pressure, by TRIM, and with time. No thread has to do anything for it, nor
 *   notices, but that its next rent may be a call. While renters wait nothing is kept.
 *
 *   Nothing is kept where membarrier(2) cannot be used, where the kernel has no stacks,
 *   or where there is no memory for one. Where a seccomp(2) filter refuses membarrier(2)
 *   later, a thread that is the first to return what another one rented takes a tenth of
 *   a second for it, and so does a private pool that takes blocks back.
 *
 *   With BUFPOOL_STRICT=1 in the environment nothing is kept, and every return
 *   has BUFPOOL_RETURN_REVOKE: a use after return faults on the spot.
 *
 * Ownership
 *
 *   A block belongs to the caller from the call that rents or adopts it until
 *   the call that returns it, or until the pool is closed. It must not be
 *   touched afterwards. While the block is kept, or warm, see <linux/bufpool.h>,
 *   that harms this program only; after BUFPOOL_RETURN_REVOKE, or once the block
 *   has gone to others, it raises SIGBUS or, where the pool is private, SIGSEGV.
 */
#ifndef BUFPOOL_H
#define BUFPOOL_H

#include <stddef.h>
#include <stdint.h>

#include <linux/bufpool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bufpool;

/* A private pool instead of the device. */
#define BUFPOOL_OPEN_PRIVATE	0x1U

/**
 * bufpool_open() - open the device and map its blocks
 * @device: path of the device; NULL is /dev/bufpool
 * @flags: BUFPOOL_OPEN_* bits
 *
 * Every pool is a client of its own. The descriptor is closed by exec.
 *
 * With BUFPOOL_OPEN_PRIVATE, where @device must be NULL, the pool is this
 * process's alone and needs no device: see "Private pools" in libbufpool(3) for
 * what it cannot promise. Where @device is NULL and @flags is 0, the environment
 * chooses: BUFPOOL_PROVIDER is "private" or "kernel", the default.
 *
 * The pool takes address space, not memory, for the blocks it may rent. Where
 * there is little (RLIMIT_AS, a 32-bit program), it takes at most about half of
 * what is left, and fails when that is not enough for one block of the largest
 * size in each class.
 *
 * Return: the pool, to be given to bufpool_close(); or NULL and errno:
 * EINVAL (a flag, or the environment says nonsense), ENOTTY (not this device, or
 * it has no class of a backing that this library knows), ENOMEM (memory or address
 * space), or what open(2) says, as ENOENT where the module is not loaded and EACCES
 * where the user may not use it; or, for a private pool, EFBIG (larger than
 * RLIMIT_FSIZE) or what memfd_create(2) says.
 */
struct bufpool *bufpool_open(const char *device, unsigned int flags);

/**
 * bufpool_fdopen() - make a pool of a descriptor that is open already
 * @fd: descriptor of the device, such as one inherited or received
 * @flags: must be 0
 *
 * The new pool is the same client as every other user of this open file
 * description; see bufpool_adopt().
 *
 * Return: the pool, which owns @fd from now on; or NULL and errno: EBADF, and
 * as for bufpool_open(). @fd is still the caller's then.
 */
struct bufpool *bufpool_fdopen(int fd, unsigned int flags);

/**
 * bufpool_close() - return every block of a pool and free it
 * @pool: the pool
 *
 * No other thread may use the pool any more. Every block that was rented or
 * adopted through @pool goes back, even where another process shares the
 * client. In a child of fork(2) it only frees what the child itself has: no
 * block is returned and no mapping changed, and the parent does not notice.
 *
 * Return: 0, or -EINVAL, -EDEADLK.
 */
int bufpool_close(struct bufpool *pool);

/**
 * bufpool_rent() - rent one block, waiting for it as long as necessary
 * @pool: the pool
 * @min_size: bytes needed
 * @flags: BUFPOOL_RENT_* bits
 *
 * The block is zero, or has what this client left in it, unless
 * BUFPOOL_RENT_ZERO is given. It is aligned to its own size, which
 * bufpool_block_size() tells.
 *
 * Return: the block, to be given to bufpool_return(); or NULL and errno:
 * EINVAL (a flag, or @min_size is 0), EMSGSIZE (larger than any block), EAGAIN
 * (nothing is free, with BUFPOOL_RENT_NONBLOCK or O_NONBLOCK), EINTR, EDQUOT (over
 * the client's ceiling, the user's quota or the pool's limit, where waiting cannot
 * help), ENOMEM (the kernel has no memory, or the block is beyond the address space
 * that bufpool_open() could take), ECHILD.
 */
void *bufpool_rent(struct bufpool *pool, size_t min_size, unsigned int flags);

/**
 * bufpool_rent_timed() - rent one block, waiting for a limited time
 * @pool: the pool
 * @min_size: bytes needed
 * @flags: BUFPOOL_RENT_* bits
 * @timeout_ns: nanoseconds to wait at most; 0 waits without a limit
 *
 * Return: as bufpool_rent(), and ETIMEDOUT; EINVAL also where @timeout_ns is
 * negative.
 */
void *bufpool_rent_timed(struct bufpool *pool, size_t min_size,
			 unsigned int flags, int64_t timeout_ns);

/**
 * bufpool_return() - give one block back
 * @pool: the pool
 * @block: what bufpool_rent(), bufpool_rent_many() or bufpool_adopt() gave
 * @flags: BUFPOOL_RETURN_* bits
 *
 * Returning a block twice, memory that is no block, or a pointer into a block
 * is refused without asking the kernel. Without flags the block is kept, see the
 * top of this file; with flags the call is the kernel's RETURN.
 *
 * Return: 0, or -EINVAL (a flag, or see above), -ENOENT, -ESTALE, -ECHILD.
 */
int bufpool_return(struct bufpool *pool, void *block, unsigned int flags);

/**
 * bufpool_rent_many() - rent blocks of one size
 * @pool: the pool
 * @min_size: bytes needed in each block
 * @flags: BUFPOOL_RENT_* bits
 * @blocks: (out) array for @count blocks
 * @count: blocks wanted, 1 to INT_MAX
 *
 * Waits for the first block only, and then takes what is there.
 *
 * Return: how many blocks were rented, at least 1: they are at the front of
 * @blocks, and the rest of it has not been written; or -EINVAL (@blocks is
 * NULL, @count is out of range) or a negative errno as bufpool_rent().
 */
int bufpool_rent_many(struct bufpool *pool, size_t min_size,
		      unsigned int flags, void **blocks, unsigned int count);

/**
 * bufpool_return_many() - give blocks back
 * @pool: the pool
 * @blocks: array of @count blocks
 * @count: how many, 1 to INT_MAX
 * @flags: BUFPOOL_RETURN_* bits
 *
 * Return: how many blocks were returned, from the front of @blocks, at least 1.
 * It is less than @count where the next block is refused; a call that begins with
 * that one says why. Or -EINVAL (@blocks is NULL, @count is out of range), or a
 * negative errno as bufpool_return() has for the first block.
 */
int bufpool_return_many(struct bufpool *pool, void *const *blocks,
			unsigned int count, unsigned int flags);

/**
 * bufpool_trim() - give what is not rented to the other users of the machine
 * @pool: the pool
 * @min_size: only blocks of at least so many bytes; 0 is all
 * @trimmed: (out) bytes given in such blocks, at least; may be NULL
 *
 * What the library keeps for any thread, and what is warm, goes to the pool, as it does
 * by itself when others need it.
 *
 * Return: 0, or -ECHILD, -EINVAL.
 */
int bufpool_trim(struct bufpool *pool, size_t min_size, __u64 *trimmed);

/**
 * bufpool_stats() - the counters of BUFPOOL_IOC_STATS
 * @pool: the pool
 * @stats: (out) all of it
 *
 * To the kernel a block that the library keeps for the next rent is rented, and
 * counted in client_kept_blocks too; rents and returns that the kernel has not seen
 * are not counted.
 *
 * Return: 0, or -ECHILD, -EINVAL.
 */
int bufpool_stats(struct bufpool *pool, struct bufpool_stats *stats);

/**
 * bufpool_block_size() - the bytes in a rented block
 * @pool: the pool
 * @block: a block that is rented
 *
 * Return: bytes, at least what was asked for; or 0 and errno: EINVAL, ENOENT,
 * ESTALE, ECHILD.
 */
size_t bufpool_block_size(struct bufpool *pool, const void *block);

/**
 * bufpool_handle() - the kernel's name of a rental
 * @pool: the pool
 * @block: a block that is rented
 * @handle: (out) for the ioctls of <linux/bufpool.h>; never to be returned by
 *	ioctl once the block has gone to bufpool_return()
 *
 * Return: 0, or -EINVAL (@handle is NULL too), -ENOENT, -ESTALE, -ECHILD.
 */
int bufpool_handle(struct bufpool *pool, const void *block, __u64 *handle);

/**
 * bufpool_offset() - where to mmap a block
 * @pool: the pool
 * @block: a block that is rented
 * @offset: (out) offset for mmap(2) of the device
 *
 * Return: 0, or -EINVAL (@offset is NULL too), -ENOENT, -ESTALE, -ECHILD.
 */
int bufpool_offset(struct bufpool *pool, const void *block, __u64 *offset);

/**
 * bufpool_adopt() - take over a block that was rented elsewhere
 * @pool: the pool
 * @handle: the kernel's name of the rental
 * @offset: where to mmap the block
 *
 * For blocks that the same client has rented by ioctl or in another process:
 * from now on the block is this pool's, as if it had been rented here, but that
 * it goes back to the kernel at once when it is returned. Its first renter must
 * not return it. The kernel is not asked; a handle that is not
 * valid shows when the block is touched (SIGBUS) and returned (ENOENT, ESTALE).
 *
 * Return: the block, to be given to bufpool_return(); or NULL and errno:
 * EINVAL (@offset is not where @handle's block begins), EEXIST (this rental is
 * this pool's already), ESTALE (it was, and has been returned; or the block is
 * kept here), ENOMEM (the block is beyond the address space that bufpool_open()
 * could take), ECHILD.
 */
void *bufpool_adopt(struct bufpool *pool, __u64 handle, __u64 offset);

/**
 * bufpool_fd() - the descriptor of a pool, for the ioctls of <linux/bufpool.h>
 * @pool: the pool
 *
 * Return: the descriptor, which stays the pool's; or -EINVAL, -ECHILD, or
 * -ENOTTY where the pool is private and has none.
 */
int bufpool_fd(struct bufpool *pool);

/**
 * bufpool_rent_plain() - bufpool_rent() without flags
 * @pool: the pool
 * @min_size: bytes needed
 *
 * What a call of bufpool_rent() is compiled to where its flags are known to be 0.
 *
 * Return: as bufpool_rent().
 */
void *bufpool_rent_plain(struct bufpool *pool, size_t min_size);

/**
 * bufpool_return_plain() - bufpool_return() without flags
 * @pool: the pool
 * @block: as for bufpool_return()
 *
 * Return: as bufpool_return().
 */
int bufpool_return_plain(struct bufpool *pool, void *block);

/**
 * bufpool_version() - the version of the library that is running
 *
 * Return: a constant string such as "0.1.0".
 */
const char *bufpool_version(void);

/* With BUFPOOL_NO_INLINES defined every call is compiled as it is written. */
#if defined(__GNUC__) && defined(__OPTIMIZE__) && !defined(BUFPOOL_NO_INLINES)

void *__bufpool_rent(struct bufpool *pool, size_t min_size, unsigned int flags)
	__asm__("bufpool_rent");
int __bufpool_return(struct bufpool *pool, void *block, unsigned int flags)
	__asm__("bufpool_return");

__attribute__((__gnu_inline__)) extern __inline__ void *
bufpool_rent(struct bufpool *pool, size_t min_size, unsigned int flags)
{
	return __builtin_constant_p(flags) && !flags ?
	       bufpool_rent_plain(pool, min_size) : __bufpool_rent(pool, min_size, flags);
}

__attribute__((__gnu_inline__)) extern __inline__ int
bufpool_return(struct bufpool *pool, void *block, unsigned int flags)
{
	return __builtin_constant_p(flags) && !flags ?
	       bufpool_return_plain(pool, block) : __bufpool_return(pool, block, flags);
}

#endif

#ifdef __cplusplus
}
#endif

#endif /* BUFPOOL_H */
