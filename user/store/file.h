/* SPDX-License-Identifier: MIT */
/* Files of --save by their first bytes. Private to the store. */
#ifndef COWTRACE_STORE_FILE_H
#define COWTRACE_STORE_FILE_H

#include <stddef.h>
#include <stdint.h>

struct sqlite3;

/* The text of schema.sql, and the pragmas that name it. */
const char *file__schema(void);

/* Opens path as it is: SQLite would take some names for more than a name. A code of SQLite. */
int file__open(const char *path, int flags, struct sqlite3 **out);

/* Makes way for a new file: removes an older recording, with its journal; refuses to touch anything
 * else. 0, or -errno with one line in why. */
int file__clear(const char *path, char *why, size_t why_size);

/* The first bytes of a recording that this cowtrace reads. 0, or -EINVAL with what it is in why:
 * "is no ...". */
int file__check(const uint8_t *head, size_t size, char *why, size_t why_size);

#endif
