// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of channels; see chardev.c for what calls have in common.
 */
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include "bufpool.h"
#include "call.h"

/* Messages are sent and received by so many, which fit on the stack. */
#define CHUNK	32U

/**
 * struct transfer - a call that sends or receives
 * @client: whose
 * @args: of it; those of a RECEIVE have the same layout
 * @channel: through which; @fd holds its @end
 * @fd: that end
 * @end: which it is
 * @deadline: when its wait ends, in nanoseconds, as far as it is known; or 0
 * @cancels: how often waits of the client had been cancelled when it began
 */
struct transfer {
	struct bufpool_client *client;
	const struct bufpool_send *args;
	struct bufpool_chan *channel;
	struct fd fd;
	enum bufpool_end end;
	u64 deadline;
	int cancels;
};

static_assert(sizeof(struct bufpool_send) == sizeof(struct bufpool_receive));
static_assert(offsetof(struct bufpool_send, fd) == offsetof(struct bufpool_receive, fd));
static_assert(offsetof(struct bufpool_send, messages) ==
	      offsetof(struct bufpool_receive, messages));
static_assert(offsetof(struct bufpool_send, deadline_ns) ==
	      offsetof(struct bufpool_receive, deadline_ns));
static_assert(BUFPOOL_SEND_NONBLOCK == BUFPOOL_RECEIVE_NONBLOCK);

/* What the program is told of a channel that is made. */
static int tell_channel(struct bufpool_call *call, const int fds[BUFPOOL_NR_ENDS])
{
	struct bufpool_channel __user *to = call->uarg;

	return put_user(fds[BUFPOOL_END_RECEIVE], &to->receive_fd) ||
	       put_user(fds[BUFPOOL_END_SEND], &to->send_fd) ? -EFAULT : 0;
}

/* Descriptors for both ends. Return: 0, or -EMFILE. */
static int get_descriptors(int fds[BUFPOOL_NR_ENDS])
{
	enum bufpool_end end;

	for (end = 0; end < BUFPOOL_NR_ENDS; end++) {
		fds[end] = get_unused_fd_flags(O_CLOEXEC);
		if (fds[end] >= 0)
			continue;
		if (end)
			put_unused_fd(fds[0]);
		return fds[end];
	}
	return 0;
}

static int make_channel(struct bufpool_call *call, const int fds[BUFPOOL_NR_ENDS])
{
	struct file *files[BUFPOOL_NR_ENDS];
	enum bufpool_end end;
	int err;

	err = bufpool_channel_create(bufpool_call_client(call), call->args.channel.capacity,
				     files);
	if (err)
		return err;
	err = tell_channel(call, fds);
	for (end = 0; end < BUFPOOL_NR_ENDS; end++) {
		if (err)
			fput(files[end]);
		else
			fd_install(fds[end], files[end]);
	}
	return err;
}

int bufpool_call_channel(struct bufpool_call *call)
{
	u32 capacity = call->args.channel.capacity;
	int fds[BUFPOOL_NR_ENDS], err;

	if (call->args.channel.flags || call->args.channel.reserved || !capacity ||
	    capacity > BUFPOOL_CHANNEL_MAX)
		return -EINVAL;
	err = get_descriptors(fds);
	if (err)
		return err;
	err = make_channel(call, fds);
	if (err) {
		put_unused_fd(fds[BUFPOOL_END_RECEIVE]);
		put_unused_fd(fds[BUFPOOL_END_SEND]);
	}
	return err;
}

/* Have the program's memory there for at least the next message. */
static int fault_in_message(const struct bufpool_receipt *receipt)
{
	if (fatal_signal_pending(current))
		return -EINTR;
	cond_resched();
	return fault_in_subpage_writeable((char __user *)receipt->to, sizeof(*receipt->to)) ?
	       -EFAULT : 0;
}

/* Return: as bufpool_receive(). */
static int receive_some(struct transfer *transfer, struct bufpool_receipt *receipt)
{
	int ret;

	do {
		ret = bufpool_receive(transfer->channel, receipt);
	} while (unlikely(ret == -EFAULT) && !fault_in_message(receipt));
	return ret;
}

/* Receive as many as there are, and map them, if @blocks are for that. */
static int receive_all(struct transfer *transfer, struct bufpool_block *blocks)
{
	struct bufpool_message __user *to = u64_to_user_ptr(transfer->args->messages);
	struct bufpool_receipt receipt = {
		.client = transfer->client,
		.blocks = blocks,
	};
	unsigned int done;
	int ret;

	for (done = 0; done < transfer->args->count; done += ret) {
		receipt.to = to + done;
		receipt.nr = min(transfer->args->count - done, CHUNK);
		ret = receive_some(transfer, &receipt);
		if (ret <= 0)
			return done ?: ret;
		if (blocks)
			bufpool_map_ahead(transfer->client, blocks, ret);
		if (ret < receipt.nr && !receipt.untold)
			return done + ret;
	}
	return done;
}

static noinline int receive_and_map_once(struct transfer *transfer)
{
	struct bufpool_block blocks[CHUNK];

	return receive_all(transfer, blocks);
}

/* Return: how many, or why none. */
static int receive_once(struct transfer *transfer)
{
	if (transfer->args->flags & BUFPOOL_RECEIVE_MAP)
		return receive_and_map_once(transfer);
	return receive_all(transfer, NULL);
}

