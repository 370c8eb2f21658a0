/* SPDX-License-Identifier: MIT */
/* The kernel module: whether it is there, and what it says of itself. */
#ifndef BUFPOOLCTL_MODULE_H
#define BUFPOOLCTL_MODULE_H

#include <stdbool.h>
#include <sys/types.h>

bool module_is_loaded(void);

/* Whether modprobe(8) knows one for the kernel that runs. */
bool module_is_installed(void);

/* Empty where it does not say one. */
struct module_version {
	char text[32];
};

struct module_version module_version(void);

/* The numbers of its device; 0 where it is not known. */
dev_t module_device(void);

#endif
