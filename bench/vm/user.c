// SPDX-License-Identifier: MIT
#include <unistd.h>

#include "device.h"
#include "measure.h"
#include "user.h"

#define UID	1000

void user_enter(void)
{
	MUST(!seteuid(UID));
}

void user_leave(void)
{
	MUST(!seteuid(0));
}

void user_open(struct device *device)
{
	user_enter();
	device_open(device);
	user_leave();
}
