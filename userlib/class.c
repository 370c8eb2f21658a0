// SPDX-License-Identifier: MIT
#include <errno.h>

#include "class.h"

static void add_class(struct bufpool_classes *classes,
		      const struct bufpool_class_info *info)
{
	struct bufpool_class *class = &classes->of[classes->count++];
	struct bufpool_sizes *sizes = &classes->sizes[info->backing];

	*class = (struct bufpool_class){
		.block_size = info->block_size,
		.offset = info->offset,
		.span = info->span,
		.shift = __builtin_ctzll(info->block_size),
		.nr = info->nr,
		.is_pooled = info->properties & BUFPOOL_CLASS_POOLED &&
			     info->block_size <= BUFPOOL_KEPT_BLOCK_MAX,
	};
	sizes->largest = class->block_size;
	if (class->is_pooled)
		sizes->max_pooled = class->block_size;
	if (!classes->span || class->span < classes->span)
		classes->span = class->span;
}

static void add_backing(struct bufpool_classes *classes, unsigned int backing,
			const struct bufpool_class_info *infos, unsigned int nr_classes)
{
	unsigned int nr;

	for (nr = 0; nr < nr_classes; nr++)
		if (infos[nr].backing == backing)
			add_class(classes, &infos[nr]);
}

/* Of one backing, which has the classes from @class up to @end */
static void fill_orders(struct bufpool_classes *classes, unsigned int backing,
			unsigned int class, unsigned int end)
{
	unsigned int order;

	for (order = 0; order < BUFPOOL_ORDERS; order++) {
		while (class < end && classes->of[class].shift < order)
			class++;
		classes->sizes[backing].for_order[order] = class < end ? class : classes->count;
	}
}

int bufpool_classes_init(struct bufpool_classes *classes,
			 struct bufpool_provider *provider,
			 unsigned int nr_classes)
{
	struct bufpool_class_info infos[BUFPOOL_CLASSES_MAX];
	unsigned int nr;
	int ret;

	*classes = (struct bufpool_classes){ 0 };
	if (nr_classes > BUFPOOL_CLASSES_MAX)
		nr_classes = BUFPOOL_CLASSES_MAX;
	for (nr = 0; nr < nr_classes; nr++) {
		infos[nr] = (struct bufpool_class_info){ .size = sizeof(*infos), .nr = nr };
		ret = provider->ops->describe(provider, &infos[nr]);
		if (ret)
			return ret;
	}
	add_backing(classes, BUFPOOL_BACKING_SLAB, infos, nr_classes);
	classes->nr_slab = classes->count;
	if (!classes->nr_slab)
		return -ENOTTY;
	add_backing(classes, BUFPOOL_BACKING_PAGES, infos, nr_classes);
	fill_orders(classes, BUFPOOL_BACKING_SLAB, 0, classes->nr_slab);
	fill_orders(classes, BUFPOOL_BACKING_PAGES, classes->nr_slab, classes->count);
	return 0;
}

int bufpool_classes_find(const struct bufpool_classes *classes, unsigned int backing,
			 size_t size, unsigned int *class)
{
	const struct bufpool_sizes *sizes = &classes->sizes[backing];

	if (!size || !sizes->largest)
		return -EINVAL;
	if (size > sizes->largest)
		return -EMSGSIZE;
	*class = bufpool_classes_for(classes, backing, size);
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
