/* SPDX-License-Identifier: MIT */
/* What a reader keeps of a file: all but the copies. Private to the store. */
#ifndef COWTRACE_STORE_RECORDED_H
#define COWTRACE_STORE_RECORDED_H

#include <stdlib.h>

#include "model/aggregate.h"
#include "model/facts.h"
#include "store/reader.h"

struct sqlite3;

struct recorded_process {
	int64_t id;
	uint64_t known_after; /* SNAPSHOT_UNKNOWN: never told of */
	struct process_facts facts;
};

struct recorded_fact {
	size_t process, evidence; /* indices */
	uint32_t thread;
	size_t stack; /* id, 0: none */
	uint64_t first_page;
};

struct recorded_sample {
	uint32_t pid;
	uint64_t time, new_bytes, after; /* ns; copies */
};

struct recorded_site {
	const char *file, *function;
	uint32_t line;
};

struct reader {
	struct sqlite3 *db;
	struct intern *pool;
	struct recording head;
	uint64_t base_time;
	size_t n_samples, n_processes, n_types, n_sites, n_sources, n_stacks, n_evidences, n_facts;
	struct recorded_process *processes; /* by id */
	struct recorded_sample *samples;    /* in order */
	struct type_fact *types;	    /* of id i + 1, as all below */
	struct recorded_site *sites;
	struct recording_source *sources;
	struct stack_fact **stacks;
	struct fault_facts *evidences;
	struct recorded_fact *facts;

	/* While stacks are read: the frames of one. */
	struct frame_fact *frames;
	size_t n_frames, frames_of;
};

/* Reads the tables. 0, -EINVAL or -ENOMEM. */
int recorded__read(struct reader *r);
void recorded__free(struct reader *r);
/* Why the last call on it failed. */
void reader__why(const struct reader *r, int err, char *why, size_t why_size);

#endif
