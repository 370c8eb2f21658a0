/* SPDX-License-Identifier: MIT */
/* The two budgets that the administrator sets, in bytes. */
#ifndef BUFPOOLCTL_BUDGET_H
#define BUFPOOLCTL_BUDGET_H

#include <linux/types.h>

/* NO_LIMIT where there is none. */
__u64 quota_read(void);

#endif
