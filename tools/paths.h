/* SPDX-License-Identifier: MIT */
/* Where the module can be met. */
#ifndef BUFPOOLCTL_PATHS_H
#define BUFPOOLCTL_PATHS_H

#define DEVICE_PATH	"/dev/bufpool"
#define MODULE_PATH	"/sys/module/bufpool"
#define CLASS_PATH	"/sys/class/misc/bufpool"
#define CLIENTS_PATH	"/sys/kernel/debug/bufpool/clients"

#endif
