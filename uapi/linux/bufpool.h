/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * bufpool - a pool of pinned memory blocks shared by every process
 *
 * The object model
 *
 *   A *block* is a power-of-two number of pages. All blocks of one size and one
 *   kind of memory (*backing*) form a *class*; BUFPOOL_IOC_INFO says how many
 *   classes there are, BUFPOOL_IOC_CLASS describes each. The *pool* is all classes
 *   under one limit. A *client* is one open file description of /dev/bufpool:
 *   descriptors made by dup(2), fork(2) or SCM_RIGHTS are the same client, another
 *   open(2) is another one.
 *
 *   What a client holds is charged to an *account*, which is that of the user who opens
 *   the device: the effective user id then, in the initial user namespace. In another
 *   one it is the owner of the outermost user namespace below the initial one, so all
 *   ids that were given to a user for namespaces, and all namespaces in namespaces,
 *   share one account. It does not change afterwards: not by setuid(2), nor when the
 *   descriptor is passed to another user, whose rents are charged to who opened it.
 *   "The user" is the account, here and everywhere.
 *
 *   Every block has exactly one owner: the *free list* of its class, one
 *   client, or one *channel*. Only its owner can reach its memory. A block that its client has
 *   returned may stay with it for a while, *warm*: mapped, with its old bytes.
 *
 * The life of a rental
 *
 *   BUFPOOL_IOC_RENT makes the caller's client the owner of a block of at least
 *   the size asked for, and reports its *handle*, its *offset* and its *length*.
 *   A block from a free list is zero. A warm block has this client's own old bytes,
 *   unless BUFPOOL_RENT_ZERO is given. The block does not move and is not
 *   swapped, for as long as it is rented.
 *
 *   mmap(2) of the device with that offset, MAP_SHARED, makes it reachable. The
 *   offset of a block never changes, so a mapping may be made once and be used
 *   for every later rental of the same block. A mapping begins at a block's
 *   offset (else EINVAL), may have any length up to the end of the class's span
 *   (else EINVAL), and may be made before anything in it is rented. Memory
 *   appears on first touch, a whole block at a time, and only in blocks that the
 *   client holds; a touch of anything else is SIGBUS. MAP_PRIVATE and PROT_EXEC
 *   are refused (EINVAL; a program whose personality(2) has READ_IMPLIES_EXEC can map,
 *   and the mapping is not executable). A child of fork(2) does not inherit the mapping, though
 *   it shares the client; MADV_DOFORK is refused (EINVAL).
 *
 *   A client has BUFPOOL_MAPPINGS_MAX mappings at most, in all processes together;
 *   one more is refused (ENOMEM), and so is splitting one by munmap(2), mprotect(2)
 *   or the like. One of blocks of more than 1024 pages counts as one for each 1024 pages
 *   of a block. To reach many blocks, map a range of them, or the whole span.
 *
 *   BUFPOOL_IOC_RETURN gives the block back. It may stay warm: no more to be
 *   used, but the client's next rental of that size needs neither zeroing nor
 *   a page fault. When others need it, when it has not been used for long, with
 *   BUFPOOL_RETURN_REVOKE, or by BUFPOOL_IOC_TRIM, it goes to the free list: no
 *   page-table entry of the client, in any process, reaches it from then on.
 *
 *   A handle is valid for one rental only. Its upper 32 bits name the block
 *   (class << 27 | number of the block in its class), its lower 32 bits the
 *   rental. When the last descriptor of a client
 *   is closed and its last mapping is gone, by whatever cause, its blocks
 *   go back to the free lists.
 *
 * Blocks for I/O
 *
 *   A block that is rented with BUFPOOL_RENT_IO is made of ordinary pages, which
 *   O_DIRECT, io_uring, vmsplice(2), MSG_ZEROCOPY, RDMA, AF_XDP or process_vm_readv(2)
 *   take references to; blocks of the other kind they refuse (EFAULT). It is as large as
 *   max_rent_io at the most, in pieces of 2 MiB or less, and follows all the same
 *   rules. When it leaves its client, and such a reference is still there, nobody else
 *   gets the memory: the block is *quarantined*, owned by nobody and charged to the
 *   user still, until the last reference is gone. Then it is zeroed and free. Blocks of
 *   either kind whose memory the system has found to be broken are quarantined for good.
 *
 *   A block that stays warm, or is kept in a stack, has not left its client: whoever
 *   gives a block back while the kernel still reads or writes it says
 *   BUFPOOL_RETURN_REVOKE, lest this client rent it again meanwhile. That takes the
 *   block from the program, and nothing from the I/O.
 *
 *   A mapping of such blocks is not inherited by a child of fork(2), unless
 *   MADV_DOFORK says so, which newer kernels refuse for these, too.
 *
 * Channels
 *
 *   A channel carries blocks from client to client, without a copy. BUFPOOL_IOC_CHANNEL
 *   makes one, with two descriptors, a *send end* and a *receive end*, which are passed on
 *   as those of pipe(2) are: by dup(2), fork(2) or SCM_RIGHTS. BUFPOOL_IOC_SEND puts
 *   *messages* into it, each a block, the number of bytes in use, and a number that the
 *   programs agree upon (*tag*); BUFPOOL_IOC_RECEIVE takes them out, oldest first.
 *
 *   When SEND returns, the block is the channel's: its handle is good no more (ESTALE), no
 *   page-table entry of the sender reaches it, and a touch is SIGBUS. It has the same
 *   offset for its receiver, where a new handle names it. Bytes beyond those in use are
 *   zero there, unless the sender says BUFPOOL_SEND_WHOLE.
 *
 *   What has been sent arrives once, or goes back to the free lists: where the receive end
 *   is closed before it is received. Messages whose sender is gone arrive like others. A
 *   call that fails leaves each block with whom it was.
 *
 *   Until it is received, a block is charged to the user who sent it, and from then on to
 *   the user who received it; whichever memory cgroup it was charged to, that stays.
 *
 *   Both calls wait for the first message only, and then do what can be done at once. A
 *   signal interrupts the wait as it does that of a rent, see "Waiting".
 *
 *   A send end polls as EPOLLOUT while there is room, and as EPOLLERR once there is no
 *   receive end; a receive end as EPOLLIN while there are messages, and as EPOLLHUP once
 *   there is no send end. O_NONBLOCK of an end is BUFPOOL_SEND_NONBLOCK, or
 *   BUFPOOL_RECEIVE_NONBLOCK, in each call with it.
 *
 * Waiting
 *
 *   Waiters for one class are served first come, first served. A signal handler
 *   that interrupts a wait makes the call fail with EINTR, or restarts it where it
 *   was installed with SA_RESTART. Stopping (SIGSTOP), the cgroup freezer,
 *   suspending the machine and debuggers interrupt no wait that a program can see.
 *   A restarted call keeps its place in line and the time that is left of its
 *   timeout; so does a call that a program repeats with the same structure after
 *   EINTR, see @wait_id.
 *   While a wait is interrupted it is none: where as many others of the user wait as may,
 *   when it comes back, that is EDQUOT, and its place is lost.
 *   Older programs, whose structures have no @wait_id, lose their place, and get
 *   EINTR instead of a restart if they gave a timeout.
 *
 * Polling
 *
 *   EPOLLIN: renting a block of the smallest size would not have to wait, nor be refused
 *   for the client's ceiling or the user's quota. BUFPOOL_IOC_POLLER gives descriptors
 *   that say the same of other sizes.
 *   EPOLLPRI: please return and trim what is not needed: a renter is waiting for a
 *   block; or the system has been short of memory within the last second, and this
 *   client has not called BUFPOOL_IOC_TRIM since.
 *
 * Structures
 *
 *   Each begins with its own size in bytes, as the caller was compiled. They
 *   grow only at the end: a kernel that knows more reads the missing fields as
 *   zero, a kernel that knows less accepts unknown trailing bytes that are
 *   zero. Flags that are not defined here, and reserved fields that are
 *   not zero, are refused. The layout is the same for 32-bit and 64-bit programs.
 *
 * Errors, the same for every call
 *
 *   ENOTTY     no such ioctl
 *   EFAULT     a bad user pointer
 *   EINVAL     a bad size, flag, reserved field, alignment or value
 *   E2BIG      a structure newer than this kernel, with non-zero unknown bytes
 *   EMSGSIZE   larger than the largest block that can be rented (max_rent)
 *   ENOENT     the handle names no block that this client holds; a block of
 *              another client looks the same as none
 *   ESTALE     this client has already returned it
 *   EAGAIN     nothing is free now, and waiting was not wanted
 *   ETIMEDOUT  waited as long as was asked
 *   EINTR      a signal handler without SA_RESTART interrupted the wait
 *   ECANCELED  this client is not to wait any more, see BUFPOOL_IOC_CANCEL
 *   EBADF      a descriptor that is not open, or that is the other end of a channel
 *   EPIPE      no receive end is left
 *   EBUSY      something outside the pool reaches the block's memory
 *   EDQUOT     over a bound: the client's ceiling or the user's quota, or a slab larger
 *              than the whole pool's limit, where waiting cannot help; or it would
 *              have to wait, and as many rents of this user do as may (max_waiters), or
 *              it is for more than others give up for one that waits (share)
 *   ENOMEM     the kernel has no memory, although the limits would allow it; or the
 *              memory cgroup of the task is full
 *   EPERM      needs a capability
 *
 *   A call that fails has changed nothing.
 *
 *   open(2) fails with EDQUOT where the user has as many clients as it may (max_clients),
 *   and with ENOMEM.
 */
