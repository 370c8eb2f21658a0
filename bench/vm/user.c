// SPDX-License-Identifier: MIT
#include <unistd.h>

#include "device.h"
#include "measure.h"
#include "user.h"

#define UID	1000

static void enter(unsigned int nr)
{
	MUST(!seteuid(UID + nr));
}

void user_enter(void)
{
	enter(0);
}

void user_leave(void)
{
	MUST(!seteuid(0));
}

void user_open_of(struct device *device, unsigned int nr)
{
	enter(nr);
	device_open(device);
	user_leave();
}

void user_open(struct device *device)
{
	user_open_of(device, 0);
}
