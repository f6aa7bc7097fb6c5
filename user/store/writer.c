/* SPDX-License-Identifier: MIT */
#include "store/writer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "store/batch.h"
#include "store/disk.h"
#include "store/evidence.h"
#include "store/memory.h"
#include "store/queue.h"
#include "store/store.h"

#define FLUSH_NS 1000000000ull

struct type_entry {
	uint64_t key[2]; /* name, flags */
	uint32_t id;
	UT_hash_handle hh;
};

struct evidence_entry {
	uint64_t words[EVIDENCE_WORDS];
	uint32_t id;
	UT_hash_handle hh;
};

struct stack_entry {
	const struct stack_fact *stack;
	uint32_t id;
	uint64_t digest; /* of what has been written */
	UT_hash_handle hh;
};

struct fact_key {
	uint32_t process, thread, evidence, stack;
	uint64_t first_page;
};

struct fact_entry {
	struct fact_key key;
	uint32_t id;
	UT_hash_handle hh;
};

struct process_entry {
	bool listed, known;
	uint64_t known_after;
};

struct writer {
	struct queue *queue;
	uint64_t base_time, page_size, copies;
	uint64_t opened; /* when the batch was begun, ns */
	struct batch *batch;
	struct type_entry *types;
	struct evidence_entry *evidences, *last_evidence;
	struct stack_entry *stacks, *last_stack;
	struct fact_entry *facts, *last_fact;
	struct process_entry *processes; /* by number */
	size_t n_processes;
};

/* --- what is new ------------------------------------------------------------- */

static void hand_over(struct writer *w)
{
	if (w->batch)
		queue__push(w->queue, w->batch);
	w->batch = NULL;
}

static struct batch *open_batch(struct writer *w)
{
	if (w->batch)
		return w->batch;
	w->opened = clock__now_ns();
	w->batch = batch__new();
	if (!w->batch)
		memory__none();
	return w->batch;
}

static struct item *add_item(struct writer *w, enum item_kind kind)
{
	struct item *item = batch__add(open_batch(w), kind);

	if (!item)
		memory__none();
	return item;
}

static uint32_t type_id(struct writer *w, const struct type_fact *type)
{
	struct type_entry *entry;
	struct item *item;
	uint64_t key[2];

	if (!type)
		return 0;
	key[0] = (uintptr_t)type->name;
	key[1] = (uint64_t)(type->has_gc | type->preheader << 1 | type->is_code << 2 |
			    type->is_type << 3);
	HASH_FIND(hh, w->types, key, sizeof(key), entry);
	if (entry)
		return entry->id;
	entry = memory__get(sizeof(*entry));
	memcpy(entry->key, key, sizeof(key));
	entry->id = HASH_COUNT(w->types) + 1;
	HASH_ADD(hh, w->types, key, sizeof(entry->key), entry);
	item = add_item(w, ITEM_TYPE);
	item->type = (struct type_row){.id = entry->id, .type = *type};
	return entry->id;
}

static void add_evidence(struct writer *w, uint32_t id, const struct fault_facts *facts,
			 const struct verdict *verdict)
{
	struct evidence_row row = {.id = id, .facts = *facts, .verdict = *verdict};

	/* The types may be gone by the time it is written. */
#define TYPE(column, member)                                                                       \
	row.column = type_id(w, facts->member);                                                    \
	row.facts.member = NULL;
#include "store/evidence.def"
	row.facts.stack = NULL;
	add_item(w, ITEM_EVIDENCE)->evidence = row;
}

static unsigned int hash_words(const uint64_t *words, size_t n)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < n; i++) {
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	return (unsigned int)(hash ^ hash >> 32);
}

static uint32_t evidence_id(struct writer *w, const struct fault_facts *facts,
			    const struct verdict *verdict)
{
	struct evidence_entry *entry = w->last_evidence;
	uint64_t words[EVIDENCE_WORDS];
	unsigned int hash;

	evidence__words(facts, verdict, words);
	if (entry && memcmp(entry->words, words, sizeof(words)) == 0)
		return entry->id;
	hash = hash_words(words, EVIDENCE_WORDS);
	HASH_FIND_BYHASHVALUE(hh, w->evidences, words, sizeof(words), hash, entry);
	if (!entry) {
		entry = memory__get(sizeof(*entry));
		memcpy(entry->words, words, sizeof(words));
		entry->id = HASH_COUNT(w->evidences) + 1;
		HASH_ADD_BYHASHVALUE(hh, w->evidences, words, sizeof(entry->words), hash, entry);
		add_evidence(w, entry->id, facts, verdict);
	}
	w->last_evidence = entry;
	return entry->id;
}

