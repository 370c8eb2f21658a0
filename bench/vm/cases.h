/* SPDX-License-Identifier: MIT */
/* What is measured, by file. */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

/* verbs.c */
void verbs_measure(void);
void verbs_measure_growth(void);

/* library.c */
void library_measure(void);

/* memory.c */
void memory_measure(void);

/* direct.c */
void direct_measure(void);

/* peers.c */
void peers_measure(void);

/* growth.c */
void growth_measure(void);

/* strangers.c */
void strangers_measure(void);

/* neighbours.c */
void neighbours_measure(void);

/* metadata.c */
void metadata_measure(void);

/* channel.c */
void channel_measure(void);

/* handover.c */
void handover_measure(void);

#endif /* BENCH_CASES_H */