#ifndef _UAPI_LINUX_BUFPOOL_H
#define _UAPI_LINUX_BUFPOOL_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* The version of this interface, as BUFPOOL_IOC_INFO reports it. */
#define BUFPOOL_ABI_VERSION	1

/* The most blocks that one call of a _MANY form takes. */
#define BUFPOOL_MANY_MAX	256

/* The most mappings of blocks that one client may have; those of large ones count as more. */
#define BUFPOOL_MAPPINGS_MAX	1024

#define BUFPOOL_IOC_TYPE	0xBF

/* The numbers do not contain the structures' sizes: those may grow. */
#define BUFPOOL_IOC_INFO	_IO(BUFPOOL_IOC_TYPE, 0x00)
#define BUFPOOL_IOC_RENT	_IO(BUFPOOL_IOC_TYPE, 0x01)
#define BUFPOOL_IOC_RETURN	_IO(BUFPOOL_IOC_TYPE, 0x02)
#define BUFPOOL_IOC_RENT_MANY	_IO(BUFPOOL_IOC_TYPE, 0x03)
#define BUFPOOL_IOC_RETURN_MANY	_IO(BUFPOOL_IOC_TYPE, 0x04)
#define BUFPOOL_IOC_LIMIT	_IO(BUFPOOL_IOC_TYPE, 0x05)
#define BUFPOOL_IOC_STATS	_IO(BUFPOOL_IOC_TYPE, 0x06)
#define BUFPOOL_IOC_TRIM	_IO(BUFPOOL_IOC_TYPE, 0x07)
#define BUFPOOL_IOC_CLASS	_IO(BUFPOOL_IOC_TYPE, 0x08)
#define BUFPOOL_IOC_QUOTA	_IO(BUFPOOL_IOC_TYPE, 0x09)
#define BUFPOOL_IOC_CANCEL	_IO(BUFPOOL_IOC_TYPE, 0x0a)
#define BUFPOOL_IOC_POLLER	_IO(BUFPOOL_IOC_TYPE, 0x0b)
#define BUFPOOL_IOC_EXPORT	_IO(BUFPOOL_IOC_TYPE, 0x0c)
#define BUFPOOL_IOC_CHANNEL	_IO(BUFPOOL_IOC_TYPE, 0x0d)
#define BUFPOOL_IOC_SEND	_IO(BUFPOOL_IOC_TYPE, 0x0e)
#define BUFPOOL_IOC_RECEIVE	_IO(BUFPOOL_IOC_TYPE, 0x0f)

