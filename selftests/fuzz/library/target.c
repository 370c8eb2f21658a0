// SPDX-License-Identifier: MIT
/*
 * What the environment of a program, and the sizes, pointers and handles that it gives, can do
 * to libbufpool: a target of libFuzzer, on private pools.
 *
 * An input is the environment that a pool is opened in, and then calls, one byte for each
 * and its arguments behind it. What each may say follows from what is rented; what is rented
 * keeps what was written into it, and at the end nothing is.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bufpool.h>
#include <linux/bufpool.h>

#include "handle.h"
#include "pool.h"

#define CALLS_MOST	64
#define HELD_MOST	128
#define MANY		70
#define MIB		(1024ULL * 1024)
#define PAGE		((uint64_t)sysconf(_SC_PAGESIZE))
#define KNOWN_RETURN	(BUFPOOL_RETURN_CLEAR | BUFPOOL_RETURN_REVOKE)

#define CHECK(condition)								\
do {											\
	if (!(condition)) {								\
		fprintf(stderr, "%s:%d: not true: %s (errno %d)\n", __FILE__, __LINE__,	\
			#condition, errno);						\
		abort();								\
	}										\
} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input ------------------------------------------------------------------------- */

struct input {
	const uint8_t *at;
	const uint8_t *end;
};

static bool is_over(const struct input *input)
{
	return input->at == input->end;
}

/* The next bytes as a number; 0 where there are none any more */
static uint64_t take(struct input *input, unsigned int bytes)
{
	uint64_t value = 0;

	while (bytes-- && !is_over(input))
		value = value << 8 | *input->at++;
	return value;
}

/* Small ones, those around a power of two, or any */
static uint64_t take_number(struct input *input)
{
	unsigned int form = take(input, 1);

	if (form < 64)
		return form;
	if (form < 192)
		return (1ULL << form % 64) + (form / 64 - 1) - 1;
	return take(input, 1 + form % 8);
}

/* Up to a zero byte, or as much as there is room for */
static void take_text(struct input *input, char *text, size_t room)
{
	while (--room && !is_over(input) && *input->at)
		*text++ = *input->at++;
	*text = '\0';
	if (!is_over(input))
		input->at++;
}

/* The environment ------------------------------------------------------------------- */

#define TEXT_MOST	32

/* A variable that is there is such a string; else it has no '='. */
struct variable {
	const char *name;
	char string[TEXT_MOST + 32];
	const char *text;		/* NULL: it is not there */
};

static struct variable limit = { .name = "BUFPOOL_PRIVATE_LIMIT" };
static struct variable provider = { .name = "BUFPOOL_PROVIDER" };
static struct variable strict = { .name = "BUFPOOL_STRICT" };
static struct variable watch = { .name = "BUFPOOL_WATCH" };

static void set_variable(struct variable *variable, const char *text)
{
	int length;

	unsetenv(variable->name);
	variable->text = NULL;
	if (!text)
		return;
	length = snprintf(variable->string, sizeof(variable->string), "%s=%s", variable->name,
			  text);
	CHECK(length < (int)sizeof(variable->string));
	putenv(variable->string);
	variable->text = variable->string + strlen(variable->name) + 1;
}

static void take_variable(struct input *input, struct variable *variable, bool is_there)
{
	char text[TEXT_MOST];

	if (is_there)
		take_text(input, text, sizeof(text));
	set_variable(variable, is_there ? text : NULL);
}

/* 1024 for each letter up to this one; 0 for any other */
static uint64_t unit_of(char letter)
{
	return letter == 'K' ? 1024 : letter == 'M' ? MIB : letter == 'G' ? 1024 * MIB : 0;
}

/* What the manual says of BUFPOOL_PRIVATE_LIMIT; 0 where it is no limit */
static uint64_t limit_of(const char *text)
{
	uint64_t bytes = 0, most = PAGE << BUFPOOL_HANDLE_INDEX_BITS;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(bytes, 10, &bytes) ||
		    __builtin_add_overflow(bytes, *at - '0', &bytes))
			return 0;
	if (at == text || (*at && (at[1] || !unit_of(*at))))
		return 0;
	if (*at && __builtin_mul_overflow(bytes, unit_of(*at), &bytes))
		return 0;
	if (bytes < PAGE)
		return 0;
	return bytes < most ? bytes : most;
}

