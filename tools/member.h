/* SPDX-License-Identifier: MIT */
/* The user who runs the program, and the groups that user is in. */
#ifndef BUFPOOLCTL_MEMBER_H
#define BUFPOOLCTL_MEMBER_H

#include <sys/types.h>

enum membership {
	MEMBER_NO_GROUP,	/* there is no such group */
	MEMBER_NOT,
	MEMBER_AT_LOGIN,	/* it will be a group of the user's next login */
	MEMBER_YES,		/* it is a group of this process */
};

/* Sets @gid to the group's, if there is one. */
enum membership member_of(const char *group, gid_t *gid);

/* The user's name, or USER where it has none. */
const char *member_name(void);

#endif
