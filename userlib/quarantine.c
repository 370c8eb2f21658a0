// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "quarantine.h"

static unsigned int room_for(size_t block_size)
{
	size_t most = BUFPOOL_QUARANTINE_BYTES / block_size;

	return most < BUFPOOL_QUARANTINE_LENGTH ? most : BUFPOOL_QUARANTINE_LENGTH;
}

void bufpool_quarantine_init(struct bufpool_quarantine *quarantine,
			     const struct bufpool_classes *classes)
{
	const struct bufpool_class *class = classes->of;

	for (; class < classes->of + classes->count; class++)
		quarantine->of[class->nr].room = room_for(class->block_size);
	pthread_mutex_init(&quarantine->renting, NULL);
	pthread_mutex_init(&quarantine->lock, NULL);
}

static struct bufpool_quarantine_class *class_of(struct bufpool_quarantine *quarantine,
						 __u64 handle)
{
	return &quarantine->of[bufpool_handle_class(handle)];
}

static __u32 block_of(__u64 handle)
{
	return handle >> BUFPOOL_HANDLE_GENERATION_BITS;
}

/* 0: it is not there; else the more, the later it was returned */
static unsigned int find(struct bufpool_quarantine *quarantine, __u64 handle)
{
	struct bufpool_quarantine_class *class = class_of(quarantine, handle);
	unsigned int at = class->count;

	while (at && class->blocks[at - 1] != block_of(handle))
		at--;
	return at;
}

static void remove_at(struct bufpool_quarantine_class *class, unsigned int at)
{
	class->count--;
	memmove(&class->blocks[at], &class->blocks[at + 1],
		(class->count - at) * sizeof(*class->blocks));
}

void bufpool_quarantine_add(struct bufpool_quarantine *quarantine, __u64 handle)
{
	struct bufpool_quarantine_class *class = class_of(quarantine, handle);

	pthread_mutex_lock(&quarantine->lock);
	if (class->count && class->count >= class->room)
		remove_at(class, 0);
	class->blocks[class->count++] = block_of(handle);
	pthread_mutex_unlock(&quarantine->lock);
}

/* Move the block that was returned longest ago, or never, to the front. */
static void choose(struct bufpool_quarantine *quarantine, struct bufpool_block *blocks,
		   unsigned int count)
{
	struct bufpool_block first = blocks[0];
	unsigned int best = 0, i;

	for (i = 1; i < count; i++)
		if (find(quarantine, blocks[i].handle) < find(quarantine, blocks[best].handle))
			best = i;
	blocks[0] = blocks[best];
	blocks[best] = first;
	i = find(quarantine, blocks[0].handle);
	if (i)
		remove_at(class_of(quarantine, blocks[0].handle), i - 1);
}

/* Not to become warm: a touch is to be noticed. */
static void give_back(struct bufpool_provider *provider, const struct bufpool_block *blocks,
		      unsigned int count)
{
	__u64 handles[BUFPOOL_MANY_MAX];
	unsigned int i;

	for (i = 0; i < count; i++)
		handles[i] = blocks[i].handle;
	if (count)
		provider->ops->return_many(provider, handles, count, BUFPOOL_RETURN_REVOKE);
}

static unsigned int count_of(struct bufpool_quarantine *quarantine, unsigned int nr)
{
	unsigned int ret;

	pthread_mutex_lock(&quarantine->lock);
	ret = quarantine->of[nr].count;
	pthread_mutex_unlock(&quarantine->lock);
	return ret;
}

/* Move the @count of @got that are to be rented to the front. */
static void choose_many(struct bufpool_quarantine *quarantine, struct bufpool_block *got,
			unsigned int nr_got, unsigned int count)
{
	unsigned int done;

	pthread_mutex_lock(&quarantine->lock);
	for (done = 0; done < count; done++)
		choose(quarantine, got + done, nr_got - done);
	pthread_mutex_unlock(&quarantine->lock);
}

/*
 * Take all that is free, as far as it may be in quarantine, and give the rest back. One
 * thread at a time: to the others nothing would be free.
 */
static int rent_free(struct bufpool_quarantine *quarantine, struct bufpool_provider *provider,
		     unsigned int nr, size_t min_size, unsigned int flags,
		     struct bufpool_block *blocks, unsigned int count)
{
	struct bufpool_block all[BUFPOOL_MANY_MAX];
	int ret;

	pthread_mutex_lock(&quarantine->renting);
	ret = provider->ops->rent_many(provider, min_size, flags | BUFPOOL_RENT_NONBLOCK, 0,
				       all, count + count_of(quarantine, nr));
	if (ret > 0) {
		if (count > (unsigned int)ret)
			count = ret;
		choose_many(quarantine, all, ret, count);
		memcpy(blocks, all, count * sizeof(*blocks));
		give_back(provider, all + count, ret - count);
		ret = count;
	}
	pthread_mutex_unlock(&quarantine->renting);
	return ret;
}

int bufpool_quarantine_rent(struct bufpool_quarantine *quarantine,
			    struct bufpool_provider *provider, unsigned int nr,
			    size_t min_size, unsigned int flags, __s64 timeout_ns,
			    struct bufpool_block *blocks, unsigned int count)
{
	int ret = rent_free(quarantine, provider, nr, min_size, flags, blocks, count);

	if (ret != -EAGAIN || flags & BUFPOOL_RENT_NONBLOCK)
		return ret;
	/* What comes back first is there for who waits. */
	ret = provider->ops->rent_many(provider, min_size, flags, timeout_ns, blocks, count);
	if (ret > 0)
		choose_many(quarantine, blocks, ret, ret);
	return ret;
}
