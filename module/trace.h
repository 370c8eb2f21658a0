/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints. A block is told by its offset in the device and its length,
 * a client by the pid that opened it; no kernel address is in any of them.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM bufpool

#if !defined(_BUFPOOL_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _BUFPOOL_TRACE_H

#include <linux/tracepoint.h>
#include "bufpool.h"

#define BUFPOOL_TRACE_WARM	BIT(0)
#define BUFPOOL_TRACE_REUSED	BIT(1)
#define BUFPOOL_TRACE_WAITED	BIT(2)

#define bufpool_trace_flags(flags)				\
	__print_flags(flags, "|",				\
		      { BUFPOOL_TRACE_WARM, "warm" },		\
		      { BUFPOOL_TRACE_REUSED, "reused" },	\
		      { BUFPOOL_TRACE_WAITED, "waited" })

TRACE_DEFINE_ENUM(BUFPOOL_BOUND_POOL);
TRACE_DEFINE_ENUM(BUFPOOL_BOUND_QUOTA);
TRACE_DEFINE_ENUM(BUFPOOL_BOUND_CEILING);
TRACE_DEFINE_ENUM(BUFPOOL_BOUND_CLIENTS);
TRACE_DEFINE_ENUM(BUFPOOL_BOUND_WAITERS);

#define bufpool_trace_bound(bound)				\
	__print_symbolic(bound,					\
			 { BUFPOOL_BOUND_POOL, "pool" },	\
			 { BUFPOOL_BOUND_QUOTA, "quota" },	\
			 { BUFPOOL_BOUND_CEILING, "ceiling" },	\
			 { BUFPOOL_BOUND_CLIENTS, "clients" },	\
			 { BUFPOOL_BOUND_WAITERS, "waiters" })

/* A rental of a client begins or ends. */
DECLARE_EVENT_CLASS(bufpool_rental,
		    TP_PROTO(struct bufpool_client *client, struct bufpool_blk *blk,
			     unsigned int flags),
		    TP_ARGS(client, blk, flags),
		    TP_STRUCT__entry(__field(u64, handle)
				     __field(u64, offset)
				     __field(u64, length)
				     __field(pid_t, client)
				     __field(unsigned int, flags)),
		    TP_fast_assign(struct bufpool_block report;

				   bufpool_blk_report(blk, &report);
				   __entry->handle = report.handle;
				   __entry->offset = report.offset;
				   __entry->length = report.length;
				   __entry->client = client->pid;
				   __entry->flags = flags),
		    TP_printk("client=%d handle=0x%llx offset=0x%llx length=%llu flags=%s",
			      __entry->client, __entry->handle, __entry->offset,
			      __entry->length, bufpool_trace_flags(__entry->flags)));

/* The client owns the block from here on. */
DEFINE_EVENT(bufpool_rental, bufpool_rent,
	     TP_PROTO(struct bufpool_client *client, struct bufpool_blk *blk,
		      unsigned int flags),
	     TP_ARGS(client, blk, flags));

/* The handle is good no more; the block is kept warm or on its way out. */
DEFINE_EVENT(bufpool_rental, bufpool_return,
	     TP_PROTO(struct bufpool_client *client, struct bufpool_blk *blk,
		      unsigned int flags),
	     TP_ARGS(client, blk, flags));

/* A block leaves a client. */
DECLARE_EVENT_CLASS(bufpool_parting,
		    TP_PROTO(struct bufpool_client *client, struct bufpool_blk *blk),
		    TP_ARGS(client, blk),
		    TP_STRUCT__entry(__field(u64, offset)
				     __field(u64, length)
				     __field(pid_t, client)),
		    TP_fast_assign(struct bufpool_block report;

				   bufpool_blk_report(blk, &report);
				   __entry->offset = report.offset;
				   __entry->length = report.length;
				   __entry->client = client->pid),
		    TP_printk("client=%d offset=0x%llx length=%llu", __entry->client,
			      __entry->offset, __entry->length));

/* No page-table entry of the client reaches the block any more. */
DEFINE_EVENT(bufpool_parting, bufpool_revoke,
	     TP_PROTO(struct bufpool_client *client, struct bufpool_blk *blk),
	     TP_ARGS(client, blk));

/* The client's warm block was taken for another renter. */
DEFINE_EVENT(bufpool_parting, bufpool_steal,
	     TP_PROTO(struct bufpool_client *client, struct bufpool_blk *blk),
	     TP_ARGS(client, blk));

