/* SPDX-License-Identifier: MIT */
/* Made-up captures that are counted and saved at once, for the tests of the store. */
#ifndef COWTRACE_TEST_STORE_WORLD_H
#define COWTRACE_TEST_STORE_WORLD_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/intern.h"
#include "base/log.h"
#include "model/aggregate.h"
#include "model/cause.h"
#include "model/facts.h"
#include "model/snapshot.h"
#include "replay.h"
#include "sink/sink.h"
#include "store/names.h"
#include "store/reader.h"
#include "store/writer.h"

#define PAGE	      4096u
#define N_STACKS      40
#define STACK_FRAMES  6
#define COPIES_OF_RUN 5000

struct store_world {
	char directory[64], path[96];
	struct intern *pool;
	struct aggregate *model;
	struct writer *writer;
	struct snapshot_host host;
	struct snapshot_capture capture;
	struct stack_fact *stacks[N_STACKS];
	uint64_t start, now;
	unsigned int seed;
};

static inline unsigned int world__random(struct store_world *w, unsigned int n)
{
	w->seed = w->seed * 1103515245u + 12345u;
	return (w->seed >> 8) % n;
}

static inline const char *world__name(struct store_world *w, const char *what, unsigned int n)
{
	char name[64];

	snprintf(name, sizeof(name), "%s%u", what, world__random(w, n));
	return intern__str(w->pool, name);
}

static inline void world__directory(struct store_world *w)
{
	strcpy(w->directory, "/tmp/cowtrace-store-XXXXXX");
	if (!mkdtemp(w->directory))
		abort();
	snprintf(w->path, sizeof(w->path), "%s/file.cow", w->directory);
}

static inline void world__open(struct store_world *w, unsigned int seed)
{
	char why[256];

	*w = (struct store_world){
		.seed = seed,
		.host = {.kernel = "6.18.5", .machine = "x86_64", .page_size = PAGE},
		.capture = {.witness = "tracepoints",
			    .witness_limits = "what nobody sees",
			    .kernel_copies = SNAPSHOT_UNKNOWN},
	};
	world__directory(w);
	if (intern__new(&w->pool) || aggregate__new(w->pool, &w->model))
		abort();
	if (writer__new(w->path, &w->host, &w->capture, &w->writer, why, sizeof(why))) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
}

static inline void world__remove(struct store_world *w)
{
	static const char *const suffixes[] = {"",     "-journal", "-wal",
					       "-shm", ".copy",	   ".copy-journal"};
	char name[128];

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", w->path, suffixes[i]);
		unlink(name);
	}
	rmdir(w->directory);
}

static inline void world__close(struct store_world *w)
{
	writer__free(w->writer);
	aggregate__free(w->model);
	intern__free(w->pool);
	for (size_t i = 0; i < N_STACKS; i++)
		free(w->stacks[i]);
	world__remove(w);
}

/* --- what happens ------------------------------------------------------------ */

static inline void world__process(struct store_world *w, struct process_facts facts)
{
	uint32_t number = aggregate__process(w->model, &facts);

	writer__process(w->writer, number, &facts);
}

static inline void world__copy(struct store_world *w, const struct fault_facts *facts)
{
	struct verdict verdict;
	uint32_t number;

	cause__judge(facts, &verdict);
	number = aggregate__add(w->model, facts, &verdict);
	writer__copy(w->writer, facts, &verdict, number);
}

static inline void world__sample(struct store_world *w)
{
	uint32_t pid = 100 + world__random(w, 9);
	uint64_t bytes = world__random(w, 1u << 30);
	uint32_t number = aggregate__sample(w->model, pid, w->now, bytes);

	writer__sample(w->writer, number, pid, w->now, bytes);
}

