// SPDX-License-Identifier: MIT
#include <unistd.h>

#include "guard.h"
#include "stamp.h"

/* Pages of a large block that have stamps; the same ones for each length. */
#define STAMPED_PAGES	6

static __u64 page_size(void)
{
	static __u64 size;

	if (!size)
		size = sysconf(_SC_PAGESIZE);
	return size;
}

static __u64 stride(__u64 length)
{
	__u64 pages = length / page_size();

	return (pages <= STAMPED_PAGES ? 1 : pages / STAMPED_PAGES) * page_size();
}

static void write_at(const char *at, const struct stamp *stamp)
{
	struct stamp *to = (struct stamp *)at;

	__atomic_store_n(&to->id, stamp->id, __ATOMIC_RELAXED);
	__atomic_store_n(&to->handle, stamp->handle, __ATOMIC_RELAXED);
}

static void put(void *arg)
{
	const struct stamp_look *look = arg;
	__u64 page;

	for (page = 0; page < look->length; page += stride(look->length)) {
		write_at(look->at + page, &look->found);
		write_at(look->at + page + page_size() - sizeof(struct stamp), &look->found);
	}
}

/* The signal that this raised, or 0. */
int stamp_put(char *at, __u64 length, __u64 id, __u64 handle)
{
	struct stamp_look look = {
		.at = at,
		.length = length,
		.found = { id, handle },
	};

	return guard(put, &look);
}

static bool is_right(struct stamp_look *look, __u64 where)
{
	const struct stamp *stamp = (const struct stamp *)(look->at + where);

	if (where < look->from || where + sizeof(*stamp) > look->to)
		return true;
	look->found.id = __atomic_load_n(&stamp->id, __ATOMIC_RELAXED);
	look->found.handle = __atomic_load_n(&stamp->handle, __ATOMIC_RELAXED);
	look->where = where;
	if (look->or_zero && !look->found.id && !look->found.handle)
		return true;
	return look->found.id == look->id &&
	       (!look->handle || look->found.handle == look->handle);
}

static void look_at_all(void *arg)
{
	struct stamp_look *look = arg;
	__u64 page;

	for (page = 0; page < look->length; page += stride(look->length)) {
		if (!is_right(look, page) ||
		    !is_right(look, page + page_size() - sizeof(struct stamp)))
			return;
	}
	look->where = ~0ULL;
}

enum stamp_verdict stamp_look(struct stamp_look *look)
{
	if (guard(look_at_all, look))
		return STAMP_FAULTED;
	return look->where == ~0ULL ? STAMP_FINE : STAMP_FOREIGN;
}
