// SPDX-License-Identifier: MIT
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "module.h"
#include "paths.h"

bool module_is_loaded(void)
{
	return !access(MODULE_PATH, F_OK);
}

/* A line of modules.dep: a path, which may be of a compressed file, and a colon */
static bool names_module(const char *line)
{
	static const char file[] = "bufpool.ko";
	size_t length = strcspn(line, ":");
	const char *name = memrchr(line, '/', length);

	return !strncmp(name ? name + 1 : line, file, sizeof(file) - 1);
}

bool module_is_installed(void)
{
	char path[PATH_MAX], *line = NULL;
	struct utsname system;
	bool found = false;
	size_t room = 0;
	FILE *list;

	uname(&system);
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep",
		 system.release);
	list = fopen(path, "re");
	if (!list)
		return false;
	while (!found && getline(&line, &room, list) > 0)
		found = names_module(line);
	free(line);
	fclose(list);
	return found;
}

/* Only what needs no quoting anywhere */
struct module_version module_version(void)
{
	FILE *file = fopen(MODULE_PATH "/version", "re");
	struct module_version version = { };

	if (!file)
		return version;
	if (fscanf(file, "%31[0-9A-Za-z.+~:_-]", version.text) != 1)
		*version.text = '\0';
	fclose(file);
	return version;
}

dev_t module_device(void)
{
	FILE *file = fopen(CLASS_PATH "/dev", "re");
	unsigned int major_nr = 0, minor_nr = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%u:%u", &major_nr, &minor_nr) != 2)
		major_nr = 0;
	fclose(file);
	return major_nr ? makedev(major_nr, minor_nr) : 0;
}