/**
 * struct bufpool_info - BUFPOOL_IOC_INFO: what this pool is
 * @size: (in) sizeof(struct bufpool_info)
 * @flags: (in) must be 0
 * @abi_version: (out) BUFPOOL_ABI_VERSION of the running module
 * @page_size: (out) bytes in the smallest block
 * @nr_classes: (out) how many classes there are; BUFPOOL_IOC_CLASS describes
 *	each. In a kernel without that call (ENOTTY), class k has blocks of
 *	page_size << k bytes
 * @__reserved: (in) must be 0
 * @features: (out) BUFPOOL_FEATURE_* bits
 * @max_pooled: (out) bytes in the largest block that is kept for reuse when
 *	it is returned, of those that are not for I/O; of these
 *	BUFPOOL_CLASS_POOLED says it
 * @max_rent: (out) bytes in the largest block that can be rented; blocks
 *	over max_pooled are freed when they are returned
 * @limit: (out) bytes that the pool may hold at most
 * @slab_size: (out) bytes that the pool grows by, for blocks up to that size
 * @span: (out) bytes of mmap offsets that each class has: the blocks of class
 *	number k are at offsets k * span up to (k + 1) * span - 1
 * @status_offset: (out) where to mmap struct bufpool_status; 0 where a kernel
 *	has none
 * @stacks_offset: (out) where to mmap the client's stacks, see struct bufpool_stack;
 *	0 where a kernel has none
 * @nr_stacks: (out) how many there are, a page each
 * @max_rent_io: (out) bytes in the largest block that can be rented with
 *	BUFPOOL_RENT_IO; 0 where a kernel knows no such blocks
 *
 * Errors: EFAULT, EINVAL, E2BIG.
 */
struct bufpool_info {
	__u32 size;
	__u32 flags;
	__u32 abi_version;
	__u32 page_size;
	__u32 nr_classes;
	__u32 __reserved;
	__u64 features;
	__u64 max_pooled;
	__u64 max_rent;
	__u64 limit;
	__u64 slab_size;
	__u64 span;
	__u64 status_offset;
	__u64 stacks_offset;
	__u64 nr_stacks;
	__u64 max_rent_io;
};

/* The kernel takes kept blocks back, see struct bufpool_stack. */
#define BUFPOOL_FEATURE_STACKS	(1ULL << 0)
/* The status page says who waits by class, see struct bufpool_status. */
#define BUFPOOL_FEATURE_WAITING_OF	(1ULL << 1)

/* Backing: each slab of blocks is one object of a kmem_cache. */
#define BUFPOOL_BACKING_SLAB	0
/* Backing: each block is made of pages, which the kernel's I/O can have references to. */
#define BUFPOOL_BACKING_PAGES	1

/* Blocks of the class are kept for reuse when they are returned. */
#define BUFPOOL_CLASS_POOLED	(1ULL << 0)

/**
 * struct bufpool_class_info - BUFPOOL_IOC_CLASS: describe one class
 * @size: (in) sizeof(struct bufpool_class_info)
 * @flags: (in) must be 0
 * @nr: (in) number of the class, 0 to nr_classes - 1 (else EINVAL)
 * @backing: (out) what its blocks are made of: BUFPOOL_BACKING_SLAB, or
 *	BUFPOOL_BACKING_PAGES: those are for BUFPOOL_RENT_IO. A program passes over
 *	classes with one that it does not know
 * @block_size: (out) bytes in each block
 * @offset: (out) mmap offset of the first block
 * @span: (out) bytes of mmap offsets that its blocks can have, from @offset on
 * @properties: (out) BUFPOOL_CLASS_* bits
 *
 * Classes of one backing are numbered by block size, smallest first. Nothing here
 * changes while the module is loaded.
 *
 * Errors: EFAULT, EINVAL, E2BIG, ENOTTY (a kernel without this call).
 */
