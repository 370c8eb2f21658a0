/* SPDX-License-Identifier: MIT */
/*
 * Where blocks come from
 *
 * A provider hands out blocks by handle and offset, as <linux/bufpool.h>
 * describes, and can make a range of offsets appear at an address. All functions
 * return 0 or a count, or -errno; all but close may be called by any number of
 * threads at once.
 */
#ifndef BUFPOOL_PROVIDER_H
#define BUFPOOL_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/bufpool.h>

#include "file.h"

struct bufpool_class;
struct bufpool_provider;

struct bufpool_provider_ops {
	int (*info)(struct bufpool_provider *provider,
		    struct bufpool_info *info);

	/*
	 * Comes before all that follows, once, and sees to provider->status and
	 * waiting_by_class. May be NULL.
	 */
	void (*map_status)(struct bufpool_provider *provider,
			   const struct bufpool_info *info);

	/* See BUFPOOL_IOC_CLASS; @class->size and @class->nr are set. */
	int (*describe)(struct bufpool_provider *provider,
			struct bufpool_class_info *class);

	/* Replaces what was at @address. */
	int (*map)(struct bufpool_provider *provider, void *address,
		   size_t length, __u64 offset);

	/* Let @count stacks be at @address, which is reserved. 0 or -errno */
	int (*map_stacks)(struct bufpool_provider *provider, void *address,
			  unsigned int count, const struct bufpool_info *info);

	/*
	 * Let a stack be used from now on; @nr is less than provider->nr_stacks.
	 * 0, or -ENOMEM
	 */
	int (*open_stack)(struct bufpool_provider *provider, unsigned int nr);

	/* At most BUFPOOL_MANY_MAX; see BUFPOOL_IOC_RENT_MANY. */
	int (*rent_many)(struct bufpool_provider *provider, size_t min_size,
			 unsigned int flags, __s64 timeout_ns,
			 struct bufpool_block *blocks, unsigned int count);

	/* At most BUFPOOL_MANY_MAX; see BUFPOOL_IOC_RETURN_MANY. */
	int (*return_many)(struct bufpool_provider *provider,
			   const __u64 *handles, unsigned int count,
			   unsigned int flags);

	/*
	 * From now on no rent waits, or again as it likes. In signal handlers too,
	 * with whatever the thread is doing; @is_free: it is not in a call.
	 */
	int (*cancel)(struct bufpool_provider *provider, bool is_cancelled, bool is_free);

	/* A new descriptor to poll for blocks of a class, as BUFPOOL_IOC_POLLER. */
	int (*poller)(struct bufpool_provider *provider, const struct bufpool_class *class,
		      unsigned int flags);

	/* See BUFPOOL_IOC_EXPORT. May be NULL. */
	int (*export)(struct bufpool_provider *provider, __u64 handle);

	/* See BUFPOOL_IOC_CHANNEL; @ends gets the receive end, then the send end. May be NULL. */
	int (*channel)(struct bufpool_provider *provider, unsigned int capacity, int *ends);

	/* At most BUFPOOL_MANY_MAX; see BUFPOOL_IOC_SEND. May be NULL. */
	int (*send)(struct bufpool_provider *provider, int end,
		    const struct bufpool_message *messages, unsigned int count,
		    unsigned int flags, __s64 timeout_ns);

	/* At most BUFPOOL_MANY_MAX; see BUFPOOL_IOC_RECEIVE. May be NULL. */
	int (*receive)(struct bufpool_provider *provider, int end,
		       struct bufpool_message *messages, unsigned int count,
		       unsigned int flags, __s64 timeout_ns);

	/* See BUFPOOL_IOC_TRIM; @trimmed gets the bytes. */
	int (*trim)(struct bufpool_provider *provider, __u64 min_size,
		    __u64 *trimmed);

	int (*stats)(struct bufpool_provider *provider,
		     struct bufpool_stats *stats);

	/*
	 * Undo map_status, before close; not in a child of fork(). May be NULL.
	 */
	void (*unmap_status)(struct bufpool_provider *provider);

	/* In a child of fork() too. */
	void (*close)(struct bufpool_provider *provider);
};

struct bufpool_private;
struct bufpool_window;

/* So many sets of stacks, one for each class, does a pool use at most. */
#define BUFPOOL_SETS_MAX	4098

struct bufpool_provider {
	const struct bufpool_provider_ops *ops;
	struct bufpool_file file;		/* the device */
	bool shared;				/* others may use the same client */
	const struct bufpool_status *status;	/* never NULL */
	bool waiting_by_class;			/* it says who waits for what */
	unsigned int nr_classes;
	unsigned int nr_stacks;			/* stack k is of class k % nr_classes */
	char *stacks;				/* a page each */
	size_t page_size;
	struct bufpool_window *window;		/* that maps it; sets this itself */
	struct bufpool_private *private;	/* in provider_private.c */
};

/*
 * How many renters wait whom a block of a class would serve, for all to read; @nr is the
 * provider's number of the class. Of a provider that does not tell: how many wait at all
 */
static inline const __u32 *
bufpool_provider_waiting(const struct bufpool_provider *provider, unsigned int nr)
{
	if (provider->waiting_by_class && nr < BUFPOOL_STATUS_CLASSES)
		return &provider->status->waiting_of[nr];
	return &provider->status->waiting;
}

/* Whether they do: what was kept now would be taken from here at once. */
static inline bool bufpool_provider_is_short(const struct bufpool_provider *provider,
					     unsigned int nr)
{
	return __atomic_load_n(bufpool_provider_waiting(provider, nr), __ATOMIC_RELAXED);
}

/* A stack that has been opened */
static inline struct bufpool_stack *
bufpool_provider_stack(const struct bufpool_provider *provider, unsigned int nr)
{
	return (struct bufpool_stack *)(provider->stacks + nr * provider->page_size);
}

/* Map as many stacks as there is address space for. */
void bufpool_provider_map_stacks(struct bufpool_provider *provider,
				 const struct bufpool_info *info);

/* Not in a child of fork(), which does not have them */
void bufpool_provider_unmap_stacks(struct bufpool_provider *provider);

/* Give blocks back, whatever some of them have become meanwhile. */
void bufpool_provider_give(struct bufpool_provider *provider,
			   const __u64 *handles, unsigned int count);

/* The kernel's pool by a descriptor of its device, which close() closes. 0 or -errno */
int bufpool_provider_kernel_init(struct bufpool_provider *provider, int fd);

/*
 * A new pool of this process alone. 0 or -errno: -EINVAL where the environment
 * says nonsense
 */
int bufpool_provider_private_init(struct bufpool_provider *provider);

#endif /* BUFPOOL_PROVIDER_H */
