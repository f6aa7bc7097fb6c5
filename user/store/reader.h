/* SPDX-License-Identifier: MIT */
/*
 * Reads a file of --save: facts, as they were when they were judged and counted, in the same order.
 * The file may be anything, made by anybody: whatever is not as schema.sql has it makes it damaged.
 */
#ifndef COWTRACE_STORE_READER_H
#define COWTRACE_STORE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/snapshot.h"

struct fault_facts;
struct intern;
struct process_facts;
struct reader;

struct recording {
	const char *version; /* of the cowtrace that made it */
	struct snapshot_host host;
	struct snapshot_capture capture;
	uint64_t start_time;
	bool finished;
	const char *cut; /* why it is not, NULL: not known */
	uint64_t copies; /* that were seen; SNAPSHOT_UNKNOWN */
};

struct recording_source {
	const char *file, *function, *text;
	uint32_t line;
};

struct reader_handler {
	void *ctx;
	void (*process)(void *ctx, const struct process_facts *process);
	void (*sample)(void *ctx, uint32_t pid, uint64_t time, uint64_t new_bytes);
	/* facts: the place and time are those of this copy; evidence: index of what was judged. */
	void (*copy)(void *ctx, const struct fault_facts *facts, size_t evidence);
};

/*
 * Reads all but the copies. Strings are interned in pool, which must outlive the reader, and so
 * must the reader whatever points to stacks. 0, or -errno: why has one line, with the path in it.
 */
int reader__open(const char *path, struct intern *pool, struct reader **out, char *why,
		 size_t why_size);
/* The same for bytes in memory. */
int reader__open_bytes(const uint8_t *bytes, size_t size, struct intern *pool, struct reader **out,
		       char *why, size_t why_size);
void reader__free(struct reader *reader);

const struct recording *reader__recording(const struct reader *reader);
size_t reader__evidences(const struct reader *reader);
/* The facts that were judged. */
const struct fault_facts *reader__evidence(const struct reader *reader, size_t index);
const struct recording_source *reader__sources(const struct reader *reader, size_t *n);

/* Processes and copies, in the order in which they became known. 0, or -errno as above. */
int reader__replay(struct reader *reader, const struct reader_handler *handler, char *why,
		   size_t why_size);

#endif
