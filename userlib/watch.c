// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "longer.h"
#include "watch.h"

#if __has_include("valgrind/memcheck.h")
#include <valgrind/memcheck.h>
#else
static int nobody(const void *start, size_t length)
{
	(void)start;
	(void)length;
	return 0;
}

#define VALGRIND_MAKE_MEM_NOACCESS	nobody
#define VALGRIND_MAKE_MEM_DEFINED	nobody
#endif

/* They are there in a program that is built with the sanitizer. */
void __asan_poison_memory_region(const void *start, size_t length)
	__attribute__((weak));
void __asan_unpoison_memory_region(const void *start, size_t length)
	__attribute__((weak));

/* Not in another of valgrind's tools */
static bool is_in_memcheck(void)
{
	char any = 0;

	return VALGRIND_MAKE_MEM_DEFINED(&any, sizeof(any));
}

static bool is_wanted(void)
{
	const char *wish = secure_getenv("BUFPOOL_WATCH");

	if (wish && !strcmp(wish, "0"))
		return false;
	return __asan_poison_memory_region || is_in_memcheck();
}

void bufpool_watch_init(struct bufpool_watch *watch, const struct bufpool_rentals *rentals)
{
	pthread_mutex_init(&watch->lock, NULL);
	watch->rentals = rentals;
	watch->is_on = is_wanted();
}

static void forbid(const void *start, size_t length)
{
	if (__asan_poison_memory_region)
		__asan_poison_memory_region(start, length);
	VALGRIND_MAKE_MEM_NOACCESS(start, length);
}

/* A block that is rented has contents, if it be the program's own of before. */
void bufpool_watch_allow(const void *start, size_t length)
{
	if (__asan_unpoison_memory_region)
		__asan_unpoison_memory_region(start, length);
	VALGRIND_MAKE_MEM_DEFINED(start, length);
}

/* Tokens --------------------------------------------------------------------- */

/* Where a block's token is, or NULL where there is no memory for it */
static uintptr_t *token_at(struct bufpool_watch *watch, const struct bufpool_place *place)
{
	struct bufpool_watch_class *of = &watch->of[place->class];
	size_t room = of->room ? of->room : 64;
	uintptr_t *old = of->tokens, *longer;

	if (place->index >= of->room) {
		while (room <= place->index)
			room *= 2;
		longer = bufpool_longer(old, of->room * sizeof(*old), room * sizeof(*old));
		if (!longer)
			return NULL;
		of->tokens = longer;
		of->room = room;
		bufpool_free_shorter(old);
	}
	return &of->tokens[place->index];
}

static void make_token(struct bufpool_watch *watch, const struct bufpool_place *place,
		       size_t size)
{
	uintptr_t *at;

	pthread_mutex_lock(&watch->lock);
	at = token_at(watch, place);
	if (at)
		*at = ~(uintptr_t)malloc(size);
	pthread_mutex_unlock(&watch->lock);
}

static void free_token(struct bufpool_watch_class *of, size_t index)
{
	if (index >= of->room || !of->tokens[index])
		return;
	free((void *)~of->tokens[index]);
	of->tokens[index] = 0;
}

/* Blocks --------------------------------------------------------------------- */

static char *address_of(const struct bufpool_watch *watch, const struct bufpool_place *place)
{
	return bufpool_window_address(watch->rentals->window, place);
}

static size_t size_of(const struct bufpool_watch *watch, const struct bufpool_place *place)
{
	return bufpool_window_block_size(watch->rentals->window, place->class);
}

void bufpool_watch_rent(struct bufpool_watch *watch, const struct bufpool_place *place,
			size_t asked)
{
	if (!watch->is_on)
		return;
	bufpool_watch_allow(address_of(watch, place), asked);
	forbid(address_of(watch, place) + asked, size_of(watch, place) - asked);
	make_token(watch, place, asked);
}

void bufpool_watch_open(const struct bufpool_watch *watch, const struct bufpool_place *place)
{
	if (watch->is_on)
		bufpool_watch_allow(address_of(watch, place), size_of(watch, place));
}

void bufpool_watch_return(struct bufpool_watch *watch, const struct bufpool_place *place)
{
	if (!watch->is_on)
		return;
	forbid(address_of(watch, place), size_of(watch, place));
	pthread_mutex_lock(&watch->lock);
	free_token(&watch->of[place->class], place->index);
	pthread_mutex_unlock(&watch->lock);
}

static void forget_class(struct bufpool_watch *watch, unsigned int class)
{
	size_t mapped = bufpool_window_mapped(watch->rentals->window, class);
	struct bufpool_place place = { .class = class };

	/* one of pages has no addresses before its first block */
	if (!mapped)
		return;
	bufpool_watch_allow(address_of(watch, &place), mapped);
	for (; place.index < watch->of[class].room; place.index++)
		free_token(&watch->of[class], place.index);
	free(watch->of[class].tokens);
}

void bufpool_watch_destroy(struct bufpool_watch *watch)
{
	unsigned int class;

	for (class = 0; watch->is_on && class < watch->rentals->window->classes->count; class++)
		forget_class(watch, class);
}
