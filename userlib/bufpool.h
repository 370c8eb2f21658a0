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
 *     ESTALE   it has been returned, or sent
 *
 * Threads
 *
 *   Every function but bufpool_close() may be called on one pool by any number of
 *   threads at once, and any thread may return what another one rented. Of
 *   threads that return one block at the very same instant one is told that it has.
 *   A thread that returns what another one rented waits for that one, but only while
 *   it is in the middle of a rent or return that makes no system call.
 *
 *   A thread may end or be cancelled (deferred) at any time between two calls: none is a
 *   cancellation point. What the library keeps for the thread goes to others.
 *   bufpool_close() may be called while threads that used the pool are still there.
 *   After dlclose(3) the shared library stays loaded; a plugin that is linked with the static
 *   one must itself be linked with -z nodelete.
 *
 * Signals and fork
 *
 *   In a signal handler that interrupted another call of the thread, or its end, a call
 *   may fail with EDEADLK, and has changed nothing; otherwise it works. Private pools,
 *   and pools that a tool watches, call malloc(), and so may a thread's first call for any
 *   pool where the program had made 32 keys (pthread_key_create(3)) before the library was
 *   loaded: not in a handler that may have interrupted that. A handler must not leave a
 *   call that it interrupted by siglongjmp(3): the thread gets EDEADLK from then on, others
 *   may wait for it for ever, and only bufpool_close() by another thread still ends.
 *
 *   Handlers of pthread_atfork(3) may do anything: nothing is held while a process
 *   forks. A child that was forked in a handler which interrupted a call must not return
 *   from the handler, as that call would go on without its blocks: it ends or executes.
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
 *   With BUFPOOL_STRICT=1 in the environment nothing is kept, every return
 *   has BUFPOOL_RETURN_REVOKE, and of the last 64 blocks that were returned, for each
 *   size, or as many as are in 256 MiB, none is rented again while there are others: a use
 *   after return faults, and a second return is ESTALE, although others rent in between.
 *
 *   In a program that is built with -fsanitize=address, or run by valgrind's memcheck,
 *   nothing is kept either, and the tool knows of every block: it reports what touches
 *   one that is not rented, or more of one than was asked for (until
 *   bufpool_block_size() has told how much there is), and what is rented still when the
 *   program ends (valgrind: --leak-check=full). BUFPOOL_WATCH=0 in the environment leaves
 *   that out.
 *
 * Blocks for I/O
 *
 *   BUFPOOL_RENT_IO asks for a block that the kernel's I/O can use: O_DIRECT, io_uring,
 *   MSG_ZEROCOPY, vmsplice(2), RDMA, AF_XDP; others it refuses (EFAULT). These come in sizes
 *   of their own, up to @info->max_rent_io of bufpool_info(), and are kept, each by its
 *   size, as others are. All functions take blocks of both kinds.
 *
 *   Return a block with BUFPOOL_RETURN_REVOKE where the kernel may still read or write it,
 *   as after MSG_ZEROCOPY, or with O_DIRECT under way: then the memory is free when the
 *   kernel is done. Without it the block is kept, and the next rent in this process may have
 *   it at once: the I/O then sends, or overwrites, what the next renter writes.
 *
 * Ownership
 *
 *   A block belongs to the caller from the call that rents, adopts or receives it until
 *   the call that returns or sends it, or until the pool is closed. It must not be
 *   touched afterwards. While the block is kept, or warm, see <linux/bufpool.h>,
 *   that harms this program only; after BUFPOOL_RETURN_REVOKE, or once the block
 *   has gone to others, it raises SIGBUS or, where the pool is private, SIGSEGV.
 */
#ifndef BUFPOOL_H
#define BUFPOOL_H

#include <stddef.h>
#include <stdint.h>

#include <linux/bufpool.h>

/* The version of this header; bufpool_version() is that of the library. */
#define BUFPOOL_VERSION_MAJOR	0
#define BUFPOOL_VERSION_MINOR	1
#define BUFPOOL_VERSION_PATCH	0

