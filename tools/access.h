/* SPDX-License-Identifier: MIT */
/*
 * Access to the device and the module's files: what to do where there is none.
 */
#ifndef BUFPOOLCTL_ACCESS_H
#define BUFPOOLCTL_ACCESS_H

#include <stdnoreturn.h>

/* @path, of the device or the module, could not be used; errno says why. */
noreturn void access_fail(const char *path);

#endif