struct bufpool_class_info {
	__u32 size;
	__u32 flags;
	__u32 nr;
	__u32 backing;
	__u64 block_size;
	__u64 offset;
	__u64 span;
	__u64 properties;
};

/* As many classes as the window has room for. */
#define BUFPOOL_STATUS_CLASSES	31

/**
 * struct bufpool_status - what a program may read at any time without a call
 * @waiting: rents that wait now; while there are any, a block that a program
 *	holds without need may keep a renter waiting
 * @pressure: changes whenever the system has been short of memory and the pool
 *	was asked for some; what a program holds without need would have helped
 * @waiting_of: of @waiting, by the number of a class: rents that a block of that class
 *	would end. So each counts for its own class, and for the next two that may
 *	serve it instead. With BUFPOOL_FEATURE_WAITING_OF; 0 in a kernel without
 *
 * It is at the beginning of one page, which can be mapped MAP_SHARED, PROT_READ
 * only, and which is the same for all clients. All fields change at any time.
 *
 * A block of a class that nobody waits for need not be returned for those who wait for
 * others: where its memory is to be of use to them the kernel takes it back, from a
 * stack or among warm blocks.
 */
struct bufpool_status {
	__u32 waiting;
	__u32 pressure;
	__u32 waiting_of[BUFPOOL_STATUS_CLASSES];
};

/* Entries of a stack, and how many blocks may be in one at a time */
#define BUFPOOL_STACK_ENTRIES	512
#define BUFPOOL_STACK_MAX	256
/* What an entry counts in, whatever the size of a page or block: bytes */
#define BUFPOOL_STACK_UNIT	4096

/**
 * struct bufpool_stack - blocks that a program keeps for its next rents
 * @top: one more than the number of the last entry; the program writes it
 * @bottom: the number of the first entry; the kernel writes it
 * @owner: the programs', to agree whose a stack is where several use one client: 0 at
 *	first; the kernel does not look
 * @__reserved: leave it as it is
 * @entries: blocks, each by its offset in the span of the class, counted in
 *	BUFPOOL_STACK_UNIT; entry k is at k % BUFPOOL_STACK_ENTRIES; the program
 *	writes them
 *
 * What a program has rented and does not use, it may keep in a stack: it has the
 * block again without a call, and the kernel can take the block back as long as it is
 * there. So such a block is *kept*, and keeps nobody waiting.
 *
 * Page k of the nr_stacks pages from stacks_offset on is stack k of the client, for
 * blocks of class k % nr_classes, and begins with this structure; it is zero at first.
 * It can be mapped MAP_SHARED, in any number and order of pages; memory comes with the
 * first touch (SIGBUS, or EFAULT from a system call, where there is none, or the user has
 * as many clients, stacks and so on as it may: max_clients) and stays until the client is
 * gone. A stack has one owner at a time, a thread or who has a lock,
 * and only the owner may push and pop. Both numbers count up without end and wrap.
 *
 *   push:  while @top - @bottom is less than BUFPOOL_STACK_MAX: write the entry, then
 *	    @top + 1 with release order. Then look at the status page: while renters are
 *	    waiting for this class, pop the block again and return it.
 *   pop:   write @top - 1, which is called t here. Then, without a barrier but in this
 *	    order for the compiler, read @bottom. Where t - @bottom is negative, the
 *	    stack is empty or its last block is being taken: write @top back, and rent.
 *	    Else entry t is the program's.
 *
 * Both differences are signed: while the kernel takes blocks, @bottom may be above @top
 * for a moment.
 *
 * Whoever takes a block ends its rental: the handle is good no more (ESTALE), and a
 * touch is SIGBUS. The kernel takes from the bottom, when a renter or a waiter finds
 * nothing else, when the client's ceiling or its user's quota is reached, under memory
 * pressure, by BUFPOOL_IOC_TRIM, and from a stack that nobody has used for long. An entry
 * that is not a block that this client rents is passed over. What a program writes here
 * can cost it its own blocks, and nobody else anything.
 */
struct bufpool_stack {
	__u32 top;
	__u32 bottom;
	__u32 owner;
	__u32 __reserved;
	__u32 entries[BUFPOOL_STACK_ENTRIES];
};

/* Hand out zeroes, in a warm block too. */
#define BUFPOOL_RENT_ZERO	(1U << 0)
/* Do not wait: EAGAIN where the call would. The same as O_NONBLOCK. */
#define BUFPOOL_RENT_NONBLOCK	(1U << 1)
/* A block for the kernel's I/O, see "Blocks for I/O"; EINVAL in a kernel without. */
#define BUFPOOL_RENT_IO		(1U << 2)

