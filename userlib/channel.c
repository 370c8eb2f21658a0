// SPDX-License-Identifier: MIT
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "batch.h"
#include "call.h"

static_assert(BUFPOOL_SEND_NONBLOCK == BUFPOOL_RECEIVE_NONBLOCK, "one flag for both");

/* Parcels as the caller was compiled, all of one size */
struct parcels {
	char *first;
	size_t size;
};

/* What the provider is told of a call: to it 0 is for ever, and a flag says not to wait. */
struct transfer {
	int end;
	unsigned int flags;
	__s64 timeout_ns;
};

static int check_parcels(struct parcels *parcels, const void *first, unsigned int count)
{
	int ret = bufpool_check_many(first, count);

	if (ret)
		return ret;
	parcels->first = (char *)first;
	parcels->size = ((const struct bufpool_parcel *)first)->size;
	if (parcels->size < sizeof(struct bufpool_parcel) ||
	    parcels->size % sizeof(parcels->size))
		return -EINVAL;
	return parcels->size > BUFPOOL_CALL_STRUCT_MAX ? -E2BIG : 0;
}

static struct bufpool_parcel *parcel_at(const struct parcels *parcels, unsigned int nr)
{
	return (struct bufpool_parcel *)(parcels->first + nr * parcels->size);
}

static int check_transfer(struct transfer *transfer, int end, unsigned int flags,
			  int64_t timeout_ns)
{
	*transfer = (struct transfer){
		.end = end,
		.flags = flags | (timeout_ns ? 0 : BUFPOOL_SEND_NONBLOCK),
		.timeout_ns = timeout_ns == BUFPOOL_FOREVER ? 0 : timeout_ns,
	};
	return timeout_ns < BUFPOOL_FOREVER ? -EINVAL : 0;
}

/* What the program is told that asked for @flags and @timeout_ns */
static int result_of(int ret, unsigned int flags, int64_t timeout_ns)
{
	return ret == -EAGAIN && !timeout_ns && !(flags & BUFPOOL_SEND_NONBLOCK) ?
	       -ETIMEDOUT : ret;
}

/* Making ------------------------------------------------------------------------- */

static int make(struct bufpool *pool, unsigned int capacity, int *ends)
{
	struct bufpool_provider *provider = &pool->provider;

	if (!ends)
		return -EINVAL;
	if (!provider->ops->channel)
		return -EOPNOTSUPP;
	return provider->ops->channel(provider, capacity, ends);
}

int bufpool_channel(struct bufpool *pool, unsigned int capacity, int ends[2])
{
	int ret = bufpool_call_begin(pool, NULL);

	return ret ? ret : bufpool_call_end(make(pool, capacity, ends));
}

/* Sending ------------------------------------------------------------------------ */

/* Whether there is nothing in a parcel but what this version knows */
static bool is_known(const struct bufpool_parcel *parcel)
{
	const char *at = (const char *)(parcel + 1), *end = (const char *)parcel + parcel->size;

	while (at < end && !*at)
		at++;
	return at == end;
}

static int add_parcel(struct bufpool *pool, const struct parcels *parcels, unsigned int nr,
		      struct bufpool_batch *batch, struct bufpool_message *message)
{
	const struct bufpool_parcel *parcel = parcel_at(parcels, nr);
	int ret;

	if (parcel->size != parcels->size)
		return -EINVAL;
	if (!is_known(parcel))
		return -E2BIG;
	ret = bufpool_batch_add(pool, batch, parcel->block);
	if (ret)
		return ret;
	*message = (struct bufpool_message){
		.handle = batch->handles[batch->count - 1],
		.used = parcel->used,
		.tag = parcel->tag,
	};
	return 0;
}

/* Return: how many the channel has, or -errno; the others are held as before */
static int send_batch(struct bufpool *pool, const struct transfer *transfer,
		      struct bufpool_batch *batch, const struct bufpool_message *messages)
{
	struct bufpool_provider *provider = &pool->provider;
	unsigned int done, i;
	int ret;

