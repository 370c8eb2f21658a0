// SPDX-License-Identifier: MIT
/* bufpoolctl: inspect and administer the pool of /dev/bufpool. */
#include <stdio.h>

#include "cli.h"
#include "command.h"
#include "commands.h"
#include "fail.h"
#include "out.h"

#define SIZE_HELP	\
	"A SIZE is in bytes, or has a suffix: 65536, 64k, 64K and 64KiB are the same.\n"

static const struct command commands[] = {
	{ "help", "[COMMAND]",
	  "what there is, or what may follow a command", .run = help_run },
	{ "info", "",
	  "block sizes, limits and parameters of the pool", .run = info_run },
	{ "stat", "[SECONDS [COUNT]]",
	  "the pool's numbers, once or every so many seconds",
	  "With SECONDS, a line each time, COUNT times or until it is interrupted:\n"
	  "how things are, and what happened since the line before, per second.\n",
	  .metrics = true, .run = stat_run },
	{ "classes", "",
	  "slabs and blocks of each block size and backing", .run = classes_run },
	{ "channels", "[-r] [-o COLUMN] [-p PID] [-u USER]",
	  "channels and what is in them",
	  "  -o, --sort=COLUMN  by this, as --tab names it; else by bytes, of the blocks in it\n"
	  "  -p, --pid=PID      only those that this process made\n"
	  "  -r, --reverse      sort the other way around\n"
	  "  -u, --user=USER    only those of this user, by name or number\n"
	  "\n"
	  "Ends that are open are r, to receive, and s, to send. What was sent has been\n"
	  "received, is in the channel, or was dropped, as no end to receive was left.\n",
	  .run = channels_run },
	{ "top", "[-b] [-r] [-U] [-d SECONDS] [-n COUNT] [-o COLUMN] [-p PID] [-u USER]",
	  "clients by what they hold, live; q ends it",
	  "  -b, --batch          print one list after another, without a terminal\n"
	  "  -d, --delay=SECONDS  between two of them; else 2\n"
	  "  -n, --count=COUNT    how many; 0 is without an end\n"
	  "  -o, --sort=COLUMN    by this, as --tab names it; else by held, rented and warm,\n"
	  "                       and of users by pinned\n"
	  "  -p, --pid=PID        only the clients that this process opened\n"
	  "  -r, --reverse        sort the other way around\n"
	  "  -u, --user=USER      only the clients of this user, by name or number\n"
	  "  -U, --by-user        a row for each user, with what all clients hold, and for\n"
	  "                       those without whose memory something outside still reaches\n"
	  "\n"
	  "Amounts are sorted from the largest, pid, uid and names from the smallest.\n"
	  "Keys: s and S sort by the next and the last column, r reverses, U shows users,\n"
	  "u and p ask for a user and a pid, where nothing is all; q quits.\n",
	  .run = top_run },
	{ "rent", "[-i] [-n COUNT] [-s SIZE] [-t SECONDS] [-w SECONDS]",
	  "hold blocks until the time is over or a signal comes",
	  "  -i, --io             blocks for the kernel's I/O\n"
	  "  -n, --count=COUNT    how many blocks; else 1\n"
	  "  -s, --size=SIZE      bytes in each, at least; else the smallest\n"
	  "  -t, --time=SECONDS   hold them so long; else until a signal\n"
	  "  -w, --wait=SECONDS   wait for them so long at most; else without an end\n",
	  .run = rent_run },
	{ "limit", "[-u USER] [SIZE | none | default]",
	  "show or set what the pool may hold, or a user",
	  "  -u, --user=USER  that user's quota, as quota has it; none and default are for this\n"
	  SIZE_HELP,
	  .run = limit_run },
	{ "quota", "[-u USER] [SIZE | none | default]",
	  "show or set what each user may hold",
	  "  -u, --user=USER  only of this user, by name or number; default is as the others\n"
	  SIZE_HELP
	  "By default it is half of the limit.\n",
	  .run = quota_run },
	{ "trim", "[-f FD [-s SIZE]]",
	  "give back now what is not in use",
	  "  -f, --fd=FD      only the warm blocks of the client open as FD\n"
	  "  -s, --size=SIZE  of these, only blocks of at least so many bytes\n",
	  .run = trim_run },
	{ }
};

int main(int argc, char **argv)
{
	int first;

	out_file = stdout;
	command_set_all(commands);
	first = cli_command(argc, argv);
	command_running->run(argc - first, argv + first);
	fail_unless_written();
	return STATUS_OK;
}
