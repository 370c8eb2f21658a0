// SPDX-License-Identifier: MIT
#include <errno.h>

#include "class.h"

static bool is_known(const struct bufpool_class_info *info)
{
	return info->backing == BUFPOOL_BACKING_SLAB;
}

static void add_class(struct bufpool_classes *classes,
		      const struct bufpool_class_info *info)
{
	struct bufpool_class *class = &classes->of[classes->count++];

	*class = (struct bufpool_class){
		.block_size = info->block_size,
		.offset = info->offset,
		.span = info->span,
		.shift = __builtin_ctzll(info->block_size),
		.nr = info->nr,
		.is_pooled = info->properties & BUFPOOL_CLASS_POOLED,
	};
	if (class->is_pooled)
		classes->max_pooled = class->block_size;
	if (!classes->span || class->span < classes->span)
		classes->span = class->span;
}

static void fill_orders(struct bufpool_classes *classes)
{
	unsigned int order, class = 0;

	for (order = 0; order < BUFPOOL_ORDERS; order++) {
		while (class < classes->count && classes->of[class].shift < order)
			class++;
		classes->for_order[order] = class;
	}
}

int bufpool_classes_init(struct bufpool_classes *classes,
			 struct bufpool_provider *provider,
			 unsigned int nr_classes)
{
	unsigned int nr;
	int ret;

	*classes = (struct bufpool_classes){ 0 };
	for (nr = 0; nr < nr_classes && nr < BUFPOOL_CLASSES_MAX; nr++) {
		struct bufpool_class_info info = { .size = sizeof(info), .nr = nr };

		ret = provider->ops->describe(provider, &info);
		if (ret)
			return ret;
		if (is_known(&info))
			add_class(classes, &info);
	}
	if (!classes->count)
		return -ENOTTY;
	fill_orders(classes);
	return 0;
}

unsigned int bufpool_classes_at(const struct bufpool_classes *classes,
				__u64 offset)
{
	const struct bufpool_class *class = classes->of;
	unsigned int i;

	for (i = 0; i < classes->count; i++, class++)
		if (offset - class->offset < class->span)
			break;
	return i;
}