/* A block is on its way from client to client. */
DECLARE_EVENT_CLASS(bufpool_handover,
		    TP_PROTO(struct bufpool_client *client, struct bufpool_chan *channel,
			     const struct bufpool_sent *message),
		    TP_ARGS(client, channel, message),
		    TP_STRUCT__entry(__field(u64, channel)
				     __field(u64, offset)
				     __field(u64, length)
				     __field(u64, used)
				     __field(u64, tag)
				     __field(pid_t, client)),
		    TP_fast_assign(struct bufpool_block report;

				   bufpool_blk_report(message->blk, &report);
				   __entry->channel = channel->nr;
				   __entry->offset = report.offset;
				   __entry->length = report.length;
				   __entry->used = message->used;
				   __entry->tag = message->tag;
				   __entry->client = client->pid),
		    TP_printk("client=%d channel=%llu offset=0x%llx length=%llu used=%llu tag=0x%llx",
			      __entry->client, __entry->channel, __entry->offset,
			      __entry->length, __entry->used, __entry->tag));

/* It is the client's no more, and about to be in the channel. */
DEFINE_EVENT(bufpool_handover, bufpool_send,
	     TP_PROTO(struct bufpool_client *client, struct bufpool_chan *channel,
		      const struct bufpool_sent *message),
	     TP_ARGS(client, channel, message));

/* The client owns it from here on. */
DEFINE_EVENT(bufpool_handover, bufpool_receive,
	     TP_PROTO(struct bufpool_client *client, struct bufpool_chan *channel,
		      const struct bufpool_sent *message),
	     TP_ARGS(client, channel, message));

/* A free block was zeroed in the background. */
TRACE_EVENT(bufpool_scrub,
	    TP_PROTO(struct bufpool_blk *blk),
	    TP_ARGS(blk),
	    TP_STRUCT__entry(__field(u64, offset)
			     __field(u64, length)),
	    TP_fast_assign(struct bufpool_block report;

			   bufpool_blk_report(blk, &report);
			   __entry->offset = report.offset;
			   __entry->length = report.length),
	    TP_printk("offset=0x%llx length=%llu", __entry->offset, __entry->length));

/* A block that its client has lost, and that is reached from outside. */
DECLARE_EVENT_CLASS(bufpool_outside,
		    TP_PROTO(struct bufpool_blk *blk),
		    TP_ARGS(blk),
		    TP_STRUCT__entry(__field(u64, offset)
				     __field(u64, length)
				     __field(unsigned int, exports)
				     __field(uid_t, uid)),
		    TP_fast_assign(struct bufpool_block report;

				   bufpool_blk_report(blk, &report);
				   __entry->offset = report.offset;
				   __entry->length = report.length;
				   __entry->exports = READ_ONCE(blk->exports);
				   __entry->uid =
				   __kuid_val(bufpool_charge_account(blk)->uid)),
		    TP_printk("uid=%u offset=0x%llx length=%llu exports=%u", __entry->uid,
			      __entry->offset, __entry->length, __entry->exports));

/* It is nobody's until that has ended. */
DEFINE_EVENT(bufpool_outside, bufpool_quarantine,
	     TP_PROTO(struct bufpool_blk *blk),
	     TP_ARGS(blk));

/* That has ended, and it is free. */
DEFINE_EVENT(bufpool_outside, bufpool_release,
	     TP_PROTO(struct bufpool_blk *blk),
	     TP_ARGS(blk));

/* Memory comes from the system or goes back to it. */
DECLARE_EVENT_CLASS(bufpool_slab,
		    TP_PROTO(struct bufpool_slab *slab),
		    TP_ARGS(slab),
		    TP_STRUCT__entry(__field(u64, offset)
				     __field(u64, bytes)
				     __field(u64, block_size)),
		    TP_fast_assign(struct bufpool_block first;

				   bufpool_blk_report(&slab->blks[0], &first);
				   __entry->offset = first.offset;
				   __entry->bytes = slab->bytes;
				   __entry->block_size = first.length),
		    TP_printk("offset=0x%llx bytes=%llu block_size=%llu", __entry->offset,
			      __entry->bytes, __entry->block_size));

DEFINE_EVENT(bufpool_slab, bufpool_slab_add,
	     TP_PROTO(struct bufpool_slab *slab),
	     TP_ARGS(slab));

