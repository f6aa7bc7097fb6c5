/* SPDX-License-Identifier: MIT */
/* What all JSON outputs share. Private to sink/json*.c. */
#ifndef COWTRACE_SINK_JSON_VALUE_H
#define COWTRACE_SINK_JSON_VALUE_H

#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

/* A string of whatever bytes; null for NULL. */
json_t *json__text(const char *s);
/* null for SNAPSHOT_UNKNOWN. */
json_t *json__count(uint64_t n);
/* Writes a document and lets go of it: in ASCII, nothing in it steers a terminal. 0, -ENOMEM (root
 * is NULL) or -EIO. */
int json__finish(json_t *root, FILE *out);

#endif
