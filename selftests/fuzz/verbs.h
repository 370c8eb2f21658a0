/* SPDX-License-Identifier: MIT */
/*
 * What an operation may be.
 */
#ifndef FUZZ_VERBS_H
#define FUZZ_VERBS_H

#include "world.h"

unsigned int verb_draw(__u32 lot);
const char *verb_name(unsigned int verb);
int verb_find(const char *name);
bool verb_may_fail(unsigned int verb);
void verb_run(struct world *world, const struct op *op);

/* Rentals. */
void do_rent(struct world *world, const struct op *op);
void do_rent_many(struct world *world, const struct op *op);
void do_give(struct world *world, const struct op *op);
void do_give_many(struct world *world, const struct op *op);
void do_give_stale(struct world *world, const struct op *op);
void do_give_foreign(struct world *world, const struct op *op);
void do_check(struct world *world, const struct op *op);
void do_stamp(struct world *world, const struct op *op);

/* Clients, and what they may be told and asked. */
void do_reopen(struct world *world, const struct op *op);
void do_limit(struct world *world, const struct op *op);
void do_quota(struct world *world, const struct op *op);
void do_trim(struct world *world, const struct op *op);
void do_cancel(struct world *world, const struct op *op);
void do_ask(struct world *world, const struct op *op);
void do_poller(struct world *world, const struct op *op);
void do_poll(struct world *world, const struct op *op);
void do_raw(struct world *world, const struct op *op);

/* Windows. */
void do_map(struct world *world, const struct op *op);
void do_unmap(struct world *world, const struct op *op);
void do_protect(struct world *world, const struct op *op);
void do_move(struct world *world, const struct op *op);
void do_advise(struct world *world, const struct op *op);
void do_touch(struct world *world, const struct op *op);
void do_chase(struct world *world, const struct op *op);
void do_spy(struct world *world, const struct op *op);

/* Channels. */
void do_channel(struct world *world, const struct op *op);
void do_close_end(struct world *world, const struct op *op);
void do_send(struct world *world, const struct op *op);
void do_receive(struct world *world, const struct op *op);

/* Stacks. */
void do_push(struct world *world, const struct op *op);
void do_pop(struct world *world, const struct op *op);
void do_scribble(struct world *world, const struct op *op);

/* What reaches blocks from outside. */
void do_export(struct world *world, const struct op *op);
void do_use_export(struct world *world, const struct op *op);
void do_splice(struct world *world, const struct op *op);
void do_drain(struct world *world, const struct op *op);
void do_write_self(struct world *world, const struct op *op);
void do_read_peer(struct world *world, const struct op *op);

/* Everything around. */
void do_look(struct world *world, const struct op *op);
void do_set(struct world *world, const struct op *op);
void do_fork(struct world *world, const struct op *op);
void do_pass(struct world *world, const struct op *op);
void do_adopt(struct world *world, const struct op *op);
void do_fault(struct world *world, const struct op *op);
void do_yield(struct world *world, const struct op *op);

#endif /* FUZZ_VERBS_H */
