/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_STATUS_H
#define _BUFPOOL_STATUS_H

#include <linux/atomic.h>
#include <uapi/linux/bufpool.h>

struct vm_area_struct;

/**
 * struct bufpool_status_page - struct bufpool_status as the kernel writes it
 * @waiting: tasks that wait, in all classes
 * @pressure: how often the system has asked for memory
 * @waiting_of: of @waiting, those that a block of the class would serve as it is
 */
struct bufpool_status_page {
	atomic_t waiting;
	atomic_t pressure;
	atomic_t waiting_of[BUFPOOL_STATUS_CLASSES];
};

struct bufpool_status_page *bufpool_status_create(void);
void bufpool_status_destroy(struct bufpool_status_page *status);
int bufpool_status_map(struct bufpool_status_page *status, struct vm_area_struct *vma);

#endif /* _BUFPOOL_STATUS_H */