DEFINE_EVENT(bufpool_slab, bufpool_slab_remove,
	     TP_PROTO(struct bufpool_slab *slab),
	     TP_ARGS(slab));

/* What an account is charged for changes by a slab. */
DECLARE_EVENT_CLASS(bufpool_account,
		    TP_PROTO(struct bufpool_account *account, struct bufpool_slab *slab),
		    TP_ARGS(account, slab),
		    TP_STRUCT__entry(__field(u64, offset)
				     __field(u64, bytes)
				     __field(u64, pinned)
				     __field(uid_t, uid)),
		    TP_fast_assign(struct bufpool_block first;

				   bufpool_blk_report(&slab->blks[0], &first);
				   __entry->offset = first.offset;
				   __entry->bytes = slab->bytes;
				   __entry->pinned = bufpool_budget_used(&account->pinned);
				   __entry->uid = __kuid_val(account->uid)),
		    TP_printk("uid=%u offset=0x%llx bytes=%llu pinned=%llu", __entry->uid,
			      __entry->offset, __entry->bytes, __entry->pinned));

/* The slab is the account's from here on, which is charged for it. */
DEFINE_EVENT(bufpool_account, bufpool_charge,
	     TP_PROTO(struct bufpool_account *account, struct bufpool_slab *slab),
	     TP_ARGS(account, slab));

/* None of its blocks is out any more, and it is nobody's. */
DEFINE_EVENT(bufpool_account, bufpool_uncharge,
	     TP_PROTO(struct bufpool_account *account, struct bufpool_slab *slab),
	     TP_ARGS(account, slab));

/* The current task begins to wait for a block, which the account of @uid will be charged for. */
TRACE_EVENT(bufpool_wait,
	    TP_PROTO(struct bufpool_client *client, struct bufpool_class *class),
	    TP_ARGS(client, class),
	    TP_STRUCT__entry(__field(u64, block_size)
			     __field(int, waiting)
			     __field(uid_t, uid)),
	    TP_fast_assign(__entry->block_size = bufpool_class_block_size(class);
			   __entry->waiting = bufpool_pool_waiting(class->pool);
			   __entry->uid = __kuid_val(client->account->uid)),
	    TP_printk("block_size=%llu waiting=%d uid=%u", __entry->block_size,
		      __entry->waiting, __entry->uid));

/* A block is handed to the task that has waited longest, whatever that does now. */
TRACE_EVENT(bufpool_serve,
	    TP_PROTO(struct bufpool_class *class, struct task_struct *task),
	    TP_ARGS(class, task),
	    TP_STRUCT__entry(__field(u64, block_size)
			     __field(pid_t, task)),
	    TP_fast_assign(__entry->block_size = bufpool_class_block_size(class);
			   __entry->task = task->pid),
	    TP_printk("block_size=%llu task=%d", __entry->block_size,
		      __entry->task));

/* It has one, or has given up. */
TRACE_EVENT(bufpool_wait_end,
	    TP_PROTO(struct bufpool_class *class, int result, s64 waited_ns),
	    TP_ARGS(class, result, waited_ns),
	    TP_STRUCT__entry(__field(u64, block_size)
			     __field(s64, waited_ns)
			     __field(int, result)),
	    TP_fast_assign(__entry->block_size = bufpool_class_block_size(class);
			   __entry->waited_ns = waited_ns;
			   __entry->result = result),
	    TP_printk("block_size=%llu result=%d waited_ns=%lld",
		      __entry->block_size, __entry->result, __entry->waited_ns));

/* A bound refused bytes, or one more; whether room is made for them is yet to be seen. */
TRACE_EVENT(bufpool_limit_hit,
	    TP_PROTO(enum bufpool_bound bound, u64 wanted, u64 held, u64 most),
	    TP_ARGS(bound, wanted, held, most),
	    TP_STRUCT__entry(__field(u64, wanted)
			     __field(u64, held)
			     __field(u64, most)
			     __field(unsigned int, bound)),
	    TP_fast_assign(__entry->wanted = wanted;
			   __entry->held = held;
			   __entry->most = most;
			   __entry->bound = bound),
	    TP_printk("bound=%s wanted=%llu held=%llu most=%llu",
		      bufpool_trace_bound(__entry->bound), __entry->wanted,
		      __entry->held, __entry->most));

#endif /* _BUFPOOL_TRACE_H */

/* found by the -I that Kbuild gives to trace.c */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
