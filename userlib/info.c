// SPDX-License-Identifier: MIT
#include <errno.h>

#include "call.h"

/* As the kernel has it: the first versions ended here. */
#define INFO_LEAST	offsetof(struct bufpool_info, status_offset)
#define CLASS_LEAST	sizeof(struct bufpool_class_info)

int bufpool_info(struct bufpool *pool, struct bufpool_info *info)
{
	struct bufpool_info all;
	int ret = bufpool_call_begin(pool, NULL);

	if (ret)
		return ret;
	ret = pool->provider.ops->info(&pool->provider, &all);
	if (!ret)
		ret = bufpool_call_reply(info, &all, sizeof(all), INFO_LEAST);
	return bufpool_call_end(ret);
}

int bufpool_class(struct bufpool *pool, unsigned int nr,
		  struct bufpool_class_info *class_info)
{
	struct bufpool_class_info all = { .size = sizeof(all), .nr = nr };
	int ret = bufpool_call_begin(pool, NULL);

	if (ret)
		return ret;
	ret = -EINVAL;
	if (nr < pool->provider.nr_classes)
		ret = pool->provider.ops->describe(&pool->provider, &all);
	if (!ret)
		ret = bufpool_call_reply(class_info, &all, sizeof(all), CLASS_LEAST);
	return bufpool_call_end(ret);
}