/**
 * struct bufpool_rent - BUFPOOL_IOC_RENT: become the owner of a block
 * @size: (in) sizeof(struct bufpool_rent)
 * @flags: (in) BUFPOOL_RENT_* bits
 * @min_size: (in) bytes needed, 1 to max_rent, or max_rent_io
 * @timeout_ns: (in) nanoseconds to wait at most; 0 waits without a limit; negative
 *	is EINVAL
 * @handle: (out) names this rental
 * @offset: (out) where to mmap the block
 * @length: (out) bytes in the block, at least @min_size
 * @wait_id: (in/out) 0 in a new call. Where a signal interrupts the wait, the
 *	kernel writes here which wait it was; a call with that number goes on with
 *	it: same place in line, same deadline. A number that names no interrupted
 *	wait of this client counts as 0
 *
 * The pool looks for a block in this order: warm ones of this client; free ones; new
 * ones, within the limit; free ones of up to two larger sizes (@length says
 * so); warm ones of others, the longest unused first, roughly; what is set aside for this
 * size. Where there is none the call waits, unless told not to: first come, first served
 * among a user's waiters for one size in one memory cgroup; among users the one that
 * holds least comes first where the pool grows, but nobody is passed by for ever.
 *
 * Errors: EFAULT, EINVAL, E2BIG, EMSGSIZE, EAGAIN, ETIMEDOUT, EINTR, ECANCELED,
 * EDQUOT, ENOMEM.
 */
struct bufpool_rent {
	__u32 size;
	__u32 flags;
	__u64 min_size;
	__s64 timeout_ns;
	__u64 handle;
	__u64 offset;
	__u64 length;
	__u64 wait_id;
};

/*
 * Zero the block before this call returns, or, where the kernel's I/O still reaches it, as soon
 * as nothing does; it does not stay warm.
 */
#define BUFPOOL_RETURN_CLEAR	(1U << 0)
/* Take the block out of every mapping before this call returns. */
#define BUFPOOL_RETURN_REVOKE	(1U << 1)

/**
 * struct bufpool_return - BUFPOOL_IOC_RETURN: give a block back
 * @size: (in) sizeof(struct bufpool_return)
 * @flags: (in) BUFPOOL_RETURN_* bits
 * @handle: (in) what RENT said
 *
 * Errors: EFAULT, EINVAL, E2BIG, ENOENT, ESTALE.
 */
struct bufpool_return {
	__u32 size;
	__u32 flags;
	__u64 handle;
};

/**
 * struct bufpool_block - one block, as BUFPOOL_IOC_RENT_MANY reports it
 * @handle: names this rental
 * @offset: where to mmap the block
 * @length: bytes in the block
 */
struct bufpool_block {
	__u64 handle;
	__u64 offset;
	__u64 length;
};

/**
 * struct bufpool_rent_many - BUFPOOL_IOC_RENT_MANY: rent blocks of one size
 * @size: (in) sizeof(struct bufpool_rent_many)
 * @flags: (in) BUFPOOL_RENT_* bits
 * @min_size: (in) bytes needed in each block
 * @timeout_ns: (in) as in struct bufpool_rent
 * @count: (in) blocks wanted, 1 to BUFPOOL_MANY_MAX
 * @__reserved: (in) must be 0
 * @blocks: (in) address of an array of @count struct bufpool_block to fill
 * @wait_id: (in/out) as in struct bufpool_rent
 *
 * The value of a successful ioctl is how many blocks were rented, at least 1:
 * the call waits for the first block only, and then takes what is there. An error
 * means none.
 *
 * Errors: as BUFPOOL_IOC_RENT.
 */
struct bufpool_rent_many {
	__u32 size;
	__u32 flags;
	__u64 min_size;
	__s64 timeout_ns;
	__u32 count;
	__u32 __reserved;
	__u64 blocks;
	__u64 wait_id;
};

/**
 * struct bufpool_return_many - BUFPOOL_IOC_RETURN_MANY: give blocks back
 * @size: (in) sizeof(struct bufpool_return_many)
 * @flags: (in) BUFPOOL_RETURN_* bits
 * @handles: (in) address of an array of @count __u64 handles
 * @count: (in) how many, 1 to BUFPOOL_MANY_MAX
 * @__reserved: (in) must be 0
 *
 * The value of a successful ioctl is how many blocks were returned, from the
 * front of the array, at least 1. It is less than @count when the next handle
 * is refused; a call that begins with that one says why.
 *
 * Errors: as BUFPOOL_IOC_RETURN, for the first handle of the array.
 */
struct bufpool_return_many {
	__u32 size;
	__u32 flags;
	__u64 handles;
	__u32 count;
	__u32 __reserved;
};

/**
 * struct bufpool_limit - BUFPOOL_IOC_LIMIT: set this client's own ceiling
 * @size: (in) sizeof(struct bufpool_limit)
 * @flags: (in) must be 0
 * @ceiling: (in) bytes that this client may hold at most, rented and warm
 *
 * A client begins without a ceiling. Any program may lower it, below what is held
 * too: no rental is ended, warm blocks beyond the ceiling go, and rents are refused
 * (EDQUOT) until enough has been returned. Raising it needs CAP_SYS_RESOURCE, so
 * that a launcher can set a ceiling for the program it hands the descriptor to.
 *
 * Errors: EFAULT, EINVAL, E2BIG, EPERM.
 */