/* --- stacks: they may get names after they have been written ----------------- */

static uint64_t stack_digest(const struct stack_fact *stack)
{
	uint64_t hash = stack->n;

	for (uint16_t i = 0; i < stack->n; i++) {
		const struct frame_fact *frame = &stack->frames[i];
		const uint64_t words[] = {hash, (uintptr_t)frame->file, (uintptr_t)frame->function,
					  (uint64_t)frame->line << 8 | frame->missing};

		hash = (uint64_t)hash_words(words, 4) << 32 | hash_words(words, 3);
	}
	return hash;
}

static void add_stack(struct writer *w, struct stack_entry *entry, bool again)
{
	size_t size = sizeof(*entry->stack) + entry->stack->n * sizeof(entry->stack->frames[0]);
	struct stack_fact *copy = memory__get(size);

	memcpy(copy, entry->stack, size);
	entry->digest = stack_digest(copy);
	add_item(w, ITEM_STACK)->stack =
		(struct stack_row){.id = entry->id, .again = again, .stack = copy};
}

static uint32_t stack_id(struct writer *w, const struct stack_fact *stack)
{
	struct stack_entry *entry = w->last_stack;

	if (!stack)
		return 0;
	if (entry && entry->stack == stack)
		return entry->id;
	HASH_FIND_PTR(w->stacks, &stack, entry);
	if (!entry) {
		entry = memory__get(sizeof(*entry));
		entry->stack = stack;
		entry->id = HASH_COUNT(w->stacks) + 1;
		HASH_ADD_PTR(w->stacks, stack, entry);
		add_stack(w, entry, false);
	}
	w->last_stack = entry;
	return entry->id;
}

static void update_stacks(struct writer *w)
{
	for (struct stack_entry *entry = w->stacks; entry; entry = entry->hh.next)
		if (entry->digest != stack_digest(entry->stack))
			add_stack(w, entry, true);
}

/* --- processes and copies ---------------------------------------------------- */

static struct process_entry *process_entry(struct writer *w, uint32_t process)
{
	if (process >= w->n_processes) {
		size_t n = (process + 1) * 2;
		struct process_entry *more = realloc(w->processes, n * sizeof(*more));

		if (!more)
			memory__none();
		memset(more + w->n_processes, 0, (n - w->n_processes) * sizeof(*more));
		w->processes = more;
		w->n_processes = n;
	}
	return &w->processes[process];
}

void writer__process(struct writer *w, uint32_t process, const struct process_facts *facts)
{
	struct process_entry *entry = process_entry(w, process);

	if (!entry->known)
		entry->known_after = w->copies;
	entry->listed = entry->known = true;
	add_item(w, ITEM_PROCESS)->process = (struct process_row){
		.id = process, .known = true, .known_after = entry->known_after, .facts = *facts};
}

/* It copied before anyone told about it. */
static void add_unknown(struct writer *w, uint32_t process, uint32_t pid)
{
	struct process_entry *entry = process_entry(w, process);

	if (entry->listed)
		return;
	entry->listed = true;
	add_item(w, ITEM_PROCESS)->process =
		(struct process_row){.id = process,
				     .facts = {.pid = pid,
					       .shared_at_fork = SNAPSHOT_UNKNOWN,
					       .shared_now = SNAPSHOT_UNKNOWN,
					       .new_bytes = SNAPSHOT_UNKNOWN,
					       .private_before = SNAPSHOT_UNKNOWN}};
}

