/* SPDX-License-Identifier: MIT */
/* A stream of gzip into a file. The header holds no time and no name: equal input, equal header. */
#ifndef COWTRACE_SINK_GZIP_H
#define COWTRACE_SINK_GZIP_H

#include <stddef.h>
#include <stdio.h>

struct gzip;

/* 0 or -ENOMEM. */
int gzip__new(FILE *out, struct gzip **gzip);
/* 0 or -EIO. */
int gzip__write(struct gzip *gzip, const void *data, size_t size);
/* Writes what is left and the end. 0 or -EIO. */
int gzip__finish(struct gzip *gzip);
void gzip__free(struct gzip *gzip);

#endif
