// SPDX-License-Identifier: MIT
/*
 * The protocol of struct bufpool_stack and module/take.c, explored to the end: one owner,
 * whose writes leave its processor late, and one thief. In every order of their steps,
 * for all short programs of pushes and pops, each block is the owner's, the thief's or in
 * the stack, and in one of these only.
 *
 * The owner's processor keeps writes back as x86 does (they leave in order), or as arm64
 * may (in any order, but those to one place, and none before a release's predecessors).
 * Reads take what it has written itself. An interrupt has all its writes leave.
 *
 * With a part of the protocol left out, the explorer has to find a run that goes wrong.
 *
 * usage: stack_model [NR_OPS]; how long the programs are, 6
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES		8	/* as long as no program needs more, a ring is none */
#define BLOCKS		3	/* in the stack at first */
#define STEALS		2
#define BUFFER		12	/* writes that are kept back, at most */
#define TOP		ENTRIES
#define BOTTOM		(ENTRIES + 1)
#define PLACES		(ENTRIES + 2)

/* What is left out. */
enum fault {
	NONE, NO_BARRIER, NO_SECOND_LOOK, NO_CLAMP, NO_LOOK_AT_BOTTOM, NO_RELEASE, FAULTS,
};

static const char *const names[] = {
	"whole", "without the barrier", "without the thief's second look",
	"without the clamp to the old bottom", "without the owner's look at bottom",
	"without the release order of a push",
};

struct write {
	int8_t place;
	int8_t value;
	int8_t release;
};

/* One instant; compared as bytes, so unused parts are zero. */
struct state {
	int8_t memory[PLACES];
	struct write buffer[BUFFER];
	int8_t nr_buffered;
	int8_t op;		/* of the owner's program; the rest is its place in that */
	int8_t step;
	int8_t t;
	int8_t held;		/* blocks that the owner has, a bit each */
	int8_t stolen;
	int8_t thief;		/* its step */
	int8_t steals;		/* that it has begun */
	int8_t b;
	int8_t nb;
};

struct machine {
	bool weak;
	enum fault fault;
	unsigned int batch;	/* entries that the thief takes at most */
	unsigned int nr_ops;
	unsigned int program;	/* bit k: operation k is a push */
};

/* A set of states --------------------------------------------------------------- */

#define SLOTS	0x100000

static struct state *seen;
static bool *used;
static unsigned int nr_seen;
static unsigned long total;

static uint32_t hash(const struct state *state)
{
	const unsigned char *bytes = (const void *)state;
	uint32_t value = 2166136261U;
	size_t i;

	for (i = 0; i < sizeof(*state); i++)
		value = (value ^ bytes[i]) * 16777619U;
	return value;
}

/* Return: whether it was not in there */
static bool add(const struct state *state)
{
	uint32_t slot = hash(state) % SLOTS;

	for (; used[slot]; slot = (slot + 1) % SLOTS)
		if (!memcmp(&seen[slot], state, sizeof(*state)))
			return false;
	if (++nr_seen > SLOTS / 2) {
		fprintf(stderr, "stack_model: too many states; ask for shorter programs\n");
		exit(2);
	}
	used[slot] = true;
	seen[slot] = *state;
	return true;
}

/* The owner's processor ----------------------------------------------------------- */

static int8_t read_own(const struct state *state, int place)
{
	int i;

	for (i = state->nr_buffered - 1; i >= 0; i--)
		if (state->buffer[i].place == place)
			return state->buffer[i].value;
	return state->memory[place];
}

static void write_own(struct state *state, int place, int value, bool release)
{
	if (state->nr_buffered == BUFFER) {
		fprintf(stderr, "stack_model: BUFFER is too small\n");
		exit(2);
	}
	state->buffer[state->nr_buffered++] = (struct write){ place, value, release };
}

/* Whether write @nr may leave before those that were made before it. */
static bool may_leave(const struct state *state, const struct machine *machine, int nr)
{
	int i;

	if (!nr)
		return true;
	if (!machine->weak || state->buffer[nr].release)
		return false;
	for (i = 0; i < nr; i++)
		if (state->buffer[i].place == state->buffer[nr].place)
			return false;
	return true;
}

static void leave(struct state *state, int nr)
{
	state->memory[state->buffer[nr].place] = state->buffer[nr].value;
	state->nr_buffered--;
	memmove(&state->buffer[nr], &state->buffer[nr + 1],
		(state->nr_buffered - nr) * sizeof(state->buffer[0]));
	memset(&state->buffer[state->nr_buffered], 0, sizeof(state->buffer[0]));
}

/* The steps ------------------------------------------------------------------------ */

/* So that an entry seldom gets the block that it had. */
static int highest(int set)
{
	int i;

	for (i = BLOCKS - 1; !(set & 1 << i); i--)
		;
	return i;
}

static void next_op(struct state *state)
{
	state->op++;
	state->step = 0;
	state->t = 0;
}

/* Return: false where a block has two owners now */
static bool owner_gets(struct state *state, int block)
{
	int bit = 1 << block;

	if ((state->held | state->stolen) & bit)
		return false;
	state->held |= bit;
	return true;
}

static bool step_pop(struct state *state, const struct machine *machine)
{
	switch (state->step) {
	case 0:
		state->t = read_own(state, TOP) - 1;
		write_own(state, TOP, state->t, false);
		state->step = 1;
		return true;
	default:
		if (state->t < 0 || (machine->fault != NO_LOOK_AT_BOTTOM &&
				     state->t < read_own(state, BOTTOM))) {
			write_own(state, TOP, state->t + 1, false);
			next_op(state);
			return true;
		}
		if (!owner_gets(state, read_own(state, state->t)))
			return false;
		next_op(state);
		return true;
	}
}