/* A pool that is watched tells of every address that it has mapped: of few then. */
static void bound_what_is_watched(void)
{
	if (limit.text && limit_of(limit.text) <= 16 * MIB)
		return;
	set_variable(&watch, "0");
}

static void take_environment(struct input *input)
{
	unsigned int are_there = take(input, 1);

	take_variable(input, &limit, are_there & 1);
	take_variable(input, &provider, are_there & 2);
	take_variable(input, &strict, are_there & 4);
	set_variable(&watch, are_there & 8 ? "0" : NULL);
	bound_what_is_watched();
}

/* Only the private pool: there may be a device here. */
static struct bufpool *open_pool(void)
{
	bool is_asked = provider.text && strcmp(provider.text, "kernel");
	bool is_good = !is_asked || !strcmp(provider.text, "private");
	struct bufpool_info info = { .size = sizeof(info) };
	struct bufpool *pool;

	errno = 0;
	pool = bufpool_open(NULL, is_asked ? 0 : BUFPOOL_OPEN_PRIVATE);
	if (!is_good || (limit.text && !limit_of(limit.text))) {
		CHECK(!pool && errno == EINVAL);
		return NULL;
	}
	/* there may be no addresses */
	CHECK(pool || errno == ENOMEM);
	if (pool) {
		CHECK(!bufpool_info(pool, &info));
		CHECK(!limit.text || info.limit == limit_of(limit.text));
	}
	return pool;
}

/* What is rented -------------------------------------------------------------------- */

struct held {
	char *block;
	size_t size;
};

struct program {
	struct bufpool *pool;
	struct held held[HELD_MOST];
	unsigned int count;
};

static uint64_t stamp_of(const struct held *held)
{
	return (uintptr_t)held->block ^ 0x5a5a5a5a5a5a5a5a;
}

static void stamp(const struct held *held)
{
	uint64_t value = stamp_of(held);

	memcpy(held->block, &value, sizeof(value));
	memcpy(held->block + held->size - sizeof(value), &value, sizeof(value));
}

static bool is_stamped(const struct held *held)
{
	uint64_t value = stamp_of(held);

	return !memcmp(held->block, &value, sizeof(value)) &&
	       !memcmp(held->block + held->size - sizeof(value), &value, sizeof(value));
}

/* NULL where no block that is held begins there */
static struct held *find_held(struct program *program, const void *block)
{
	unsigned int i;

	for (i = 0; i < program->count; i++)
		if (program->held[i].block == block)
			return &program->held[i];
	return NULL;
}

static void check_apart(const struct program *program, const struct held *held)
{
	unsigned int i;

	for (i = 0; i < program->count; i++) {
		const struct held *other = &program->held[i];

		CHECK(held->block + held->size <= other->block ||
		      other->block + other->size <= held->block);
	}
}

static void add_held(struct program *program, void *block, uint64_t least, bool is_zero)
{
	struct held held = { .block = block };

	held.size = bufpool_block_size(program->pool, block);
	CHECK(held.size >= least && !(held.size & (held.size - 1)));
	CHECK(!((uintptr_t)block & (held.size - 1)));
	CHECK(!is_zero || (!held.block[0] && !held.block[held.size - 1]));
	check_apart(program, &held);
	stamp(&held);
	if (program->count == HELD_MOST) {
		CHECK(!bufpool_return(program->pool, block, 0));
		return;
	}
	program->held[program->count++] = held;
}

static void remove_held(struct program *program, struct held *held)
{
	*held = program->held[--program->count];
}

static bool is_rent_error(int error)
{
	return error == EINVAL || error == EMSGSIZE || error == EAGAIN || error == EDQUOT ||
	       error == ENOMEM || error == ETIMEDOUT;
}

static bool is_block_error(int ret)
{
	return ret == -EINVAL || ret == -ENOENT || ret == -ESTALE;
}

/* Something that is a block, or close to one, or anything */
static char *take_pointer(struct input *input, const struct program *program)
{
	unsigned int form = take(input, 1);
	uintptr_t base = 0;

	if (form < 128 && program->count)
		base = (uintptr_t)program->held[form % program->count].block;
	else if (form < 192)
		base = (uintptr_t)program->pool->window.base;
	return (char *)(base + (form & 64 ? take_number(input) : 0));
}