struct bufpool_limit {
	__u32 size;
	__u32 flags;
	__u64 ceiling;
};

/* Rents may wait again. */
#define BUFPOOL_CANCEL_OFF	(1U << 0)

/**
 * struct bufpool_cancel - BUFPOOL_IOC_CANCEL: let no rent of this client wait
 * @size: (in) sizeof(struct bufpool_cancel)
 * @flags: (in) BUFPOOL_CANCEL_* bits
 *
 * Rents that wait now, in whatever process, fail with ECANCELED, and so does each that
 * would have to wait from now on, until a call with BUFPOOL_CANCEL_OFF. Those that need
 * not wait go on as ever. The call does not sleep, and may be made in a signal handler.
 *
 * Errors: EFAULT, EINVAL, E2BIG, ENOTTY (a kernel without this call).
 */
struct bufpool_cancel {
	__u32 size;
	__u32 flags;
};

/* Poll for blocks that are rented with BUFPOOL_RENT_IO. */
#define BUFPOOL_POLLER_IO	(1U << 0)

/**
 * struct bufpool_poller - BUFPOOL_IOC_POLLER: poll for blocks of any size
 * @size: (in) sizeof(struct bufpool_poller)
 * @flags: (in) BUFPOOL_POLLER_* bits
 * @min_size: (in) bytes needed, 1 to max_rent, or max_rent_io
 *
 * The value of a successful ioctl is a new descriptor, closed by exec, that polls as
 * EPOLLIN while a rent of so many bytes by this client would not have to wait, nor be
 * refused for its ceiling or its user's quota. It keeps no block rented: once the client
 * is gone it polls as EPOLLHUP. Until it is closed it counts as a client (max_clients).
 *
 * Errors: EFAULT, EINVAL, E2BIG, EMSGSIZE, EDQUOT (as many clients and pollers as the
 * user may have), EMFILE, ENFILE, ENOMEM, ENOTTY (a kernel without this call).
 */
struct bufpool_poller {
	__u32 size;
	__u32 flags;
	__u64 min_size;
};

/**
 * struct bufpool_export - BUFPOOL_IOC_EXPORT: share a block with devices
 * @size: (in) sizeof(struct bufpool_export)
 * @flags: (in) must be 0
 * @handle: (in) of a block that this client rents, of either backing
 *
 * The value of a successful ioctl is the descriptor of a new dma-buf with the block's
 * memory, closed by exec. Drivers can have it, and programs map it (MAP_SHARED); the
 * name that DMA_BUF_SET_NAME gives it is its own. As long as it lives, in whatever
 * process or driver, the block is nobody else's: returned meanwhile, it is quarantined,
 * and free when the dma-buf is released. It does not keep the block rented.
 *
 * Errors: EFAULT, EINVAL, E2BIG, ENOENT, ESTALE, EBUSY (BUFPOOL_EXPORTS_MAX dma-bufs of
 * the block are open), EMFILE, ENFILE, ENOMEM, ENOTTY (a kernel without this
 * call), EOPNOTSUPP (a kernel without dma-bufs).
 */
struct bufpool_export {
	__u32 size;
	__u32 flags;
	__u64 handle;
};

/* The most dma-bufs of one block at a time. */
#define BUFPOOL_EXPORTS_MAX	255

/* The most messages that a channel can have room for. */
#define BUFPOOL_CHANNEL_MAX	1024

/**
 * struct bufpool_channel - BUFPOOL_IOC_CHANNEL: make a channel
 * @size: (in) sizeof(struct bufpool_channel)
 * @flags: (in) must be 0
 * @capacity: (in) messages that it has room for, 1 to BUFPOOL_CHANNEL_MAX
 * @receive_fd: (out) descriptor of its receive end, closed by exec
 * @send_fd: (out) descriptor of its send end, closed by exec
 * @__reserved: (in) must be 0
 *
 * It belongs to no client, and lives as long as either end. Until then it counts as a
 * client of the caller's user for each page that it takes (max_clients). Any client of the
 * pool can send and receive with the descriptors, whoever's that is.
 *
 * Errors: EFAULT, EINVAL, E2BIG, EDQUOT (as many clients, pollers and channels as the user
 * may have), EMFILE, ENFILE, ENOMEM, ENOTTY (a kernel without this call).
 */
struct bufpool_channel {
	__u32 size;
	__u32 flags;
	__u32 capacity;
	__s32 receive_fd;
	__s32 send_fd;
	__u32 __reserved;
};

/**
 * struct bufpool_message - a block that changes hands
 * @handle: names the rental: for SEND that which ends, from RECEIVE the one that begins
 * @used: bytes in use, from the first on; for SEND 0 to the bytes in the block (else EINVAL)
 * @tag: whatever the sender says
 * @offset: (out of RECEIVE) where to mmap the block; for SEND not looked at
 * @length: (out of RECEIVE) bytes in the block; for SEND not looked at
 */
struct bufpool_message {
	__u64 handle;
	__u64 used;
	__u64 tag;
	__u64 offset;
	__u64 length;
};

/* Do not wait: EAGAIN where the call would. */
#define BUFPOOL_SEND_NONBLOCK	(1U << 0)
/* Bytes beyond those in use are meant as well: leave them as they are. */
#define BUFPOOL_SEND_WHOLE	(1U << 1)

