// SPDX-License-Identifier: MIT
#include <sys/mman.h>

#include "provider.h"
#include "reserve.h"

void bufpool_provider_map_stacks(struct bufpool_provider *provider,
				 const struct bufpool_info *info)
{
	size_t most = ((size_t)4 << BUFPOOL_SPACE_SHIFT) / info->page_size;
	unsigned int count = BUFPOOL_SETS_MAX * info->nr_classes;
	void *stacks;

	provider->page_size = info->page_size;
	provider->nr_classes = info->nr_classes;
	if (!(info->features & BUFPOOL_FEATURE_STACKS))
		return;
	if (count > info->nr_stacks)
		count = info->nr_stacks;
	/* more threads than these serve have no room for their own stacks */
	if (count > most)
		count = most;
	while (count && bufpool_reserve(count * provider->page_size,
					provider->page_size, &stacks))
		count /= 2;
	if (!count)
		return;
	if (provider->ops->map_stacks(provider, stacks, count, info)) {
		munmap(stacks, count * provider->page_size);
		return;
	}
	provider->stacks = stacks;
	provider->nr_stacks = count;
}

void bufpool_provider_unmap_stacks(struct bufpool_provider *provider)
{
	if (provider->nr_stacks)
		munmap(provider->stacks, provider->nr_stacks * provider->page_size);
}

void bufpool_provider_give(struct bufpool_provider *provider,
			   const __u64 *handles, unsigned int count)
{
	unsigned int done;
	int ret;

	for (done = 0; done < count; done += ret) {
		ret = provider->ops->return_many(provider, handles + done,
						 count - done, 0);
		/* Returned already, by another process: nothing is left to do. */
		if (ret < 0)
			ret = 1;
	}
}
