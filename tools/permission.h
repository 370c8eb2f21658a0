/* SPDX-License-Identifier: MIT */
/* Permission to open the device: what a user lacks, and how to get it. */
#ifndef BUFPOOLCTL_PERMISSION_H
#define BUFPOOLCTL_PERMISSION_H

#include <stdnoreturn.h>

/* Opening it failed with @err, EACCES or the like. */
noreturn void permission_fail(int err);

#endif
