/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_WAIT_H
#define _BUFPOOL_WAIT_H

struct bufpool_blk;
struct bufpool_request;

struct bufpool_blk *bufpool_wait(struct bufpool_request *request);

#endif /* _BUFPOOL_WAIT_H */