	bufpool_batch_end(pool, batch);
	ret = provider->ops->send(provider, transfer->end, messages, batch->count,
				  transfer->flags, transfer->timeout_ns);
	done = bufpool_batch_settle(pool, batch, ret);
	for (i = 0; i < done && pool->is_strict; i++)
		bufpool_quarantine_add(&pool->quarantine, batch->handles[i]);
	return ret;
}

/* Return: how many the channel has, up to BUFPOOL_MANY_MAX, or -errno */
static int send_parcels(struct bufpool *pool, struct bufpool_cache *cache,
			const struct transfer *transfer, const struct parcels *parcels,
			unsigned int from, unsigned int count)
{
	struct bufpool_message messages[BUFPOOL_MANY_MAX];
	struct bufpool_batch batch;
	int ret = 0;

	batch.count = 0;
	while (!ret && batch.count < count)
		ret = add_parcel(pool, parcels, from + batch.count, &batch,
				 &messages[batch.count]);
	if (!batch.count)
		return ret;
	if (!pool->provider.ops->send)
		return -EOPNOTSUPP;
	ret = bufpool_batch_claim(pool, cache, &batch);
	return ret ? ret : send_batch(pool, transfer, &batch, messages);
}

/* Waits for the first of them only. Return: how many, or -errno */
static int send_all(struct bufpool *pool, struct bufpool_cache *cache,
		    struct transfer *transfer, const struct parcels *parcels,
		    unsigned int count)
{
	unsigned int done = 0, batch;
	int ret;

	do {
		batch = bufpool_batch_size(count - done);
		ret = send_parcels(pool, cache, transfer, parcels, done, batch);
		if (ret > 0)
			done += ret;
		transfer->flags |= BUFPOOL_SEND_NONBLOCK;
	} while (ret == (int)batch && done < count);
	return done ? (int)done : ret;
}

int bufpool_send_many(struct bufpool *pool, int end, const struct bufpool_parcel *parcels,
		      unsigned int count, unsigned int flags, int64_t timeout_ns)
{
	struct bufpool_cache *cache;
	struct transfer transfer;
	struct parcels all;
	int ret;

	ret = bufpool_call_begin(pool, &cache);
	if (ret)
		return ret;
	ret = check_parcels(&all, parcels, count) ?:
	      check_transfer(&transfer, end, flags, timeout_ns) ?:
	      send_all(pool, cache, &transfer, &all, count);
	return bufpool_call_end(result_of(ret, flags, timeout_ns));
}

int bufpool_send_timed(struct bufpool *pool, int end, const struct bufpool_parcel *parcel,
		       unsigned int flags, int64_t timeout_ns)
{
	int ret = bufpool_send_many(pool, end, parcel, 1, flags, timeout_ns);

	return ret < 0 ? ret : 0;
}

int bufpool_send(struct bufpool *pool, int end, const struct bufpool_parcel *parcel,
		 unsigned int flags)
{
	return bufpool_send_timed(pool, end, parcel, flags, BUFPOOL_FOREVER);
}

/* Receiving ---------------------------------------------------------------------- */

static int make_room_in(struct bufpool *pool, unsigned int nr, __u64 limit)
{
	const struct bufpool_class *class = bufpool_window_class(&pool->window, nr);
	__u64 length = limit < class->span ? limit : class->span;

	length &= ~(__u64)(class->block_size - 1);
	if (!length)
		return 0;
	if (length > SIZE_MAX / 2)
		return -ENOMEM;
	return bufpool_window_grow(&pool->window, nr, length) ?:
	       bufpool_rentals_provide(&pool->rentals, nr, length);
}

/*
 * A message cannot be put back, so there are addresses and entries for whatever block may
 * come before the first is received. (Where the limit is raised later, there are more when
 * they are needed, as for rents.)
 */
static int make_room(struct bufpool *pool)
{
	struct bufpool_info info;
	unsigned int class;
	int ret;

	if (__atomic_load_n(&pool->has_room, __ATOMIC_ACQUIRE))
		return 0;
	ret = pool->provider.ops->info(&pool->provider, &info);
	for (class = 0; !ret && class < pool->classes.count; class++)
		ret = make_room_in(pool, class, info.limit);
	if (!ret)
		__atomic_store_n(&pool->has_room, true, __ATOMIC_RELEASE);
	return ret;
}