static bool step_push(struct state *state, const struct machine *machine)
{
	int top = read_own(state, TOP), block;

	if (state->held && top < ENTRIES) {
		block = highest(state->held);
		state->held &= ~(1 << block);
		write_own(state, top, block, false);
		write_own(state, TOP, top + 1, machine->fault != NO_RELEASE);
	}
	next_op(state);
	return true;
}

static int larger(int a, int b)
{
	return a > b ? a : b;
}

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

static bool thief_takes(struct state *state)
{
	int at, bit;

	for (at = state->b; at < state->nb; at++) {
		/* without the clamp even below the first */
		bit = 1 << state->memory[at & (ENTRIES - 1)];
		if ((state->held | state->stolen) & bit)
			return false;
		state->stolen |= bit;
	}
	return true;
}

/* Steps T1 to T4 of take.c. Return: false where a block has two owners now */
static bool step_thief(struct state *state, const struct machine *machine)
{
	int top = state->memory[TOP];

	switch (state->thief) {
	case 0:
		state->steals++;
		state->b = state->memory[BOTTOM];
		state->nb = smaller(state->b + machine->batch, top);
		if (state->nb <= state->b)
			return true;
		state->memory[BOTTOM] = state->nb;
		state->thief = 1;
		return true;
	case 1:
		while (machine->fault != NO_BARRIER && state->nr_buffered)
			leave(state, 0);
		state->thief = 2;
		return true;
	case 2:
		if (machine->fault != NO_SECOND_LOOK && top < state->nb)
			state->nb = machine->fault == NO_CLAMP ? top : larger(top, state->b);
		state->memory[BOTTOM] = state->nb;
		state->thief = 3;
		return true;
	default:
		state->thief = 0;
		return thief_takes(state);
	}
}

/* Whether each block is in one place, now that both have ended. */
static bool is_whole(const struct state *state)
{
	int at, left = 0;

	for (at = state->memory[BOTTOM]; at < state->memory[TOP]; at++) {
		if (at < 0 || left & 1 << state->memory[at])
			return false;
		left |= 1 << state->memory[at];
	}
	return !(left & (state->held | state->stolen)) && !(state->held & state->stolen) &&
	       (left | state->held | state->stolen) == (1 << BLOCKS) - 1;
}

/* Exploring ------------------------------------------------------------------------- */

static bool explore(const struct state *from, const struct machine *machine)
{
	bool thief_goes_on = from->thief || from->steals < STEALS;
	bool owner_goes_on = from->op < (int)machine->nr_ops;
	struct state next;
	int i;

	if (!add(from))
		return true;
	for (i = 0; i < from->nr_buffered; i++) {
		if (!may_leave(from, machine, i))
			continue;
		next = *from;
		leave(&next, i);
		if (!explore(&next, machine))
			return false;
	}
	if (owner_goes_on) {
		next = *from;
		if (machine->program & 1U << next.op ? !step_push(&next, machine) :
						       !step_pop(&next, machine))
			return false;
		if (!explore(&next, machine))
			return false;
	}
	if (thief_goes_on) {
		next = *from;
		if (!step_thief(&next, machine) || !explore(&next, machine))
			return false;
	}
	if (!owner_goes_on && !thief_goes_on && !from->nr_buffered)
		return is_whole(from);
	return true;
}

static bool run(const struct machine *machine)
{
	struct state start;
	bool right;
	int i;

	memset(&start, 0, sizeof(start));
	for (i = 0; i < BLOCKS; i++)
		start.memory[i] = i;
	start.memory[TOP] = BLOCKS;
	memset(used, 0, SLOTS * sizeof(*used));
	nr_seen = 0;
	right = explore(&start, machine);
	total += nr_seen;
	return right;
}

/* Return: whether all programs go right */
static bool run_all(struct machine *machine)
{
	for (machine->program = 0; machine->program < 1U << machine->nr_ops;
	     machine->program++)
		for (machine->batch = 1; machine->batch <= BLOCKS; machine->batch++)
			if (!run(machine))
				return false;
	return true;
}

int main(int argc, char **argv)
{
	struct machine machine = { .nr_ops = argc > 1 ? atoi(argv[1]) : 6 };
	unsigned int nr = 0, failed = 0;

	seen = calloc(SLOTS, sizeof(*seen));
	used = calloc(SLOTS, sizeof(*used));
	if (!seen || !used || machine.nr_ops < 1 || machine.nr_ops > 12) {
		fprintf(stderr, "usage: stack_model [NR_OPS], 1 to 12\n");
		return 2;
	}
	printf("TAP version 13\n1..%d\n", 2 * FAULTS - 1);
	for (machine.fault = NONE; machine.fault < FAULTS; machine.fault++) {
		for (machine.weak = false; ; machine.weak = true) {
			/* x86 has it anyway */
			bool expect = machine.fault == NONE;

			if (machine.fault == NO_RELEASE && !machine.weak)
				continue;
			total = 0;
			if (run_all(&machine) != expect) {
				printf("not ");
				failed++;
			}
			printf("ok %u %s, %s: %lu states\n", ++nr, names[machine.fault],
			       machine.weak ? "arm64" : "x86", total);
			if (machine.weak)
				break;
		}
	}
	return failed ? 1 : 0;
}
