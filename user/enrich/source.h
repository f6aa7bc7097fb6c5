/* SPDX-License-Identifier: MIT */
/*
 * Quotes source lines. The file names come from the traced program: files are opened with the
 * rights of the user it runs as, so that a report never shows what that user could not read, and
 * only regular files, in the root directory and working directory of the command.
 */
#ifndef COWTRACE_ENRICH_SOURCE_H
#define COWTRACE_ENRICH_SOURCE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct source;

#define SOURCE_LINE_MAX 256

/* 0 or -ENOMEM. */
int source__new(struct source **out);
void source__free(struct source *source);

/* The command lives: remembers its directories and its user. */
void source__as(struct source *source, pid_t pid, uint32_t uid);

/* Line `line` without indentation, valid UTF-8. 0, -ENOENT (file or line), -EACCES, -EINVAL. */
int source__line(struct source *source, const char *path, uint32_t line, char *buf, size_t size);

#endif