/* Some of its names are not known yet. */
static inline const struct stack_fact *world__stack(struct store_world *w)
{
	struct stack_fact **stack = &w->stacks[world__random(w, N_STACKS)];

	if (*stack)
		return *stack;
	*stack = calloc(1, sizeof(**stack) + STACK_FRAMES * sizeof((*stack)->frames[0]));
	if (!*stack)
		abort();
	(*stack)->id = world__random(w, 1u << 30);
	(*stack)->n = (uint16_t)world__random(w, STACK_FRAMES + 1);
	(*stack)->unwind = (uint8_t)world__random(w, CT_UNWIND_MAX);
	for (uint16_t i = 0; i < (*stack)->n; i++) {
		struct frame_fact *frame = &(*stack)->frames[i];

		frame->missing = world__random(w, 4) ? CT_MISSING_NONE : CT_MISSING_UNREADABLE;
		if (frame->missing)
			continue;
		frame->file = world__name(w, "file", 5);
		frame->function = world__name(w, "function", 5);
		frame->line = world__random(w, 50);
	}
	return *stack;
}

/* Names that come late: in memory that others point to. */
static inline void world__find_names(struct store_world *w)
{
	for (size_t i = 0; i < N_STACKS; i++) {
		for (uint16_t k = 0; w->stacks[i] && k < w->stacks[i]->n; k++) {
			struct frame_fact *frame = &w->stacks[i]->frames[k];

			if (frame->file || world__random(w, 2))
				continue;
			*frame = (struct frame_fact){.file = world__name(w, "late", 3),
						     .function = world__name(w, "found", 3),
						     .line = world__random(w, 9)};
		}
	}
}

static const struct type_fact world_types[] = {
	{.name = "int"},
	{.name = "dict", .has_gc = true, .preheader = true},
	{.name = "type", .has_gc = true, .is_type = true},
	{.name = "code", .is_code = true},
};

/* Anything that a process could show, and more. */
static inline void world__facts(struct store_world *w, struct fault_facts *f)
{
	*f = (struct fault_facts){};
#define FLAG(column, member)	    f->member = world__random(w, 2);
#define NAME(column, member, names) f->member = (uint8_t)world__random(w, (unsigned)names.n);
#define TEXT(column, member)	    f->member = world__random(w, 3) ? world__name(w, #column, 4) : NULL;
#define TYPE(column, member)                                                                       \
	f->member = world__random(w, 3) ? &world_types[world__random(w, 4)] : NULL;
#define CODE(column, member) f->member = (__typeof__(f->member))world__random(w, 60);
#define NUMBER(column, member)                                                                     \
	f->member = (__typeof__(f->member))(world__random(w, 1u << 24) * 977ull);
#include "store/evidence.def"
	for (size_t i = 0; i < 9; i++)
		f->window[i] = (uint64_t)world__random(w, 1u << 24) << world__random(w, 40);
	f->order %= CT_MAX_ORDER + 1;
	f->victim = f->victim < 9 ? 99 + f->victim : f->victim < 12 ? CT_VICTIM_UNKNOWN : 0;
	f->symbol_is_function &= f->symbol != NULL;
	if (!f->object.field.name)
		f->object.field.kind = PY_FIELD_DATA;
	f->order %= CT_MAX_ORDER + 1;
	f->addr |= (uint64_t)world__random(w, 3) << 44;
	f->stack = world__random(w, 5) ? world__stack(w) : NULL;
	f->time = w->now;
	f->pid = 100 + world__random(w, 8);
	f->tid = f->pid + world__random(w, 2);
}