/* Read some messages. Return: 0 or -EFAULT. */
static __always_inline int get_messages(struct bufpool_sent *messages,
					const struct bufpool_message __user *from,
					unsigned int nr)
{
	unsigned int i;

	if (!user_read_access_begin(from, nr * sizeof(*from)))
		return -EFAULT;
	for (i = 0; i < nr; i++) {
		unsafe_get_user(messages[i].handle, &from[i].handle, fault);
		unsafe_get_user(messages[i].used, &from[i].used, fault);
		unsafe_get_user(messages[i].tag, &from[i].tag, fault);
	}
	user_read_access_end();
	return 0;

fault:
	user_read_access_end();
	return -EFAULT;
}

/* Send as many as there is room for; some at a time. */
static __always_inline int send_all(struct transfer *transfer, struct bufpool_sent *messages,
				    unsigned int most)
{
	const struct bufpool_message __user *from = u64_to_user_ptr(transfer->args->messages);
	bool whole = transfer->args->flags & BUFPOOL_SEND_WHOLE;
	unsigned int done, chunk;
	int ret;

	for (done = 0; done < transfer->args->count; done += ret) {
		chunk = min(transfer->args->count - done, most);
		if (get_messages(messages, from + done, chunk))
			return done ?: -EFAULT;
		ret = bufpool_send(transfer->client, transfer->channel, messages, chunk, whole);
		if (ret < 0)
			return done ?: ret;
		if (ret < chunk)
			return done + ret;
	}
	return done;
}

/* Many kernels zero what is on the stack: for one message, that of one. */
static noinline int send_one(struct transfer *transfer)
{
	struct bufpool_sent message;

	return send_all(transfer, &message, 1);
}

static noinline int send_many(struct transfer *transfer)
{
	struct bufpool_sent messages[CHUNK];

	return send_all(transfer, messages, CHUNK);
}

/* Return: how many, or why none. */
static int send_once(struct transfer *transfer)
{
	return transfer->args->count == 1 ? send_one(transfer) : send_many(transfer);
}

/* When a call that waits is to end; it is the same however often that is interrupted. */
static ktime_t transfer_deadline(struct transfer *transfer)
{
	if (!transfer->deadline && transfer->args->timeout_ns)
		transfer->deadline = ktime_add_safe(ktime_get(), transfer->args->timeout_ns);
	return transfer->deadline ? min_t(u64, transfer->deadline, KTIME_MAX) : KTIME_MAX;
}

/* Do it, or wait until it can be done. */
static __always_inline int transfer_run(struct transfer *transfer,
					int (*once)(struct transfer *transfer))
{
	int ret, err;

	for (;;) {
		ret = once(transfer);
		/* of both kinds of calls */
		if (likely(ret != -EAGAIN) || transfer->args->flags & BUFPOOL_SEND_NONBLOCK ||
		    bufpool_call_is_nonblock(fd_file(transfer->fd)))
			return ret;
		err = bufpool_channel_wait(transfer->channel, transfer->end, transfer->client,
					   transfer->cancels, transfer_deadline(transfer));
		if (err)
			return err;
		cond_resched();
	}
}

/*
 * What becomes of a call that a signal interrupts: it is restarted, unless a handler runs that
 * does not want that. It must not be if it could not go on with the time that is left. Where
 * it ends, the next one with the same structure is a new one.
 */
static int transfer_end(const struct transfer *transfer, int ret, u64 __user *to)
{
	u64 deadline = ret == -ERESTARTSYS ? transfer->deadline : 0;

	if (likely(deadline == transfer->args->deadline_ns) || !put_user(deadline, to))
		return ret;
	return ret == -ERESTARTSYS ? -EINTR : ret;
}

/* Find the channel, whose end the caller is to let go of. Return: 0 or why not. */
static __always_inline int transfer_begin(struct transfer *transfer, enum bufpool_end end,
					  u32 flags)
{
	const struct bufpool_send *args = transfer->args;
	int err;

	if (args->flags & ~flags || !args->count || args->count > BUFPOOL_MANY_MAX ||
	    args->timeout_ns < 0)
		return -EINVAL;
	transfer->end = end;
	transfer->deadline = args->deadline_ns;
	transfer->cancels = atomic_read_acquire(&transfer->client->cancels);
	transfer->fd = fdget(args->fd);
	if (!fd_file(transfer->fd))
		return -EBADF;
	transfer->channel = bufpool_channel_get(fd_file(transfer->fd), end,
						transfer->client->pool);
	if (!IS_ERR(transfer->channel))
		return 0;
	err = PTR_ERR(transfer->channel);
	fdput(transfer->fd);
	return err;
}

static __always_inline int transfer(struct bufpool_call *call, enum bufpool_end end, u32 flags,
				    int (*once)(struct transfer *transfer))
{
	struct bufpool_send __user *to = call->uarg;
	struct transfer transfer = {
		.client = bufpool_call_client(call),
		.args = &call->args.send,
	};
	int ret = transfer_begin(&transfer, end, flags);

	if (ret)
		return ret;
	ret = transfer_run(&transfer, once);
	fdput(transfer.fd);
	return transfer_end(&transfer, ret, &to->deadline_ns);
}

int bufpool_call_send(struct bufpool_call *call)
{
	return transfer(call, BUFPOOL_END_SEND, BUFPOOL_SEND_NONBLOCK | BUFPOOL_SEND_WHOLE,
			send_once);
}

int bufpool_call_receive(struct bufpool_call *call)
{
	return transfer(call, BUFPOOL_END_RECEIVE,
			BUFPOOL_RECEIVE_NONBLOCK | BUFPOOL_RECEIVE_MAP, receive_once);
}
