/* SPDX-License-Identifier: MIT */
/* What several sinks say in the same words. Not escaped: commands are foreign text. */
#ifndef COWTRACE_SINK_WORDS_H
#define COWTRACE_SINK_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/number.h"

struct comparison;
struct comparison_row;
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
/* The name of a file in a path. */
const char *words__file(const char *path);

/* --- words_changed.c: a comparison with an older run ------------------------- */

/* What changed, in a sentence, allocated; NULL if out of memory. */
char *words__change(const struct comparison *comparison);
/* What is meant by "per worker", in a sentence, allocated; NULL if out of memory. */
char *words__per_worker(const struct comparison *comparison);
/* "-87 %", "+3.1 %", "x 14", "new", "gone", "same" */
struct number words__percent(uint64_t older, uint64_t newer);
/* "+12.0 KiB", "-1,024.5 MiB" */
struct number words__signed(int64_t bytes);
/* "gunicorn workers", allocated; NULL if out of memory. */
char *words__role(const struct comparison_row *row);
/* "refcount of int", allocated; NULL if out of memory. */
char *words__kind(const char *cause, const char *type);

/* "gunicorn [4121]"; "gunicorn.service" of what is no process. As asprintf. */
int words__process(const struct snapshot_process *process, char **out);

#endif
