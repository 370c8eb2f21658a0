/* SPDX-License-Identifier: MIT */
/* The device and the files of the module. */
#ifndef BUFPOOLCTL_PATHS_H
#define BUFPOOLCTL_PATHS_H

#define DEVICE_PATH	"/dev/bufpool"
#define MODULE_PATH	"/sys/module/bufpool"
#define CLASS_PATH	"/sys/class/misc/bufpool"
#define DEBUG_PATH	"/sys/kernel/debug/bufpool"
#define CLIENTS_PATH	DEBUG_PATH "/clients"
#define ACCOUNTS_PATH	DEBUG_PATH "/accounts"
#define CHANNELS_PATH	DEBUG_PATH "/channels"

#endif
