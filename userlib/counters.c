// SPDX-License-Identifier: MIT
#include "call.h"

static void count_kept(const struct bufpool *pool, const struct bufpool_magazine *magazines,
		       struct bufpool_counters *counters)
{
	unsigned int class, blocks;

	for (class = 0; class < pool->classes.count; class++) {
		blocks = bufpool_stack_count(bufpool_magazine_stack(&magazines[class]));
		counters->hits += bufpool_magazine_hits(&magazines[class]);
		counters->kept_blocks += blocks;
		counters->kept_bytes += (uint64_t)blocks * pool->classes.of[class].block_size;
	}
}

static void count(struct bufpool *pool, struct bufpool_counters *counters)
{
	struct bufpool_caches *caches = &pool->caches;
	unsigned int nr;

	*counters = (struct bufpool_counters){
		.misses = __atomic_load_n(&pool->misses, __ATOMIC_RELAXED),
	};
	count_kept(pool, pool->depot.magazines, counters);
	pthread_mutex_lock(&caches->lock);
	for (nr = 1; nr <= caches->nr; nr++)
		count_kept(pool, caches->all[nr]->magazines, counters);
	pthread_mutex_unlock(&caches->lock);
}

int bufpool_counters(struct bufpool *pool, struct bufpool_counters *counters)
{
	struct bufpool_counters all;
	int ret = bufpool_call_begin(pool, NULL);

	if (ret)
		return ret;
	count(pool, &all);
	ret = bufpool_call_reply(counters, &all, sizeof(all), sizeof(all));
	return bufpool_call_end(ret);
}
