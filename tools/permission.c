// SPDX-License-Identifier: MIT
#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "member.h"
#include "paths.h"
#include "permission.h"

/* What udev's rule for the device says. */
#define DEVICE_GROUP	"bufpool"
#define DEVICE_MODE	0660

/**
 * struct phrases - what is said one after another in a sentence
 * @between: what stands between two
 * @text: all of them
 */
struct phrases {
	const char *between;
	char text[512];
};

static __printf(2, 3)
void add(struct phrases *phrases, const char *format, ...)
{
	size_t length = strlen(phrases->text);
	va_list args;

	snprintf(phrases->text + length, sizeof(phrases->text) - length, "%s",
		 length ? phrases->between : "");
	length = strlen(phrases->text);
	va_start(args, format);
	vsnprintf(phrases->text + length, sizeof(phrases->text) - length,
		  format, args);
	va_end(args);
}

/**
 * struct advice - what keeps a user from the device, and what changes that
 * @why: the causes
 * @commands: those that root has to run
 * @by_user: what the user has to do after that
 */
struct advice {
	struct phrases why;
	struct phrases commands;
	const char *by_user;
};

static void advise_on_group(struct advice *advice, enum membership membership)
{
	switch (membership) {
	case MEMBER_NO_GROUP:
		add(&advice->why, "there is no group " DEVICE_GROUP);
		add(&advice->commands, "'groupadd --system " DEVICE_GROUP "'");
		break;
	case MEMBER_NOT:
		add(&advice->why, "%s is not in the group " DEVICE_GROUP,
		    member_name());
		break;
	case MEMBER_AT_LOGIN:
		add(&advice->why,
		    "%s came into the group " DEVICE_GROUP " after this login",
		    member_name());
		advice->by_user =
			"log in again, or run 'newgrp " DEVICE_GROUP "'";
		return;
	case MEMBER_YES:
		return;
	}
	add(&advice->commands, "'usermod -aG " DEVICE_GROUP " %s'",
	    member_name());
	advice->by_user = "log in again";
}

static void advise_on_owner(struct advice *advice, gid_t owner)
{
	const struct group *group = getgrgid(owner);
	char number[16];

	snprintf(number, sizeof(number), "%u", owner);
	add(&advice->why, "it belongs to the group %s",
	    group ? group->gr_name : owner ? number : "root");
	add(&advice->commands,
	    "'chgrp %s %s' (at boot, udev's 60-bufpool.rules does that)",
	    DEVICE_GROUP, DEVICE_PATH);
}

static void advise_on_mode(struct advice *advice, mode_t mode)
{
	add(&advice->why, "it has the mode %03o", mode & 0777);
	add(&advice->commands, "'chmod %03o " DEVICE_PATH "'", DEVICE_MODE);
}

static void collect(struct advice *advice, const struct stat *node)
{
	gid_t gid = -1;
	enum membership membership = member_of(DEVICE_GROUP, &gid);

	advise_on_group(advice, membership);
	if (node->st_gid != gid)
		advise_on_owner(advice, node->st_gid);
	if ((node->st_mode & 0060) != 0060)
		advise_on_mode(advice, node->st_mode);
}

static noreturn void fail_for(const struct advice *advice)
{
	struct phrases todo = { .between = "; then " };

	if (*advice->commands.text)
		add(&todo, "as root, run %s", advice->commands.text);
	if (advice->by_user)
		add(&todo, "%s", advice->by_user);
	fail(STATUS_NO_PERMISSION, "you may not open %s: %s: %s", DEVICE_PATH,
	     advice->why.text, todo.text);
}

static noreturn void fail_user(void)
{
	struct advice advice = {
		.why.between = ", and ",
		.commands.between = ", ",
	};
	struct stat node;

	if (stat(DEVICE_PATH, &node))
		fail(STATUS_NO_PERMISSION, "you may not look at %s: %s",
		     DEVICE_PATH, strerror(errno));
	collect(&advice, &node);
	if (*advice.why.text)
		fail_for(&advice);
	fail(STATUS_NO_PERMISSION,
	     "you may not open %s, though its group and mode allow it: look for an access control list ('getfacl %s') and in the log of a security module",
	     DEVICE_PATH, DEVICE_PATH);
}

void permission_fail(int err)
{
	if (err == EPERM)
		fail(STATUS_NO_PERMISSION,
		     "%s is kept from this process, whoever runs it: allow the device to the container or the service that this runs in",
		     DEVICE_PATH);
	if (!geteuid())
		fail(STATUS_NO_PERMISSION,
		     "you may not open %s, though you are root here: run this outside of the container",
		     DEVICE_PATH);
	fail_user();
}
