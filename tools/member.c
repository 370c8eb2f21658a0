// SPDX-License-Identifier: MIT
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "fail.h"
#include "member.h"

static bool is_among(gid_t gid, const gid_t *groups, int count)
{
	int i;

	for (i = 0; i < count; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

static gid_t *allocate_groups(int count)
{
	gid_t *groups = calloc(count > 0 ? count : 1, sizeof(*groups));

	if (!groups)
		fail_memory();
	return groups;
}

static bool process_has(gid_t gid)
{
	int count = getgroups(0, NULL);
	gid_t *groups = allocate_groups(count);
	bool has;

	count = getgroups(count > 0 ? count : 0, groups);
	has = gid == getegid() || is_among(gid, groups, count);
	free(groups);
	return has;
}

/* As the system's databases have it, which a login reads. */
static bool login_would_have(gid_t gid)
{
	const struct passwd *user = getpwuid(geteuid());
	gid_t *groups;
	int count = 0;
	bool has;

	if (!user)
		return false;
	getgrouplist(user->pw_name, user->pw_gid, NULL, &count);
	groups = allocate_groups(count);
	getgrouplist(user->pw_name, user->pw_gid, groups, &count);
	has = is_among(gid, groups, count);
	free(groups);
	return has;
}

enum membership member_of(const char *group, gid_t *gid)
{
	const struct group *found = getgrnam(group);

	if (!found)
		return MEMBER_NO_GROUP;
	*gid = found->gr_gid;
	if (process_has(*gid))
		return MEMBER_YES;
	return login_would_have(*gid) ? MEMBER_AT_LOGIN : MEMBER_NOT;
}

const char *member_name(void)
{
	const struct passwd *user = getpwuid(geteuid());

	return user ? user->pw_name : "USER";
}