/* Processes that come, end, and come back with the same pid; some copy before they are known. */
static inline void world__happen(struct store_world *w, unsigned int copies)
{
	static const char *const pythons[] = {"3.11.2", "3.13.1", NULL};
	struct fault_facts facts;

	w->start = w->now = 7777777777ull;
	for (unsigned int i = 0; i < copies; i++) {
		w->now += world__random(w, 100000);
		if (world__random(w, 100) == 0)
			world__process(w, (struct process_facts){
						  .pid = 100 + world__random(w, 8),
						  .ppid = 100 + world__random(w, 8),
						  .command = world__name(w, "command", 3),
						  .python = pythons[world__random(w, 3)],
						  .forked = world__random(w, 2),
						  .exited = world__random(w, 2),
						  .attached = world__random(w, 4) == 0,
						  .private_before = world__random(w, 1u << 20),
						  .started = w->now - world__random(w, 3) * 1000000,
						  .shared_at_fork = world__random(w, 1u << 30),
						  .shared_now = SNAPSHOT_UNKNOWN,
						  .new_bytes = world__random(w, 1u << 30),
						  .lost = world__random(w, 2),
						  .reuses = world__random(w, 99)});
		if (world__random(w, 1000) == 0)
			world__find_names(w);
		if (world__random(w, 50) == 0)
			world__sample(w);
		if (world__random(w, 3) == 0 || i == 0)
			world__facts(w, &facts);
		facts.time = w->now;
		world__copy(w, &facts);
	}
	world__find_names(w);
	w->capture.seconds = (double)(w->now - w->start) / 1e9;
	w->capture.reuses = world__random(w, 1000);
	w->capture.kernel_copies = world__random(w, 2) ? copies : SNAPSHOT_UNKNOWN;
	w->capture.kernel_reason = w->capture.kernel_copies == copies ? NULL : "it was off";
	for (size_t i = 0; i < 3; i++) {
		w->capture.lost_by_reason[i] = world__random(w, 3);
		w->capture.lost += w->capture.lost_by_reason[i];
	}
}

/* --- what is said of it ------------------------------------------------------ */

static const struct sink *const world_sinks[] = {&sink_text,	   &sink_json,	&sink_folded,
						 &sink_flamegraph, &sink_pprof, &sink_speedscope,
						 &sink_html};
#define WORLD_SINKS (sizeof(world_sinks) / sizeof(world_sinks[0]))

static inline char *world__render(const struct snapshot *snap, const struct sink *sink,
				  size_t *size)
{
	const struct sink_options opt = {0};
	char *output = NULL;
	FILE *out = open_memstream(&output, size);

	if (!out || sink->write(snap, &opt, out))
		abort();
	fclose(out);
	return output;
}

static inline const struct snapshot *world__snapshot(struct store_world *w)
{
	const struct snapshot *snap;

	if (aggregate__snapshot(w->model, &w->host, &w->capture, w->start, &snap))
		abort();
	for (size_t i = 0; i < snap->n_sites && i < SNAPSHOT_SOURCES; i++) {
		const struct snapshot_site *site = &snap->sites[i];
		char line[64];

		snprintf(line, sizeof(line), "    %u of %.20s", site->line, site->file ?: "");
		if (site->file && site->line % 3)
			aggregate__set_source(w->model, i, line);
	}
	if (aggregate__advise(w->model))
		abort();
	return snap;
}

/* As pipeline__saved. */
static inline int world__finish(struct store_world *w, const struct snapshot *snap)
{
	for (size_t i = 0; i < snap->n_sites; i++)
		if (snap->sites[i].source)
			writer__source(w->writer, snap->sites[i].file, snap->sites[i].function,
				       snap->sites[i].line, snap->sites[i].source);
	return writer__finish(w->writer, &w->capture, w->start);
}

static inline uint8_t *world__bytes(const char *path, size_t *size)
{
	FILE *file = fopen(path, "re");
	uint8_t *bytes;
	struct stat st;

	if (!file || fstat(fileno(file), &st))
		abort();
	bytes = malloc((size_t)st.st_size + 1);
	*size = bytes ? fread(bytes, 1, (size_t)st.st_size, file) : 0;
	fclose(file);
	return bytes;
}

static inline void world__put(const char *path, const uint8_t *bytes, size_t size)
{
	FILE *file = fopen(path, "we");

	if (!file || fwrite(bytes, 1, size, file) != size)
		abort();
	fclose(file);
}

#endif
