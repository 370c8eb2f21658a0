/* SPDX-License-Identifier: MIT */
#ifndef BUFPOOLCTL_ARRAY_H
#define BUFPOOLCTL_ARRAY_H

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

#endif