/* Calls ----------------------------------------------------------------------------- */

/* None waits for ever. */
static void call_rent(struct program *program, struct input *input)
{
	unsigned int flags = take_number(input) | BUFPOOL_RENT_NONBLOCK;
	uint64_t size = take_number(input);
	int64_t timeout_ns = take(input, 1) & 1 ? (int64_t)take_number(input) : BUFPOOL_FOREVER;
	void *block;

	errno = 0;
	block = bufpool_rent_timed(program->pool, size, flags, timeout_ns);
	if (block)
		add_held(program, block, size, flags & BUFPOOL_RENT_ZERO);
	else
		CHECK(is_rent_error(errno));
}

static void call_rent_many(struct program *program, struct input *input)
{
	unsigned int flags = take_number(input) | BUFPOOL_RENT_NONBLOCK;
	unsigned int count = take_number(input);
	uint64_t size = take_number(input);
	void *blocks[MANY];
	int ret, i;

	if (count > MANY && count <= INT_MAX)
		count = MANY;
	ret = bufpool_rent_many(program->pool, size, flags, blocks, count);
	CHECK(ret > 0 ? ret <= MANY : is_rent_error(-ret));
	for (i = 0; i < ret; i++)
		add_held(program, blocks[i], size, flags & BUFPOOL_RENT_ZERO);
}

static void call_return(struct program *program, struct input *input)
{
	char *block = take_pointer(input, program);
	unsigned int flags = take_number(input);
	struct held *held = find_held(program, block);
	int ret;

	CHECK(!held || is_stamped(held));
	ret = bufpool_return(program->pool, block, flags);
	if (flags & ~KNOWN_RETURN)
		CHECK(is_block_error(ret));
	else if (held)
		CHECK(!ret);
	else
		CHECK(is_block_error(ret));
	if (!ret)
		remove_held(program, held);
}

static void call_return_many(struct program *program, struct input *input)
{
	unsigned int count = take(input, 1) % MANY, i;
	unsigned int flags = take(input, 1) & KNOWN_RETURN;
	void *blocks[MANY];
	struct held *held;
	int ret;

	for (i = 0; i < count; i++)
		blocks[i] = take_pointer(input, program);
	ret = bufpool_return_many(program->pool, blocks, count, flags);
	/* those that are held, up to the first that is not, or is for the second time */
	for (i = 0; i < count && (held = find_held(program, blocks[i])); i++)
		remove_held(program, held);
	CHECK(i ? ret == (int)i : is_block_error(ret));
}

static void call_ask(struct program *program, struct input *input)
{
	char *inside = take_pointer(input, program);
	struct held *held = find_held(program, inside);
	uint64_t handle = 0, offset = 0;
	size_t size;

	size = bufpool_block_size(program->pool, inside);
	CHECK(held ? size == held->size : !size);
	CHECK(!bufpool_handle(program->pool, inside, &handle) == !!held);
	CHECK(!bufpool_offset(program->pool, inside, &offset) == !!held);
	CHECK(bufpool_handle(program->pool, inside, NULL));
	if (held) {
		CHECK(!bufpool_adopt(program->pool, handle, offset) && errno == EEXIST);
		inside += take(input, 4) % size;
		CHECK(bufpool_block_of(program->pool, inside, &size) == held->block);
		CHECK(size == held->size);
	} else {
		held = find_held(program, bufpool_block_of(program->pool, inside, &size));
		CHECK(!held || inside - held->block < (ssize_t)held->size);
	}
}

/* Whether a block that is held is at an offset; of such any handle but its own is taken. */
static bool is_held_at(struct program *program, uint64_t offset)
{
	uint64_t other;
	unsigned int i;

	for (i = 0; i < program->count; i++) {
		CHECK(!bufpool_offset(program->pool, program->held[i].block, &other));
		if (other == offset)
			return true;
	}
	return false;
}

static void call_adopt(struct program *program, struct input *input)
{
	uint64_t offset = take_number(input);
	uint64_t handle = take(input, 1) << BUFPOOL_HANDLE_GENERATION_BITS | take(input, 1);
	void *block;
	int ret;

	if (take(input, 1) & 1)
		handle = take_number(input);
	if (is_held_at(program, offset))
		return;
	errno = 0;
	block = bufpool_adopt(program->pool, handle, offset);
	if (!block) {
		CHECK(errno == EINVAL || errno == ENOMEM || errno == ESTALE || errno == EEXIST);
		return;
	}
	/* no rental: only the provider knows that */
	ret = bufpool_return(program->pool, block, 0);
	CHECK(ret == -ENOENT || ret == -ESTALE);
}

