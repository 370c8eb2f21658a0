/* SPDX-License-Identifier: MIT */
/* What bufpoolctl.c has in its table; each is in the file of its name. */
#ifndef BUFPOOLCTL_COMMANDS_H
#define BUFPOOLCTL_COMMANDS_H

void help_run(int argc, char **argv);
void info_run(int argc, char **argv);
void classes_run(int argc, char **argv);
void stat_run(int argc, char **argv);
void channels_run(int argc, char **argv);
void top_run(int argc, char **argv);
void trim_run(int argc, char **argv);
void rent_run(int argc, char **argv);
/* both in budget.c */
void limit_run(int argc, char **argv);
void quota_run(int argc, char **argv);

#endif
