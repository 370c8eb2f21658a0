// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls that rent and return; see chardev.c for what calls have in common.
 */
#include <linux/uaccess.h>
#include "bufpool.h"
#include "call.h"

/*
 * What RENT and RENT_MANY have in common: the class of what is asked for, or
 * ERR_PTR().
 */
static struct bufpool_class *find_class(struct bufpool_call *call, u32 flags,
					u64 min_size, s64 timeout_ns)
{
	struct bufpool_pool *pool = bufpool_call_client(call)->pool;
	struct bufpool_class *class;

	if (flags & ~(BUFPOOL_RENT_ZERO | BUFPOOL_RENT_NONBLOCK | BUFPOOL_RENT_IO))
		return ERR_PTR(-EINVAL);
	if (!min_size || timeout_ns < 0)
		return ERR_PTR(-EINVAL);
	class = bufpool_pool_class(pool, min_size, flags & BUFPOOL_RENT_IO);
	return class ?: ERR_PTR(-EMSGSIZE);
}

/*
 * Rent, and reply: only then are the blocks the client's. Inline, so that @tell is no
 * indirect call. Return: how many, or an error; -ERESTARTSYS is yet to be seen to.
 */
static __always_inline int rent(struct bufpool_call *call,
				struct bufpool_request *request, u32 flags,
				struct bufpool_blk **blks,
				int (*tell)(struct bufpool_call *call,
					    struct bufpool_blk **blks, int nr))
{
	struct bufpool_client *client = bufpool_call_client(call);
	int ret, err;

	request->zero = flags & BUFPOOL_RENT_ZERO;
	request->nonblock = flags & BUFPOOL_RENT_NONBLOCK ||
			    bufpool_call_is_nonblock(call->file);
	ret = bufpool_rental_rent(client, request, blks);
	/* waiting would have used the number: what was interrupted ends here */
	if (ret != -ERESTARTSYS && request->wait_id) {
		bufpool_place_drop(client, request->class, request->wait_id);
		request->wait_id = 0;
	}
	if (ret < 0)
		return ret;
	err = tell(call, blks, ret);
	if (err)
		bufpool_rental_abort(client, blks, ret);
	else
		bufpool_rental_publish(client, blks, &request->tally);
	return err ?: ret;
}

/* Whether the caller's structure has the field that says how to go on waiting. */
static int get_wait_id(struct bufpool_request *request, bool is_there,
		       const u64 __user *from)
{
	request->keeps_place = is_there;
	return is_there && get_user(request->wait_id, from) ? -EFAULT : 0;
}

/*
 * What becomes of a call that a signal interrupts: it is restarted, unless a handler
 * runs that does not want that. Where it could not go on waiting with the time that is
 * left, it must not be restarted if it has a timeout.
 */
static int restart(const struct bufpool_request *request, u64 __user *to)
{
	if (request->wait_id && !put_user(request->wait_id, to))
		return -ERESTARTSYS;
	return request->timeout_ns ? -EINTR : -ERESTARTSYS;
}

static int put_rent(struct bufpool_call *call, const struct bufpool_block *block)
{
	struct bufpool_rent __user *to = call->uarg;

	if (!user_write_access_begin(to, sizeof(*to)))
		return -EFAULT;
	unsafe_put_user(block->handle, &to->handle, fault);
	unsafe_put_user(block->offset, &to->offset, fault);
	unsafe_put_user(block->length, &to->length, fault);
	user_write_access_end();
	return 0;

fault:
	user_write_access_end();
	return -EFAULT;
}

static int tell_rent(struct bufpool_call *call, struct bufpool_blk **blks, int nr)
{
	struct bufpool_block block;

	bufpool_blk_report(blks[0], &block);
	return put_rent(call, &block);
}

static noinline int rent_one(struct bufpool_call *call, struct bufpool_class *class)
{
	struct bufpool_rent __user *to = call->uarg;
	struct bufpool_request request = {
		.class = class,
		.count = 1,
		.timeout_ns = call->args.rent.timeout_ns,
		.steals = BUFPOOL_STEALS_MAX,
	};
	struct bufpool_blk *blk;
	int ret;

	if (bufpool_call_probe(&to->handle) ||
	    get_wait_id(&request, call->args.head.size >=
				  offsetofend(struct bufpool_rent, wait_id),
			&to->wait_id))
		return -EFAULT;
	ret = rent(call, &request, call->args.rent.flags, &blk, tell_rent);
	if (ret == -ERESTARTSYS)
		return restart(&request, &to->wait_id);
	return min(ret, 0);
}

/* A warm block is the client's already: it is rented first, and then replied. */
int bufpool_call_rent(struct bufpool_call *call)
{
	u32 flags = call->args.rent.flags;
	struct bufpool_block block;
	struct bufpool_class *class;
	int err;

	class = find_class(call, flags, call->args.rent.min_size,
			   call->args.rent.timeout_ns);
	if (IS_ERR(class))
		return PTR_ERR(class);
	if (flags & BUFPOOL_RENT_ZERO || bufpool_place_is_any(bufpool_call_client(call)) ||
	    !bufpool_rental_rent_fast(bufpool_call_client(call), class, &block))
		return rent_one(call, class);
	err = put_rent(call, &block);
	if (err)
		bufpool_rental_undo_fast(bufpool_call_client(call), block.handle);
	return err;
}