/*
 * What compilers are told: a block is freed by its return and by nothing else, and a
 * rental that nobody looks at is lost. Not how large a block is: it may be larger than
 * what was asked for, and all of it may be used. (Compilers do not inline functions that
 * they are told to belong together: so the library itself is not told.)
 */
#if defined(__GNUC__)
#define BUFPOOL_MUST_CHECK	__attribute__((__warn_unused_result__))
#else
#define BUFPOOL_MUST_CHECK
#endif
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11 && !defined(BUFPOOL_LIBRARY)
#define BUFPOOL_RETURNED_BY(function, nr)	__attribute__((__malloc__(function, nr)))
#else
#define BUFPOOL_RETURNED_BY(function, nr)
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct bufpool;

/* For bufpool_rent_timed() */
#define BUFPOOL_FOREVER		((int64_t)-1)

/* For bufpool_rent_many(), in this library only: all of the blocks, or none. */
#define BUFPOOL_RENT_ALL	0x40000000U

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
 * size in each class. For blocks of BUFPOOL_RENT_IO it takes some for each size with the
 * first block of that.
 *
 * Return: the pool, to be given to bufpool_close(); or NULL and errno:
 * EINVAL (a flag, or the environment says nonsense), ENOTTY (not this device, or
 * it has no class of slabs), ENOMEM (memory or address
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
 * bufpool_return_plain() - bufpool_return() without flags
 * @pool: the pool
 * @block: as for bufpool_return()
 *
 * Return: as bufpool_return().
 */
int bufpool_return_plain(struct bufpool *pool, void *block);

/**
 * bufpool_rent() - rent one block, waiting for it as long as necessary
 * @pool: the pool
 * @min_size: bytes needed
 * @flags: BUFPOOL_RENT_* bits
 *
 * The block is zero, or has what this client left in it, unless
 * BUFPOOL_RENT_ZERO is given. It is aligned to its own size, which
 * bufpool_block_size() tells. With BUFPOOL_RENT_IO it is one for I/O, see the top.
 *
 * Return: the block, to be given to bufpool_return(); or NULL and errno:
 * EINVAL (a flag, or @min_size is 0, or BUFPOOL_RENT_IO where the kernel has no blocks for
 * I/O, and @info->max_rent_io of bufpool_info() is 0), EMSGSIZE (larger than any block), EAGAIN
 * (nothing is free, with BUFPOOL_RENT_NONBLOCK or O_NONBLOCK), EINTR (a signal handler
 * without SA_RESTART interrupted the wait), ECANCELED (bufpool_cancel()), EDQUOT (over
 * the client's ceiling, the user's quota or the pool's limit, where waiting cannot
 * help), ENOMEM (the kernel has no memory, or the block is beyond the address space
 * that there is), ECHILD.
 */
void *bufpool_rent(struct bufpool *pool, size_t min_size, unsigned int flags)
	BUFPOOL_MUST_CHECK BUFPOOL_RETURNED_BY(bufpool_return, 2)
	BUFPOOL_RETURNED_BY(bufpool_return_plain, 2);

/**
 * bufpool_rent_timed() - rent one block, waiting for a limited time
 * @pool: the pool
 * @min_size: bytes needed
 * @flags: BUFPOOL_RENT_* bits
 * @timeout_ns: nanoseconds to wait at most; 0 does not wait, BUFPOOL_FOREVER waits
 *	without a limit
 *
 * So the time that is left until a deadline can be given as it is, down to 0.
 *
 * Return: as bufpool_rent(), and ETIMEDOUT; EINVAL also where @timeout_ns is
 * negative otherwise.
 */
void *bufpool_rent_timed(struct bufpool *pool, size_t min_size,
			 unsigned int flags, int64_t timeout_ns)
	BUFPOOL_MUST_CHECK BUFPOOL_RETURNED_BY(bufpool_return, 2)
	BUFPOOL_RETURNED_BY(bufpool_return_plain, 2);

/**
 * bufpool_rent_many() - rent blocks of one size
 * @pool: the pool
 * @min_size: bytes needed in each block
 * @flags: BUFPOOL_RENT_* bits
 * @blocks: (out) array for @count blocks
 * @count: blocks wanted, 1 to INT_MAX
 *
 * Waits for the first block only, and then takes what is there. With BUFPOOL_RENT_ALL it
 * does not wait, and rents all or none (EAGAIN, or what else stands against the rest; what
 * is in @blocks then has no meaning).
 *
 * Return: how many blocks were rented, at least 1: they are at the front of
 * @blocks, and the rest of it has not been written; or -EINVAL (@blocks is
 * NULL, @count is out of range) or a negative errno as bufpool_rent().
 */
int bufpool_rent_many(struct bufpool *pool, size_t min_size,
		      unsigned int flags, void **blocks, unsigned int count)
	BUFPOOL_MUST_CHECK;

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
int bufpool_trim(struct bufpool *pool, size_t min_size, uint64_t *trimmed);

/**
 * bufpool_info() - what the pool is, as BUFPOOL_IOC_INFO has it
 * @pool: the pool
 * @info: (in) @info->size, as the caller was compiled; (out) as much of the rest
 *
 * Of a private pool too. The largest block that can be rented is @info->max_rent, and with
 * BUFPOOL_RENT_IO @info->max_rent_io, which is 0 where there are no blocks for I/O.
 *
 * Return: 0, or -ECHILD, -EINVAL (@info is NULL, or its size is less than that of the
 * first version), -E2BIG (its size is no structure's).
 */
int bufpool_info(struct bufpool *pool, struct bufpool_info *info);

/**
 * bufpool_class() - one class of blocks, as BUFPOOL_IOC_CLASS has it
 * @pool: the pool
 * @nr: its number, from 0 to @nr_classes - 1 of bufpool_info()
 * @class_info: (in) @class_info->size; (out) as much of the rest
 *
 * Return: 0, or as bufpool_info(); -EINVAL also where there is no such class.
 */
int bufpool_class(struct bufpool *pool, unsigned int nr,
		  struct bufpool_class_info *class_info);

/**
 * bufpool_stats() - the counters of BUFPOOL_IOC_STATS
 * @pool: the pool
 * @stats: (in) @stats->size, as the caller was compiled; (out) as much of the rest
 *
 * To the kernel a block that the library keeps for the next rent is rented, and
 * counted in client_kept_blocks too; rents and returns that the kernel has not seen
 * are not counted.
 *
 * Return: 0, or as bufpool_info().
 */
int bufpool_stats(struct bufpool *pool, struct bufpool_stats *stats);

/**
 * struct bufpool_counters - what the library has done without the kernel
 * @size: (in) sizeof(struct bufpool_counters)
 * @flags: (out) 0
 * @hits: (out) blocks that were rented from what is kept
 * @misses: (out) blocks that the provider was asked for, and had
 * @kept_blocks: (out) blocks that are kept for the next rent now
 * @kept_bytes: (out) bytes in them
 *
 * In this process, by this pool. @hits is counted modulo 2^32 by 32-bit programs.
 */
struct bufpool_counters {
	uint32_t size;
	uint32_t flags;
	uint64_t hits;
	uint64_t misses;
	uint64_t kept_blocks;
	uint64_t kept_bytes;
};

/**
 * bufpool_counters() - what the library has done without the kernel
 * @pool: the pool
 * @counters: (in) @counters->size, as the caller was compiled; (out) as much of the rest
 *
 * Other threads go on meanwhile: the numbers need not be of one instant.
 *
 * Return: 0, or as bufpool_info(); -EDEADLK in a signal handler.
 */
int bufpool_counters(struct bufpool *pool, struct bufpool_counters *counters);

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
 * bufpool_block_of() - the block that an address is in
 * @pool: the pool
 * @inside: any byte of a block that is rented
 * @size: (out) bytes in the block; may be NULL
 *
 * Return: the block's first byte; or NULL and errno: EINVAL (@inside is NULL), ENOENT,
 * ESTALE, ECHILD.
 */
void *bufpool_block_of(struct bufpool *pool, const void *inside, size_t *size);

/**
 * bufpool_handle() - the kernel's name of a rental
 * @pool: the pool
 * @block: a block that is rented
 * @handle: (out) for the ioctls of <linux/bufpool.h>; never to be returned by
 *	ioctl once the block has gone to bufpool_return()
 *
 * Return: 0, or -EINVAL (@handle is NULL too), -ENOENT, -ESTALE, -ECHILD.
 */
int bufpool_handle(struct bufpool *pool, const void *block, uint64_t *handle);

/**
 * bufpool_offset() - where to mmap a block
 * @pool: the pool
 * @block: a block that is rented
 * @offset: (out) offset for mmap(2) of the device
 *
 * Return: 0, or -EINVAL (@offset is NULL too), -ENOENT, -ESTALE, -ECHILD.
 */
int bufpool_offset(struct bufpool *pool, const void *block, uint64_t *offset);

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
void *bufpool_adopt(struct bufpool *pool, uint64_t handle, uint64_t offset)
	BUFPOOL_MUST_CHECK BUFPOOL_RETURNED_BY(bufpool_return, 2)
	BUFPOOL_RETURNED_BY(bufpool_return_plain, 2);

/**
 * bufpool_fd() - the descriptor of a pool, for the ioctls of <linux/bufpool.h>
 * @pool: the pool
 *
 * Return: the descriptor, which stays the pool's; or -EINVAL, -ECHILD, or
 * -ENOTTY where the pool is private and has none.
 */
int bufpool_fd(struct bufpool *pool);

/**
 * bufpool_cancel() - let no call of a pool wait, or let them again
 * @pool: the pool
 * @on: not 0: rents, sends and receives that wait fail with ECANCELED, and so does every one
 *	that would have to wait, until a call with 0
 *
 * What need not wait goes on as ever. So whoever is to stop may be told by a variable and
 * this call, in this order, whatever it is doing. Other users of the same client are
 * told too. Works in signal handlers, always; where one has interrupted another call, the
 * waiters of a private pool notice within a tenth of a second.
 *
 * Return: 0, or -EINVAL, -ECHILD, -ENOTTY (a module before version 0.1).
 */
int bufpool_cancel(struct bufpool *pool, int on);

/**
 * bufpool_poller() - a descriptor that tells when a rent would succeed
 * @pool: the pool
 * @min_size: bytes needed
 *
 * For poll(2), epoll(7) and the like: it is readable (POLLIN) while a rent of so many bytes
 * would not have to wait, nor be refused for the client's ceiling or the user's quota.
 * It is closed by exec, must not be read from, and tells nothing any more once the pool is
 * closed. From the first one on a private pool keeps nothing for the next rent; each waits
 * for threads that are in the middle of a rent or return that makes no system call.
 *
 * Return: the descriptor, which is the caller's, to be closed by close(2); or -EINVAL
 * (@min_size is 0), -EMSGSIZE, -EDQUOT (as many clients and pollers as the user may have),
 * -EMFILE, -ENFILE, -ENOMEM, -ECHILD, -EDEADLK, -ENOTTY (a module before version 0.1).
 */
int bufpool_poller(struct bufpool *pool, size_t min_size) BUFPOOL_MUST_CHECK;

/**
 * bufpool_poller_for() - bufpool_poller() for either kind of blocks
 * @pool: the pool
 * @min_size: bytes needed
 * @flags: BUFPOOL_POLLER_* bits: with BUFPOOL_POLLER_IO the descriptor tells of rents with
 *	BUFPOOL_RENT_IO
 *
 * Return: as bufpool_poller(); -EINVAL also where @flags has another bit, or asks for
 * blocks for I/O and the kernel has none.
 */
int bufpool_poller_for(struct bufpool *pool, size_t min_size,
		       unsigned int flags) BUFPOOL_MUST_CHECK;

/**
 * bufpool_export() - share a block with devices, as a dma-buf
 * @pool: the pool
 * @block: a block that is rented, of either kind
 *
 * Drivers can have the dma-buf, and programs can map it (MAP_SHARED), in this process or
 * another. While it lives the memory is nobody else's, though the block be returned. An
 * exported block is not kept by this library: with its return it goes to the kernel.
 *
 * Return: the descriptor, which is the caller's, to be closed by close(2), and is closed by
 * exec; or -EINVAL, -ENOENT, -ESTALE, -ECHILD, -EDEADLK, -EBUSY (BUFPOOL_EXPORTS_MAX dma-bufs
 * of the block are open), -EMFILE, -ENFILE, -ENOMEM, -ENOTTY (a module that does not know the
 * call), or -EOPNOTSUPP (a private pool, or a kernel without dma-bufs).
 */
int bufpool_export(struct bufpool *pool, const void *block) BUFPOOL_MUST_CHECK;

/**
 * bufpool_channel() - make a channel, which carries blocks from pool to pool
 * @pool: the pool
 * @capacity: messages that it has room for, 1 to BUFPOOL_CHANNEL_MAX
 * @ends: (out) as pipe(2) has it: @ends[0] receives and @ends[1] sends
 *
 * Both are closed by exec, passed on by fork(2), dup(2) and SCM_RIGHTS, and poll as
 * "Channels" in <linux/bufpool.h> says. The channel is no pool's: any pool of the device
 * sends and receives with the descriptors.
 *
 * Return: 0, and the descriptors are the caller's, to be closed by close(2); or -EINVAL
 * (@ends is NULL, @capacity is out of range), -EDQUOT (as many clients, pollers and channels
 * as the user may have), -EMFILE, -ENFILE, -ENOMEM, -ECHILD, -EDEADLK, -ENOTTY (a module
 * that does not know the call), or -EOPNOTSUPP (a private pool).
 */
int bufpool_channel(struct bufpool *pool, unsigned int capacity,
		    int ends[2]) BUFPOOL_MUST_CHECK;

/**
 * struct bufpool_parcel - a block that changes hands
 * @size: (in) sizeof(struct bufpool_parcel); in an array that of all is the same
 * @block: (in) to send; (out) received: to be given to bufpool_return()
 * @used: bytes in use, from the first on, up to the bytes in the block
 * @tag: whatever the sender says
 * @length: (out) received: bytes in the block; not looked at in one to send
 */
struct bufpool_parcel {
	size_t size;
	void *block;
	size_t used;
	uint64_t tag;
	size_t length;
};

/**
 * bufpool_send() - give a block to a channel, waiting for room as long as necessary
 * @pool: the pool
 * @end: a channel's send end
 * @parcel: the block, and what is said of it
 * @flags: BUFPOOL_SEND_* bits
 *
 * The block is no more the caller's, as if it had been returned: it is the receiver's, in
 * whatever process, where bytes beyond those in use are zero, unless BUFPOOL_SEND_WHOLE is
 * given. Nothing is copied. No thread may touch the block once the call begins. Where the
 * call fails the block is the caller's still, but where it is not even rented any more.
 *
 * Return: 0; or -EINVAL (a flag, @parcel is NULL or its size less than that of the first
 * version, more bytes in use than the block has, or @end is something else than a
 * channel), -E2BIG (@parcel has bytes that are not zero and that this library does not know),
 * -ENOENT, -ESTALE, -EBADF (@end is not open, or a receive end), -EPIPE (no receive end is
 * left; there is no SIGPIPE), -EBUSY (a dma-buf, or the kernel's I/O, has the block; this
 * may pass), -EAGAIN (the channel is full, with BUFPOOL_SEND_NONBLOCK or O_NONBLOCK), -EINTR (a
 * signal handler without SA_RESTART interrupted the wait), -ECANCELED (bufpool_cancel()),
 * -ECHILD, -EDEADLK, -ENOTTY (a module that does not know the call), or -EOPNOTSUPP (a
 * private pool).
 */
int bufpool_send(struct bufpool *pool, int end, const struct bufpool_parcel *parcel,
		 unsigned int flags) BUFPOOL_MUST_CHECK;

/**
 * bufpool_send_timed() - give a block to a channel, waiting for a limited time
 * @pool: the pool
 * @end: a channel's send end
 * @parcel: the block, and what is said of it
 * @flags: BUFPOOL_SEND_* bits
 * @timeout_ns: nanoseconds to wait at most; 0 does not wait, BUFPOOL_FOREVER waits
 *	without a limit
 *
 * Return: as bufpool_send(), and -ETIMEDOUT; -EINVAL also where @timeout_ns is negative
 * otherwise.
 */
int bufpool_send_timed(struct bufpool *pool, int end, const struct bufpool_parcel *parcel,
		       unsigned int flags, int64_t timeout_ns) BUFPOOL_MUST_CHECK;

/**
 * bufpool_send_many() - give blocks to a channel
 * @pool: the pool
 * @end: a channel's send end
 * @parcels: array of @count of them
 * @count: how many, 1 to INT_MAX
 * @flags: BUFPOOL_SEND_* bits
 * @timeout_ns: as for bufpool_send_timed()
 *
 * Waits for room for the first block only, and then sends what there is room for.
 *
 * Return: how many blocks were sent, from the front of @parcels and in that order, at least
 * 1. It is less than @count where the channel is full or the next block is refused; a call
 * that begins with that one says why. Or -EINVAL (@parcels is NULL, @count is out of range),
 * or a negative errno as bufpool_send_timed() has for the first block.
 */
int bufpool_send_many(struct bufpool *pool, int end, const struct bufpool_parcel *parcels,
		      unsigned int count, unsigned int flags,
		      int64_t timeout_ns) BUFPOOL_MUST_CHECK;

/**
 * bufpool_receive() - become the owner of what was sent, waiting as long as necessary
 * @pool: the pool
 * @end: a channel's receive end
 * @parcel: (in) @parcel->size; (out) the block, and what was said of it
 * @flags: BUFPOOL_RECEIVE_* bits
 *
 * The block is this pool's as if it had been rented here. For whatever block may come the
 * first such call of a pool takes address space, as much as the pool's limit for each size,
 * and fails where there is none: then the message waits.
 *
 * Return: 1; or 0, and @parcel is as before: the channel is empty and no send end is left;
 * or -EINVAL (a flag, @parcel is NULL or its size less than that of the first version, or
 * @end is something else than a channel), -E2BIG (its size is no structure's), -EBADF (@end
 * is not open, or a send end), -EDQUOT (the client's ceiling or the user's quota does not
 * admit the block: it waits, first in line), -EAGAIN (the channel is empty, with
 * BUFPOOL_RECEIVE_NONBLOCK or O_NONBLOCK), -EINTR (a signal handler without SA_RESTART
 * interrupted the wait), -ECANCELED (bufpool_cancel()), -ENOMEM, -ECHILD, -EDEADLK, -ENOTTY (a
 * module that does not know the call), or -EOPNOTSUPP (a private pool).
 */
int bufpool_receive(struct bufpool *pool, int end, struct bufpool_parcel *parcel,
		    unsigned int flags) BUFPOOL_MUST_CHECK;

/**
 * bufpool_receive_timed() - become the owner of what was sent, waiting for a limited time
 * @pool: the pool
 * @end: a channel's receive end
 * @parcel: as for bufpool_receive()
 * @flags: BUFPOOL_RECEIVE_* bits
 * @timeout_ns: as for bufpool_send_timed()
 *
 * Return: as bufpool_receive(), and -ETIMEDOUT; -EINVAL also where @timeout_ns is negative
 * otherwise.
 */
int bufpool_receive_timed(struct bufpool *pool, int end, struct bufpool_parcel *parcel,
			  unsigned int flags, int64_t timeout_ns) BUFPOOL_MUST_CHECK;

/**
 * bufpool_receive_many() - become the owner of several blocks that were sent
 * @pool: the pool
 * @end: a channel's receive end
 * @parcels: array of @count of them, as for bufpool_receive()
 * @count: how many at the most, 1 to INT_MAX
 * @flags: BUFPOOL_RECEIVE_* bits
 * @timeout_ns: as for bufpool_send_timed()
 *
 * Waits for the first message only, and then takes what is there.
 *
 * Return: how many blocks were received, oldest first, at the front of @parcels, the rest of
 * which has not been written; or 0, as bufpool_receive(); or -EINVAL (@parcels is NULL,
 * @count is out of range), or a negative errno as bufpool_receive_timed().
 */
int bufpool_receive_many(struct bufpool *pool, int end, struct bufpool_parcel *parcels,
			 unsigned int count, unsigned int flags,
			 int64_t timeout_ns) BUFPOOL_MUST_CHECK;

/**
 * bufpool_rent_plain() - bufpool_rent() without flags
 * @pool: the pool
 * @min_size: bytes needed
 *
 * What a call of bufpool_rent() is compiled to where its flags are known to be 0.
 *
 * Return: as bufpool_rent().
 */
void *bufpool_rent_plain(struct bufpool *pool, size_t min_size)
	BUFPOOL_MUST_CHECK BUFPOOL_RETURNED_BY(bufpool_return, 2)
	BUFPOOL_RETURNED_BY(bufpool_return_plain, 2);

/**
 * bufpool_version() - the version of the library that is running
 *
 * Return: a constant string such as "0.1.0".
 */
const char *bufpool_version(void);

/**
 * bufpool_strerror() - what an error means where this library says it
 * @error: errno, or what a function of type int returned
 *
 * Return: a constant string in English, without a full stop; of an error that the library
 * has nothing to say about, what says so.
 */
const char *bufpool_strerror(int error);

/*
 * BUFPOOL_SCOPED - a block for as long as a scope lasts
 * @block: name of a new variable, of type void *; NULL where the rent failed, see errno
 * @pool: the pool
 * @min_size: bytes needed
 *
 * Rents without flags, and returns the block wherever the scope is left: at its end, by
 * return, break or goto, and in C++ and with -fexceptions by an exception.
 */
#if defined(__GNUC__)
#define BUFPOOL_SCOPED(block, pool, min_size)						\
	struct bufpool_scope block##_scope __attribute__((__cleanup__(__bufpool_end_scope))) = \
		__bufpool_begin_scope((pool), (min_size));				\
	void *const block = block##_scope.block
#endif

/* What BUFPOOL_SCOPED is made of */
struct bufpool_scope {
	struct bufpool *pool;
	void *block;
};

/* With BUFPOOL_NO_INLINES defined every call is compiled as it is written. (In C++ it is.) */
#if defined(__GNUC__) && !defined(__cplusplus) && !defined(BUFPOOL_NO_INLINES)
#define bufpool_rent(pool, min_size, flags)						\
	(__builtin_constant_p(flags) && (flags) == 0 ?				\
	 bufpool_rent_plain(pool, min_size) : (bufpool_rent)(pool, min_size, flags))
#define bufpool_return(pool, block, flags)						\
	(__builtin_constant_p(flags) && (flags) == 0 ?				\
	 bufpool_return_plain(pool, block) : (bufpool_return)(pool, block, flags))
#endif

#if defined(__GNUC__)

static __inline__ struct bufpool_scope
__bufpool_begin_scope(struct bufpool *pool, size_t min_size)
{
	struct bufpool_scope scope;

	scope.pool = pool;
	scope.block = bufpool_rent_plain(pool, min_size);
	return scope;
}

static __inline__ void __bufpool_end_scope(struct bufpool_scope *scope)
{
	if (scope->block)
		(void)bufpool_return_plain(scope->pool, scope->block);
}

#endif

#ifdef __cplusplus
}
#endif

#endif /* BUFPOOL_H */