static uint32_t fact_id(struct writer *w, const struct fact_key *key)
{
	struct fact_entry *entry = w->last_fact;

	if (entry && memcmp(&entry->key, key, sizeof(*key)) == 0)
		return entry->id;
	HASH_FIND(hh, w->facts, key, sizeof(*key), entry);
	if (!entry) {
		entry = memory__get(sizeof(*entry));
		entry->key = *key;
		entry->id = HASH_COUNT(w->facts) + 1;
		HASH_ADD(hh, w->facts, key, sizeof(entry->key), entry);
		add_item(w, ITEM_FACT)->fact = (struct fact_row){.id = entry->id,
								 .process = key->process,
								 .thread = key->thread,
								 .stack = key->stack,
								 .evidence = key->evidence,
								 .first_page = key->first_page};
	}
	w->last_fact = entry;
	return entry->id;
}

static int64_t microseconds(const struct writer *w, uint64_t time)
{
	return (int64_t)(time / 1000) - (int64_t)(w->base_time / 1000);
}

void writer__sample(struct writer *w, uint32_t process, uint32_t pid, uint64_t time,
		    uint64_t new_bytes)
{
	if (queue__failed(w->queue))
		return;
	add_unknown(w, process, pid);
	add_item(w, ITEM_SAMPLE)->sample = (struct sample_row){.process = process,
							       .time = microseconds(w, time),
							       .new_bytes = new_bytes,
							       .after = w->copies};
}

void writer__copy(struct writer *w, const struct fault_facts *facts, const struct verdict *verdict,
		  uint32_t process)
{
	uint64_t page = facts->addr / w->page_size;
	struct fact_key key = {
		.process = process,
		.thread = facts->tid,
		.first_page = page & ~(STORE_PAGES - 1),
	};
	struct batch *batch;

	w->copies++;
	if (queue__failed(w->queue))
		return;
	add_unknown(w, process, facts->pid);
	key.evidence = evidence_id(w, facts, verdict);
	key.stack = stack_id(w, facts->stack);
	batch = open_batch(w);
	batch->copies[batch->n++] = (struct copy_row){
		.time = microseconds(w, facts->time),
		.fact = fact_id(w, &key),
		.page = (uint32_t)(page - key.first_page),
	};
	if (batch->n == BATCH_COPIES)
		hand_over(w);
}

void writer__source(struct writer *w, const char *file, const char *function, uint32_t line,
		    const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		memory__none();
	add_item(w, ITEM_SOURCE)->source =
		(struct source_row){.file = file, .function = function, .line = line, .text = copy};
}

/* --- life cycle -------------------------------------------------------------- */

int writer__new(const char *path, const struct snapshot_host *host,
		const struct snapshot_capture *capture, struct writer **out, char *why,
		size_t why_size)
{
	struct writer *w = calloc(1, sizeof(*w));
	struct disk *disk;
	int err;

	snprintf(why, why_size, "out of memory");
	if (!w)
		return -ENOMEM;
	w->page_size = host->page_size;
	w->base_time = clock__now_ns() / 1000 * 1000;
	err = disk__open(path, host, capture, w->base_time, &disk, why, why_size);
	if (!err) {
		err = queue__new(disk, path, &w->queue);
		if (err)
			disk__close(disk);
	}
	if (err)
		writer__free(w);
	else
		*out = w;
	return err;
}

#define FREE_ALL(table)                                                                            \
	do {                                                                                       \
		__typeof__(table) entry, next;                                                     \
		HASH_ITER (hh, (table), entry, next) {                                             \
			HASH_DEL((table), entry);                                                  \
			free(entry);                                                               \
		}                                                                                  \
	} while (0)

void writer__free(struct writer *w)
{
	if (!w)
		return;
	queue__free(w->queue);
	batch__free(w->batch);
	FREE_ALL(w->types);
	FREE_ALL(w->evidences);
	FREE_ALL(w->stacks);
	FREE_ALL(w->facts);
	free(w->processes);
	free(w);
}

void writer__tick(struct writer *w, uint64_t now)
{
	if (w->batch && now >= w->opened + FLUSH_NS)
		hand_over(w);
}

int writer__finish(struct writer *w, const struct snapshot_capture *capture, uint64_t start_time)
{
	update_stacks(w);
	add_item(w, ITEM_END)->end = (struct end_row){
		.capture = *capture, .start_time = start_time, .copies = w->copies};
	w->batch->end = true;
	hand_over(w);
	return queue__finish(w->queue) ? 0 : -EIO;
}
