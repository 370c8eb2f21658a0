/* SPDX-License-Identifier: MIT */
/*
 * Whom a program measures
 *
 * The same program is built once for each peer, with these functions inline: a
 * table of pointers would add the same nanoseconds to everybody, and so make
 * everybody look alike. The peer's header defines
 *
 *   struct peer_size       what the peer wants to know of a size, found once
 *                          where all blocks have one size
 *   peer_open()            for blocks from @smallest to @largest bytes; exits
 *                          with WORKLOAD_ABSENT where the peer cannot be used here
 *   peer_thread_begin()    by every thread that gets or puts, before it does
 *   peer_thread_end()
 *   peer_size_of()
 *   peer_get()             NULL where there is none
 *   peer_put()
 *   peer_get_many()        true when it got all, where PEER_HAS_MANY is defined
 *   peer_put_many()
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include "workload.h"

#include PEER_HEADER

#endif