/* The calls that fill in a structure, which says how large it is */
static int call_for(struct program *program, unsigned int which, unsigned int nr, void *to)
{
	switch (which) {
	case 0:
		return bufpool_info(program->pool, to);
	case 1:
		return bufpool_class(program->pool, nr, to);
	case 2:
		return bufpool_stats(program->pool, to);
	default:
		return bufpool_counters(program->pool, to);
	}
}

static void call_tell(struct program *program, struct input *input)
{
	static unsigned char bytes[8192];
	unsigned int which = take(input, 1) % 4, nr = take_number(input);
	uint32_t size = take_number(input);
	size_t i;
	int ret;

	memset(bytes, 0x5a, sizeof(bytes));
	memcpy(bytes, &size, sizeof(size));
	ret = call_for(program, which, nr, bytes);
	CHECK(!ret || ret == -EINVAL || ret == -E2BIG);
	/* nothing of a call that fails, and nothing beyond */
	for (i = ret ? sizeof(size) : size; i < sizeof(bytes); i++)
		CHECK(bytes[i] == 0x5a);
	CHECK(!memcmp(bytes, &size, sizeof(size)));
}

static void call_trim(struct program *program, struct input *input)
{
	uint64_t trimmed;

	CHECK(!bufpool_trim(program->pool, take_number(input), &trimmed));
}

static void call_poller(struct program *program, struct input *input)
{
	uint64_t size = take_number(input);
	int fd = bufpool_poller_for(program->pool, size, take_number(input));

	if (fd >= 0)
		close(fd);
	else
		CHECK(fd == -EINVAL || fd == -EMSGSIZE);
}

/* What private pools do not have; whatever is asked */
static void call_absent(struct program *program, struct input *input)
{
	char *block = take_pointer(input, program);
	struct held *held = find_held(program, block);
	/* as long as any structure may say that it is */
	union {
		struct bufpool_parcel parcel;
		char bytes[8192];
	} room = { .parcel = { .size = take_number(input), .block = block } };
	int ends[2], ret;

	ret = bufpool_export(program->pool, block);
	CHECK(held ? ret == -EOPNOTSUPP : is_block_error(ret));
	CHECK(bufpool_channel(program->pool, take_number(input), ends) == -EOPNOTSUPP);
	ret = bufpool_send_many(program->pool, take_number(input), &room.parcel, 1, take(input, 1),
				(int64_t)take_number(input));
	CHECK(ret == -EOPNOTSUPP || ret == -E2BIG || is_block_error(ret));
	ret = bufpool_receive(program->pool, 0, &room.parcel, BUFPOOL_RECEIVE_NONBLOCK);
	CHECK(ret == -EOPNOTSUPP || ret == -EINVAL || ret == -E2BIG);
	CHECK(!held || is_stamped(held));
	CHECK(*bufpool_strerror(take_number(input)));
}

static void (*const calls[])(struct program *program, struct input *input) = {
	call_rent, call_return, call_rent_many, call_return_many, call_ask, call_adopt,
	call_tell, call_trim, call_poller, call_absent,
};

/* Together -------------------------------------------------------------------------- */

static void return_all(struct program *program)
{
	struct bufpool_stats stats = { .size = sizeof(stats) };

	while (program->count) {
		CHECK(is_stamped(program->held));
		CHECK(!bufpool_return(program->pool, program->held->block, 0));
		remove_held(program, program->held);
	}
	CHECK(!bufpool_trim(program->pool, 0, NULL));
	CHECK(!bufpool_stats(program->pool, &stats));
	CHECK(!stats.client_blocks && !stats.in_use);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, data + size };
	static struct program program;
	unsigned int count;

	take_environment(&input);
	program.pool = open_pool();
	if (!program.pool)
		return 0;
	for (count = 0; count < CALLS_MOST && !is_over(&input); count++)
		calls[take(&input, 1) % (sizeof(calls) / sizeof(*calls))](&program, &input);
	return_all(&program);
	CHECK(!bufpool_close(program.pool));
	return 0;
}
