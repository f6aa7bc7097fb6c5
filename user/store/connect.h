/* SPDX-License-Identifier: MIT */
/* Opens a recording with all of SQLite that could be turned against its reader switched off.
 * Private to the store. */
#ifndef COWTRACE_STORE_CONNECT_H
#define COWTRACE_STORE_CONNECT_H

#include <stddef.h>
#include <stdint.h>

struct sqlite3;

/* 0, or -errno with what is wrong with the file in why: "is no ...". */
int connect__file(const char *path, struct sqlite3 **out, char *why, size_t why_size);
int connect__bytes(const uint8_t *bytes, size_t size, struct sqlite3 **out, char *why,
		   size_t why_size);

#endif
