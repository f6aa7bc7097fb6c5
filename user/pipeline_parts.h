/* SPDX-License-Identifier: MIT */
/* What the parts of the pipeline share. Private to pipeline*.c. */
#ifndef COWTRACE_PIPELINE_PARTS_H
#define COWTRACE_PIPELINE_PARTS_H

#include <stdint.h>

#include "base/clock.h"
#include "capture/session.h"
#include "model/snapshot.h"
#include "pipeline.h"

struct aggregate;
struct groups;
struct enrich;
struct fault_facts;
struct verdict;
struct intern;
struct ledger;
struct live;
struct process;
struct process_facts;
struct settle;
struct source;
struct tree;
struct writer;

/* To be handled in one step of those who have other things to do as well: some 20 ms of work. */
#define PIPELINE_RECORDS 2048

struct pipeline {
	struct session *session;
	struct intern *pool;
	struct tree *tree;
	struct enrich *enrich;
	struct settle *settle;
	struct aggregate *model;
	struct ledger *ledger;
	struct source *sources;
	struct writer *writer; /* NULL: nothing is saved */
	struct live *live;     /* NULL: nobody watches */
	struct groups *groups; /* NULL: by process, not by service */
	pipeline_namer namer;
	struct aggregate *windows[PIPELINE_WINDOWS];
	uint64_t window_start[PIPELINE_WINDOWS]; /* ns */
	uint64_t records, renewals, folded;
	uint64_t profiled;		 /* ns: when the profiles began anew; 0: at the start */
	struct snapshot_capture capture; /* of the last snapshot */
	struct process *command;
	struct process *adopted; /* first one of the adoption that is going on */
	unsigned int living;
	uint64_t stirred;	 /* ns: when a process or program last began */
	uint64_t started, ended; /* ns */
	uint64_t caught_up;	 /* ns: what was sent before, but for copies, has been taken */
	uint64_t bad_records;
	struct session_counters counters;
};

void pipeline__host(struct pipeline *p, struct snapshot_host *host);
/* What is not counted in the model. */
void pipeline__fill_capture(const struct pipeline *p, struct snapshot_capture *c);
/* What is known of a process by now. */
void pipeline__facts(struct pipeline *p, const struct process *process, struct process_facts *out);
/* It has ended. */
void pipeline__end(struct pipeline *p, struct process *process, uint64_t time);
/* pipeline_groups.c: what it belongs to, from its fork, adoption or exec on, until its end. */
void pipeline__group_begin(struct pipeline *p, struct process *process);
void pipeline__group_exec(struct pipeline *p, struct process *process);
void pipeline__group_end(struct pipeline *p, const struct process *process);
void pipeline__group_copy(struct pipeline *p, const struct process *process,
			  struct fault_facts *facts, const struct verdict *verdict);
/* An enrich unit that speaks to the kernel side of this pipeline. 0 or -ENOMEM. */
int pipeline__new_enrich(struct pipeline *p, struct intern *pool, struct enrich **out);
void pipeline__groups_free(struct pipeline *p);

/* Tells the model, and the recording, what is known of a process by now. */
void pipeline__publish(struct pipeline *p, const struct process *process);

#endif
