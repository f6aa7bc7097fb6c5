/* SPDX-License-Identifier: MIT */
/* What several sinks say in the same words. Not escaped: commands are foreign text. */
#ifndef COWTRACE_SINK_WORDS_H
#define COWTRACE_SINK_WORDS_H

#include <stddef.h>
#include <stdint.h>

struct snapshot;
struct snapshot_process;

/* "process" or "processes" */
const char *words__plural(uint64_t n, const char *one, const char *many);
/* The name of a reason why copies were lost: enum ct_lost, below CT_LOST_MAX. */
const char *words__lost(unsigned int reason);
/* "CPython 3.11.2", "3 versions of CPython", "no Python" */
void words__python(const struct snapshot *snap, char *words, size_t size);
/* "gunicorn [4121] and 3 forked processes", allocated; NULL if out of memory. */
char *words__processes(const struct snapshot *snap);

/* "gunicorn [4121]"; "gunicorn.service" of what is no process. As asprintf. */
int words__process(const struct snapshot_process *process, char **out);

#endif