/**
 * struct bufpool_send - BUFPOOL_IOC_SEND: give blocks to a channel
 * @size: (in) sizeof(struct bufpool_send)
 * @flags: (in) BUFPOOL_SEND_* bits
 * @fd: (in) a send end
 * @count: (in) how many messages, 1 to BUFPOOL_MANY_MAX
 * @messages: (in) address of an array of @count struct bufpool_message
 * @timeout_ns: (in) nanoseconds to wait for room at most; 0 waits without a limit; negative
 *	is EINVAL
 * @deadline_ns: (in/out) 0 in a new call. Where a signal interrupts the wait, the kernel
 *	writes here when that ends, by CLOCK_MONOTONIC; a call with that number goes on
 *	waiting until then
 *
 * The value of a successful ioctl is how many messages are in the channel, from the front
 * of the array and in that order, at least 1. It is less than @count where the channel is
 * full, or the next message is refused; a call that begins with that one says why. No
 * thread should use a block meanwhile: one that does gets SIGBUS, or ESTALE, also where the
 * call then fails.
 *
 * A block of pages that the kernel's I/O still has references to is refused (EBUSY), and
 * so is one that dma-bufs are made of: only its renter knows when that ends. In rare cases
 * the kernel itself has a reference for a moment, so that it is worth trying again. Refused
 * as well is one of which a page that is not in use is broken, and so cannot be made zero.
 *
 * Of blocks that were not sent, as others filled the channel meanwhile, bytes beyond those in
 * use may be zero already.
 *
 * Errors: EFAULT, EINVAL (also a descriptor of something else), E2BIG, EBADF, EPIPE,
 * ENOENT, ESTALE, EBUSY, EAGAIN, ETIMEDOUT, EINTR, ECANCELED, ENOTTY (a kernel without
 * this call). EPIPE raises no SIGPIPE.
 */
struct bufpool_send {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 count;
	__u64 messages;
	__s64 timeout_ns;
	__u64 deadline_ns;
};

/* Do not wait: EAGAIN where the call would. */
#define BUFPOOL_RECEIVE_NONBLOCK	(1U << 0)
/*
 * Map the blocks before this call returns, where the calling process has mapped all of each,
 * as their first touch would; no error where that does not go.
 */
#define BUFPOOL_RECEIVE_MAP		(1U << 1)

/**
 * struct bufpool_receive - BUFPOOL_IOC_RECEIVE: become the owner of what was sent
 * @size: (in) sizeof(struct bufpool_receive)
 * @flags: (in) BUFPOOL_RECEIVE_* bits
 * @fd: (in) a receive end
 * @count: (in) how many messages at the most, 1 to BUFPOOL_MANY_MAX
 * @messages: (in) address of an array of @count struct bufpool_message to fill
 * @timeout_ns: (in) nanoseconds to wait for a message at most; 0 waits without a limit;
 *	negative is EINVAL
 * @deadline_ns: (in/out) as in struct bufpool_send
 *
 * The value of a successful ioctl is how many messages there are now in the array, or 0
 * where the channel is empty and no send end is left. The blocks are the client's, and are
 * returned as any. A message that the client's ceiling or the user's quota does not admit
 * stays in the channel, first in line (EDQUOT, unless it follows others).
 *
 * Errors: EFAULT, EINVAL (also a descriptor of something else), E2BIG, EBADF, EAGAIN,
 * ETIMEDOUT, EINTR, ECANCELED, EDQUOT, ENOTTY (a kernel without this call).
 */
struct bufpool_receive {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 count;
	__u64 messages;
	__s64 timeout_ns;
	__u64 deadline_ns;
};

/* Set the user's quota; else the call only says what it is. */
#define BUFPOOL_QUOTA_SET	(1U << 0)

/**
 * struct bufpool_quota - BUFPOOL_IOC_QUOTA: what one user may be charged for
 * @size: (in) sizeof(struct bufpool_quota)
 * @flags: (in) BUFPOOL_QUOTA_* bits
 * @uid: (in) the user, as a number in the caller's user namespace
 * @__reserved: (in) must be 0
 * @quota: (in, with BUFPOOL_QUOTA_SET, and out) bytes in slabs that a block of any of the
 *	user's clients is in; 0 is what the module's parameter says, all ones is no quota
 * @held: (out) how many these are now
 *
 * It is for all clients that the user has or will have, but those that are opened with
 * CAP_SYS_RESOURCE, until it is set again or the module is unloaded. It may be less than
 * is held: nothing is taken away, and rents are refused (EDQUOT) until enough has been
 * returned. The call needs CAP_SYS_RESOURCE in the initial user namespace.
 *
 * Errors: EFAULT, EINVAL (also a user that the namespace has no number for, or a quota
 * of less than a page), E2BIG, EPERM, ENOMEM, ENOTTY (a kernel without this call).
 */
struct bufpool_quota {
	__u32 size;
	__u32 flags;
	__u32 uid;
	__u32 __reserved;
	__u64 quota;
	__u64 held;
};

