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

struct bufpool_provider;

typedef __u64 bufpool_status_word __attribute__((may_alias));

/* Both fields of a status, which is aligned to 8 bytes, as one number */
static inline __u64 bufpool_status_read(const struct bufpool_status *status)
{
	return __atomic_load_n((const bufpool_status_word *)status,
			       __ATOMIC_RELAXED);
}

struct bufpool_provider_ops {
	/* Comes first, once, and sees to provider->status. */
	int (*info)(struct bufpool_provider *provider,
		    struct bufpool_info *info);

	/* See BUFPOOL_IOC_CLASS; @class->size and @class->nr are set. */
	int (*describe)(struct bufpool_provider *provider,
			struct bufpool_class_info *class);

	/* Replaces what was at @address. */
	int (*map)(struct bufpool_provider *provider, void *address,
		   size_t length, __u64 offset);

	/* At most BUFPOOL_MANY_MAX; see BUFPOOL_IOC_RENT_MANY. */
	int (*rent_many)(struct bufpool_provider *provider, size_t min_size,
			 unsigned int flags, __s64 timeout_ns,
			 struct bufpool_block *blocks, unsigned int count);

	/* At most BUFPOOL_MANY_MAX; see BUFPOOL_IOC_RETURN_MANY. */
	int (*return_many)(struct bufpool_provider *provider,
			   const __u64 *handles, unsigned int count,
			   unsigned int flags);

	/* See BUFPOOL_IOC_TRIM; @trimmed gets the bytes. */
	int (*trim)(struct bufpool_provider *provider, __u64 min_size,
		    __u64 *trimmed);

	int (*stats)(struct bufpool_provider *provider,
		     struct bufpool_stats *stats);

	/*
	 * Undo what info has mapped, before close; not in a child of fork().
	 * May be NULL.
	 */
	void (*unmap)(struct bufpool_provider *provider);

	/* In a child of fork() too. */
	void (*close)(struct bufpool_provider *provider);
};

struct bufpool_private;

struct bufpool_provider {
	const struct bufpool_provider_ops *ops;
	int fd;					/* or -errno: there is none */
	bool shared;				/* close() may leave blocks rented */
	const struct bufpool_status *status;	/* never NULL; aligned to 8 bytes */
	struct bufpool_private *private;	/* in provider_private.c */
};

/* Give blocks back, whatever some of them have become meanwhile. */
void bufpool_provider_give(struct bufpool_provider *provider,
			   const __u64 *handles, unsigned int count);

/* The kernel's pool by a descriptor of its device, which close() closes. */
void bufpool_provider_kernel_init(struct bufpool_provider *provider, int fd);

/*
 * A new pool of this process alone. 0 or -errno: -EINVAL where the environment
 * says nonsense
 */
int bufpool_provider_private_init(struct bufpool_provider *provider);

#endif /* BUFPOOL_PROVIDER_H */
