// SPDX-License-Identifier: MIT
/*
 * The table of verbs, with how often each is drawn.
 */
#include <string.h>

#include "verbs.h"

static const struct {
	const char *name;
	unsigned int share;
	void (*run)(struct world *world, const struct op *op);
} verbs[] = {
	{ "rent", 34, do_rent },
	{ "rent_many", 6, do_rent_many },
	{ "give", 24, do_give },
	{ "give_many", 4, do_give_many },
	{ "give_stale", 4, do_give_stale },
	{ "give_foreign", 3, do_give_foreign },
	{ "check", 8, do_check },
	{ "stamp", 4, do_stamp },
	{ "reopen", 2, do_reopen },
	{ "limit", 2, do_limit },
	{ "quota", 2, do_quota },
	{ "trim", 2, do_trim },
	{ "cancel", 2, do_cancel },
	{ "ask", 4, do_ask },
	{ "poller", 2, do_poller },
	{ "poll", 4, do_poll },
	{ "raw", 12, do_raw },
	{ "map", 8, do_map },
	{ "unmap", 4, do_unmap },
	{ "protect", 2, do_protect },
	{ "move", 3, do_move },
	{ "advise", 3, do_advise },
	{ "touch", 6, do_touch },
	{ "chase", 4, do_chase },
	{ "spy", 6, do_spy },
	{ "channel", 2, do_channel },
	{ "close_end", 1, do_close_end },
	{ "send", 12, do_send },
	{ "receive", 12, do_receive },
	{ "push", 8, do_push },
	{ "pop", 6, do_pop },
	{ "scribble", 1, do_scribble },
	{ "export", 3, do_export },
	{ "use_export", 4, do_use_export },
	{ "splice", 4, do_splice },
	{ "drain", 4, do_drain },
	{ "write_self", 3, do_write_self },
	{ "read_peer", 2, do_read_peer },
	{ "look", 2, do_look },
	{ "set", 1, do_set },
	{ "fork", 1, do_fork },
	{ "pass", 1, do_pass },
	{ "adopt", 1, do_adopt },
	{ "fault", 6, do_fault },
	{ "yield", 4, do_yield },
};

#define NR_VERBS	(sizeof(verbs) / sizeof(*verbs))

static unsigned int all_shares(void)
{
	static unsigned int all;
	unsigned int i, sum = 0;

	for (i = 0; !all && i < NR_VERBS; i++)
		sum += verbs[i].share;
	if (!all)
		all = sum;
	return all;
}

/* A verb, each as often as it is to be. */
unsigned int verb_draw(__u32 lot)
{
	unsigned int left = lot % all_shares(), i;

	for (i = 0; left >= verbs[i].share; i++)
		left -= verbs[i].share;
	return i;
}

const char *verb_name(unsigned int verb)
{
	return verb < NR_VERBS ? verbs[verb].name : "none";
}

/* Its number, or -1. */
int verb_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < NR_VERBS; i++) {
		if (!strcmp(verbs[i].name, name))
			return i;
	}
	return -1;
}

/* A call with anything in it may wait for ever. */
bool verb_may_fail(unsigned int verb)
{
	return verb < NR_VERBS && verbs[verb].run != do_raw;
}

void verb_run(struct world *world, const struct op *op)
{
	if (op->verb < NR_VERBS)
		verbs[op->verb].run(world, op);
}
