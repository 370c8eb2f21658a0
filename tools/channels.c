// SPDX-License-Identifier: MIT
/* The channels and what is in them. */
#include <getopt.h>

#include "cli.h"
#include "commands.h"
#include "view.h"

void channels_run(int argc, char **argv)
{
	struct view view = { };
	int option;

	view_set_kind(&view, VIEW_CHANNELS);
	while ((option = cli_option(argc, argv, "o:p:ru:")) != -1)
		view_take_option(&view, option, optarg);
	cli_arguments(argc, 0);
	view_read(&view);
	view_print(&view);
	view_free(&view);
}