static int check_sizes(const struct parcels *parcels, unsigned int from, unsigned int count)
{
	for (; count; from++, count--)
		if (parcel_at(parcels, from)->size != parcels->size)
			return -EINVAL;
	return 0;
}

/* 0, or -ENOMEM */
static int accept_message(struct bufpool *pool, const struct bufpool_cache *cache,
			  const struct bufpool_message *message, const struct parcels *parcels,
			  unsigned int nr)
{
	struct bufpool_parcel *parcel = parcel_at(parcels, nr);
	struct bufpool_place place;
	size_t length;
	int ret;

	ret = bufpool_pool_accept(pool, message->handle, message->offset,
				  bufpool_state(BUFPOOL_HELD, cache ? cache->nr : 0), &place);
	if (ret)
		return ret;
	length = bufpool_window_block_size(&pool->window, place.class);
	bufpool_watch_rent(&pool->watch, &place, length);
	memset(parcel, 0, parcels->size);
	*parcel = (struct bufpool_parcel){
		.size = parcels->size,
		.block = bufpool_window_address(&pool->window, &place),
		.used = message->used,
		.tag = message->tag,
		.length = length,
	};
	return 0;
}

/* Return: how many, up to BUFPOOL_MANY_MAX; 0 at the end of all; or -errno */
static int receive_parcels(struct bufpool *pool, const struct bufpool_cache *cache,
			   const struct transfer *transfer, const struct parcels *parcels,
			   unsigned int from, unsigned int count)
{
	struct bufpool_provider *provider = &pool->provider;
	struct bufpool_message messages[BUFPOOL_MANY_MAX];
	int ret = check_sizes(parcels, from, count), i, accepted = 0;

	if (ret)
		return ret;
	ret = provider->ops->receive(provider, transfer->end, messages, count,
				     transfer->flags, transfer->timeout_ns);
	for (i = 0; i < ret; i++)
		if (!accept_message(pool, cache, &messages[i], parcels, from + accepted))
			accepted++;
	return ret > 0 && !accepted ? -ENOMEM : ret < 0 ? ret : accepted;
}

/* As send_all() */
static int receive_all(struct bufpool *pool, const struct bufpool_cache *cache,
		       struct transfer *transfer, const struct parcels *parcels,
		       unsigned int count)
{
	unsigned int done = 0, batch;
	int ret;

	if (!pool->provider.ops->receive)
		return -EOPNOTSUPP;
	ret = make_room(pool);
	if (ret)
		return ret;
	do {
		batch = bufpool_batch_size(count - done);
		ret = receive_parcels(pool, cache, transfer, parcels, done, batch);
		if (ret > 0)
			done += ret;
		transfer->flags |= BUFPOOL_RECEIVE_NONBLOCK;
	} while (ret == (int)batch && done < count);
	return done ? (int)done : ret;
}

int bufpool_receive_many(struct bufpool *pool, int end, struct bufpool_parcel *parcels,
			 unsigned int count, unsigned int flags, int64_t timeout_ns)
{
	struct bufpool_cache *cache;
	struct transfer transfer;
	struct parcels all;
	int ret;

	ret = bufpool_call_begin(pool, &cache);
	if (ret)
		return ret;
	ret = check_parcels(&all, parcels, count) ?:
	      check_transfer(&transfer, end, flags, timeout_ns) ?:
	      receive_all(pool, cache, &transfer, &all, count);
	return bufpool_call_end(result_of(ret, flags, timeout_ns));
}

int bufpool_receive_timed(struct bufpool *pool, int end, struct bufpool_parcel *parcel,
			  unsigned int flags, int64_t timeout_ns)
{
	return bufpool_receive_many(pool, end, parcel, 1, flags, timeout_ns);
}

int bufpool_receive(struct bufpool *pool, int end, struct bufpool_parcel *parcel,
		    unsigned int flags)
{
	return bufpool_receive_timed(pool, end, parcel, flags, BUFPOOL_FOREVER);
}