/* Blocks are rented, and handles taken in, by so many, which fit on the stack. */
#define CHUNK	64U

/* Tell of some blocks, and go on behind them. */
static int tell_rent_many(struct bufpool_call *call, struct bufpool_blk **blks, int nr)
{
	struct bufpool_block __user *to;
	int i;

	to = u64_to_user_ptr(call->args.rent_many.blocks);
	if (!user_write_access_begin(to, nr * sizeof(*to)))
		return -EFAULT;
	for (i = 0; i < nr; i++, to++) {
		struct bufpool_block block;

		bufpool_blk_report(blks[i], &block);
		unsafe_put_user(block.handle, &to->handle, fault);
		unsafe_put_user(block.offset, &to->offset, fault);
		unsafe_put_user(block.length, &to->length, fault);
	}
	user_write_access_end();
	call->args.rent_many.blocks += nr * sizeof(*to);
	return 0;

fault:
	user_write_access_end();
	return -EFAULT;
}

/* The array of replies may lie in several pages. */
static int probe_replies(u64 address, unsigned int count)
{
	u64 end = address + count * sizeof(struct bufpool_block);
	u64 at;

	for (at = address; at < end; at = round_down(at + PAGE_SIZE, PAGE_SIZE))
		if (bufpool_call_probe(u64_to_user_ptr(at)))
			return -EFAULT;
	return bufpool_call_probe(u64_to_user_ptr(end - 1));
}

int bufpool_call_rent_many(struct bufpool_call *call)
{
	typeof(call->args.rent_many) *args = &call->args.rent_many;
	struct bufpool_rent_many __user *to = call->uarg;
	struct bufpool_request request = {
		.timeout_ns = args->timeout_ns,
		.steals = BUFPOOL_STEALS_MAX,
	};
	struct bufpool_blk *blks[CHUNK];
	unsigned int done;
	int ret;

	if (args->reserved || !args->count || args->count > BUFPOOL_MANY_MAX)
		return -EINVAL;
	request.class = find_class(call, args->flags, args->min_size,
				   args->timeout_ns);
	if (IS_ERR(request.class))
		return PTR_ERR(request.class);
	/* warm blocks cost little */
	if ((!bufpool_rental_has_warm(bufpool_call_client(call), request.class, args->count) &&
	     probe_replies(args->blocks, args->count)) ||
	    get_wait_id(&request, args->size >=
				  offsetofend(struct bufpool_rent_many, wait_id),
			&to->wait_id))
		return -EFAULT;
	for (done = 0; done < args->count; done += ret) {
		request.count = min(args->count - done, CHUNK);
		ret = rent(call, &request, args->flags, blks, tell_rent_many);
		if (ret == -ERESTARTSYS && !done)
			return restart(&request, &to->wait_id);
		if (ret < 0)
			return done ?: ret;
		if (ret < request.count)
			return done + ret;
		/* the call waits for the first block only */
		args->flags |= BUFPOOL_RENT_NONBLOCK;
	}
	return done;
}

static bool return_flags_are_valid(u32 flags)
{
	return !(flags & ~(BUFPOOL_RETURN_CLEAR | BUFPOOL_RETURN_REVOKE));
}

int bufpool_call_return(struct bufpool_call *call)
{
	struct bufpool_return *args = &call->args.ret;
	int ret;

	if (!args->flags &&
	    bufpool_rental_return_fast(bufpool_call_client(call), args->handle))
		return 0;
	if (!return_flags_are_valid(args->flags))
		return -EINVAL;
	ret = bufpool_rental_return(bufpool_call_client(call), &args->handle, 1,
				    args->flags);
	return ret < 0 ? ret : 0;
}

/*
 * Read whole words in one window of access: what copies any number of bytes looks
 * at the whole range first, each time.
 */
static int get_words(u64 *to, const u64 __user *from, unsigned int nr)
{
	unsigned int i;

	if (!user_read_access_begin(from, nr * sizeof(*from)))
		return -EFAULT;
	for (i = 0; i < nr; i++)
		unsafe_get_user(to[i], from + i, fault);
	user_read_access_end();
	return 0;

fault:
	user_read_access_end();
	return -EFAULT;
}

int bufpool_call_return_many(struct bufpool_call *call)
{
	struct bufpool_return_many *args = &call->args.return_many;
	const u64 __user *from = u64_to_user_ptr(args->handles);
	u64 handles[CHUNK];
	unsigned int done, chunk;
	int ret;

	if (!return_flags_are_valid(args->flags) || args->__reserved ||
	    !args->count || args->count > BUFPOOL_MANY_MAX)
		return -EINVAL;

	for (done = 0; done < args->count; done += ret) {
		chunk = min(args->count - done, CHUNK);
		if (get_words(handles, from + done, chunk))
			return done ?: -EFAULT;
		ret = bufpool_rental_return(bufpool_call_client(call), handles, chunk,
					    args->flags);
		if (ret < 0)
			return done ?: ret;
		if (ret < chunk)
			return done + ret;
	}
	return done;
}
