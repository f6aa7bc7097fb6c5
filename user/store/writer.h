/* SPDX-License-Identifier: MIT */
/*
 * Writes the file of --save while it is traced. What is alike is told apart here, in the thread
 * that traces; another thread does all that may wait for a disk. A disk that is full or broken ends
 * the file, with one line of warning, never the tracing.
 */
#ifndef COWTRACE_STORE_WRITER_H
#define COWTRACE_STORE_WRITER_H

#include <stddef.h>
#include <stdint.h>

struct fault_facts;
struct process_facts;
struct snapshot_capture;
struct snapshot_host;
struct verdict;
struct writer;

/*
 * Makes the file; an older recording of that name is overwritten, nothing else is. capture: witness
 * and witness_limits. 0, or -errno with one line in why. Strings must outlive the writer.
 */
int writer__new(const char *path, const struct snapshot_host *host,
		const struct snapshot_capture *capture, struct writer **out, char *why,
		size_t why_size);
/* Without writer__finish, the file looks as after a crash. */
void writer__free(struct writer *w);

/* process: as aggregate__process() and aggregate__add() number them. Stacks must outlive the
 * writer. */
void writer__process(struct writer *w, uint32_t process, const struct process_facts *facts);
void writer__copy(struct writer *w, const struct fault_facts *facts, const struct verdict *verdict,
		  uint32_t process);
/* What a process had newly filled at that time. */
void writer__sample(struct writer *w, uint32_t process, uint32_t pid, uint64_t time,
		    uint64_t new_bytes);
/* Call it often: what is older than a second goes to the disk. */
void writer__tick(struct writer *w, uint64_t now);

/* The text of a line of Python. */
void writer__source(struct writer *w, const char *file, const char *function, uint32_t line,
		    const char *text);
/* Waits until all is written. 0, or -EIO if it is not; has been said. */
int writer__finish(struct writer *w, const struct snapshot_capture *capture, uint64_t start_time);

#endif