/**
 * struct bufpool_stats - BUFPOOL_IOC_STATS: counters
 * @size: (in) sizeof(struct bufpool_stats)
 * @flags: (in) must be 0
 * @client_rents: (out) blocks this client has rented
 * @client_returns: (out) blocks this client has returned
 * @client_blocks: (out) blocks this client holds
 * @client_bytes: (out) bytes this client holds
 * @client_ceiling: (out) bytes this client may hold; all ones is no ceiling
 * @client_warm_blocks: (out) blocks that are warm
 * @client_warm_bytes: (out) bytes in them
 * @client_warm_rents: (out) of @client_rents, those served by a warm block
 * @user_held: (out) bytes that this client's user is charged for: those in slabs that a
 *	block rented by any of the user's clients is in, in use or not, without blocks that
 *	other users have received, and with those received from others
 * @user_quota: (out) bytes that this may be; all ones is no quota, or exempt
 * @rents: (out) blocks rented from the pool since it was made
 * @reused: (out) of these, blocks that had been rented before
 * @returns: (out) blocks that came back, in whatever way
 * @waits: (out) rents that had to wait
 * @steals: (out) warm blocks taken from their client because others needed them
 * @scrubs: (out) blocks zeroed in the background
 * @clients: (out) open clients
 * @waiting: (out) rents that wait now
 * @in_use: (out) bytes in blocks that are rented
 * @warm: (out) bytes in blocks that are warm
 * @pinned: (out) bytes in slabs that the pool holds
 * @limit: (out) bytes that the pool may hold
 * @slabs_created: (out) slabs taken from the system
 * @slabs_destroyed: (out) slabs given back to the system
 * @refused_again: (out) rents refused with EAGAIN
 * @refused_quota: (out) rents refused with EDQUOT
 * @refused_memory: (out) rents refused with ENOMEM
 * @timeouts: (out) rents that waited in vain, ETIMEDOUT
 * @client_refused_again: (out) of these, this client's
 * @client_refused_quota: (out) of these, this client's
 * @client_refused_memory: (out) of these, this client's
 * @client_timeouts: (out) of these, this client's
 * @client_kept_blocks: (out) of client_blocks, those that are in the client's stacks
 * @client_kept_bytes: (out) bytes in them
 * @kept: (out) of in_use, bytes in all stacks, as the kernel has seen them last
 * @refused_waiters: (out) of refused_quota, rents that would have waited, while as many
 *	of the user's did as may (max_waiters)
 * @refused_clients: (out) opens, and what else counts as these, refused with EDQUOT
 *	(max_clients)
 * @client_refused_waiters: (out) of refused_waiters, this client's
 * @idle: (out) of pinned, bytes in slabs that no user is charged for
 * @quarantined: (out) of pinned, bytes in blocks that their client has given back, but that
 *	something outside the pool still reaches, or whose memory is broken
 * @user_quarantined: (out) of these, those that this client's user is charged for
 * @client_sent: (out) blocks this client has sent
 * @client_received: (out) blocks this client has received
 * @sent: (out) blocks sent by all clients
 * @received: (out) of these, blocks that were received
 * @channels: (out) channels that have an end open
 * @in_channels: (out) of pinned, bytes in blocks that are in channels
 *
 * All but the client's are for the whole pool.
 *
 * Errors: EFAULT, EINVAL, E2BIG.
 */
struct bufpool_stats {
	__u32 size;
	__u32 flags;
	__u64 client_rents;
	__u64 client_returns;
	__u64 client_blocks;
	__u64 client_bytes;
	__u64 client_ceiling;
	__u64 client_warm_blocks;
	__u64 client_warm_bytes;
	__u64 client_warm_rents;
	__u64 user_held;
	__u64 user_quota;
	__u64 rents;
	__u64 reused;
	__u64 returns;
	__u64 waits;
	__u64 steals;
	__u64 scrubs;
	__u64 clients;
	__u64 waiting;
	__u64 in_use;
	__u64 warm;
	__u64 pinned;
	__u64 limit;
	__u64 slabs_created;
	__u64 slabs_destroyed;
	__u64 refused_again;
	__u64 refused_quota;
	__u64 refused_memory;
	__u64 timeouts;
	__u64 client_refused_again;
	__u64 client_refused_quota;
	__u64 client_refused_memory;
	__u64 client_timeouts;
	__u64 client_kept_blocks;
	__u64 client_kept_bytes;
	__u64 kept;
	__u64 refused_waiters;
	__u64 refused_clients;
	__u64 client_refused_waiters;
	__u64 idle;
	__u64 quarantined;
	__u64 user_quarantined;
	__u64 client_sent;
	__u64 client_received;
	__u64 sent;
	__u64 received;
	__u64 channels;
	__u64 in_channels;
};

/**
 * struct bufpool_trim - BUFPOOL_IOC_TRIM: give warm blocks to the free lists
 * @size: (in) sizeof(struct bufpool_trim)
 * @flags: (in) must be 0
 * @min_size: (in) only blocks of at least so many bytes; 0 is all
 * @trimmed: (out) bytes given
 *
 * Having no warm block is no error.
 *
 * Errors: EFAULT, EINVAL, E2BIG.
 */
struct bufpool_trim {
	__u32 size;
	__u32 flags;
	__u64 min_size;
	__u64 trimmed;
};

#endif /* _UAPI_LINUX_BUFPOOL_H */
