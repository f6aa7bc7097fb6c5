/* SPDX-License-Identifier: MIT */
/* What goes from the thread that traces to the one that writes. Private to the store. */
#ifndef COWTRACE_STORE_BATCH_H
#define COWTRACE_STORE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/aggregate.h"
#include "model/cause.h"
#include "model/facts.h"
#include "model/snapshot.h"

#define BATCH_COPIES 65536

struct type_row {
	uint32_t id;
	struct type_fact type;
};

struct evidence_row {
	uint32_t id;
	struct fault_facts facts;
	struct verdict verdict;
#define TYPE(column, member) uint32_t column; /* type_row.id, 0: none */
#include "store/evidence.def"
};

struct fact_row {
	uint32_t id, process, thread, stack, evidence; /* stack 0: none */
	uint64_t first_page;
};

struct stack_row {
	uint32_t id;
	bool again;		  /* its frames have changed */
	struct stack_fact *stack; /* owned */
};

struct process_row {
	uint32_t id;
	bool known;
	uint64_t known_after; /* copies */
	struct process_facts facts;
};

struct sample_row {
	uint32_t process;
	int64_t time; /* us from base_time */
	uint64_t new_bytes, after;
};

struct source_row {
	const char *file, *function, *text; /* text is owned */
	uint32_t line;
};

/* The last words. */
struct end_row {
	struct snapshot_capture capture;
	uint64_t start_time, copies;
};

enum item_kind {
	ITEM_TYPE,
	ITEM_EVIDENCE,
	ITEM_STACK,
	ITEM_FACT,
	ITEM_PROCESS,
	ITEM_SAMPLE,
	ITEM_SOURCE,
	ITEM_END
};

struct item {
	struct item *next;
	enum item_kind kind;
	union {
		struct type_row type;
		struct evidence_row evidence;
		struct stack_row stack;
		struct fact_row fact;
		struct process_row process;
		struct sample_row sample;
		struct source_row source;
		struct end_row end;
	};
};

struct copy_row {
	int64_t time; /* us from base_time */
	uint32_t fact, page;
};

/* Items come before the copies that refer to them. */
struct batch {
	struct batch *next;
	struct item *first, **last;
	bool end; /* nothing follows */
	size_t n;
	struct copy_row copies[BATCH_COPIES];
};

/* NULL: no memory. */
struct batch *batch__new(void);
void batch__free(struct batch *batch);
struct item *batch__add(struct batch *batch, enum item_kind kind);

#endif
