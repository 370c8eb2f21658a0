/* SPDX-License-Identifier: MIT */
/* The pool's numbers in the text format of Prometheus. */
#ifndef BUFPOOLCTL_PROMETHEUS_H
#define BUFPOOLCTL_PROMETHEUS_H

/* Print those of the device that is open as @fd. */
void prometheus_print(int fd);

#endif
