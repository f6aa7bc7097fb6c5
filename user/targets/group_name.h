/* SPDX-License-Identifier: MIT */
/*
 * What a service is called, so that its name survives its restarts: the unit of systemd or the
 * container that it runs in, else its command. Never a number of a process.
 */
#ifndef COWTRACE_TARGETS_GROUP_NAME_H
#define COWTRACE_TARGETS_GROUP_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Of the text of /proc/PID/cgroup: "gunicorn.service", "docker:4f1c0a5b7d21" or "machine:web".
 * False: it says neither.
 */
bool group_name__of_cgroups(const char *text, char *name, size_t size);
/* Of a command line as process__read_command makes it: its first word. */
void group_name__of_command(const char *command, char *name, size_t size);

/* Of a process that lives. */
void group_name__of(pid_t pid, const char *command, char *name, size_t size);

/* The text of /proc/PID/cgroup, "" if there is none. Returns its length. */
size_t group_name__read(pid_t pid, char *text, size_t size);
/* Does one of its lines name this path, or one below? path: without a slash at its end. */
bool group_name__in_cgroup(const char *text, const char *path);

#endif
