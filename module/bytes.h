/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_BYTES_H
#define _BUFPOOL_BYTES_H

#include <linux/types.h>

size_t bufpool_bytes_length(const char *val);
int bufpool_bytes_parse(const char *val, unsigned long *bytes);

#endif /* _BUFPOOL_BYTES_H */
