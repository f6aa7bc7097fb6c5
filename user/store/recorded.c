/* SPDX-License-Identifier: MIT */
#include "store/recorded.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/memory.h"
#include "store/names.h"
#include "store/table.h"

#define MAX_FRAMES UINT16_MAX

/* A new last element of an array that doubles when it is full. Each takes bytes of the file too, so
 * a small file can not ask for much. */
static void *grow(void *array, size_t *n, size_t size)
{
	void **at = array;

	if ((*n & (*n - 1)) == 0) {
		void *more = realloc(*at, (*n ? 2 * *n : 1) * size);

		if (!more)
			memory__none();
		*at = more;
	}
	return memset((char *)*at + (*n)++ * size, 0, size);
}

#define GROW(array, n) ((__typeof__(array))grow(&(array), &(n), sizeof(*(array))))

/* Ids are 1, 2, ... without gaps. False if this is not the next one. */
static bool is_next(struct table_row *row, size_t n)
{
	return row__int(row, 1, INT64_MAX) == (int64_t)n;
}

static bool take_process(void *ctx, struct table_row *row)
{
	struct reader *r = ctx;
	int64_t before = r->n_processes ? r->processes[r->n_processes - 1].id : 0;
	struct recorded_process *p = GROW(r->processes, r->n_processes);
	struct process_facts *facts = &p->facts;

	/* Those that were lost with the end of a file leave gaps. */
	p->id = row__int(row, before + 1, INT64_MAX);
	facts->pid = (uint32_t)row__int(row, 0, UINT32_MAX);
	facts->ppid = (uint32_t)row__int(row, 0, UINT32_MAX);
	facts->command = row__text(row);
	facts->python = row__text_or_null(row);
	facts->python_problem = row__text_or_null(row);
	facts->forked = row__flag(row);
	facts->exited = row__flag(row);
	facts->attached = row__flag(row);
	facts->started = (uint64_t)row__int(row, 0, INT64_MAX / 2);
	facts->shared_at_fork = row__known(row);
	facts->shared_now = row__known(row);
	facts->new_bytes = row__known(row);
	facts->private_before = row__known(row);
	facts->lost = (uint64_t)row__int(row, 0, INT64_MAX);
	facts->reuses = (uint64_t)row__int(row, 0, INT64_MAX);
	p->known_after = row__known(row);
	return true;
}

static bool take_type(void *ctx, struct table_row *row)
{
	struct reader *r = ctx;
	struct type_fact *type = GROW(r->types, r->n_types);
	bool next = is_next(row, r->n_types);

	type->name = row__text(row);
	type->has_gc = row__flag(row);
	type->preheader = row__flag(row);
	type->is_code = row__flag(row);
	type->is_type = row__flag(row);
	return next;
}

static bool take_site(void *ctx, struct table_row *row)
{
	struct reader *r = ctx;
	struct recorded_site *site = GROW(r->sites, r->n_sites);
	struct recording_source *quote;
	bool next = is_next(row, r->n_sites);
	const char *source;

	site->file = row__text_or_null(row);
	site->function = row__text_or_null(row);
	site->line = (uint32_t)row__int(row, 0, UINT32_MAX);
	source = row__text_or_null(row);
	if (source) {
		quote = GROW(r->sources, r->n_sources);
		quote->file = site->file;
		quote->function = site->function;
		quote->line = site->line;
		quote->text = source;
	}
	return next;
}

/* --- stacks ------------------------------------------------------------------ */

static bool take_stack(void *ctx, struct table_row *row)
{
	struct reader *r = ctx;
	struct stack_fact **stack = GROW(r->stacks, r->n_stacks);
	bool next = is_next(row, r->n_stacks);

	*stack = memory__get(sizeof(**stack));
	(*stack)->id = r->n_stacks;
	(*stack)->unwind = row__name(row, &unwind_names);
	return next;
}

/* The frames of one stack have been read. */
static void end_stack(struct reader *r)
{
	struct stack_fact *stack, *before;

	if (!r->n_frames)
		return;
	before = r->stacks[r->frames_of - 1];
	stack = memory__get(sizeof(*stack) + r->n_frames * sizeof(r->frames[0]));
	*stack = *before;
	stack->n = (uint16_t)r->n_frames;
	memcpy(stack->frames, r->frames, r->n_frames * sizeof(r->frames[0]));
	r->stacks[r->frames_of - 1] = stack;
	free(before);
	free(r->frames);
	r->frames = NULL;
	r->n_frames = 0;
}

static bool take_frame(void *ctx, struct table_row *row)
{
	struct reader *r = ctx;
	size_t stack = (size_t)row__int(row, (int64_t)r->frames_of, INT64_MAX);
	const struct recorded_site *site;
	struct frame_fact *frame;
	size_t at;

	if (row->bad || !stack || stack > r->n_stacks)
		return false;
	if (stack != r->frames_of)
		end_stack(r);
	else if (!r->n_frames)
		return false;
	r->frames_of = stack;
	if (row__int(row, 0, MAX_FRAMES - 1) != (int64_t)r->n_frames)
		return false;
	frame = GROW(r->frames, r->n_frames);
	at = (size_t)row__int(row, 1, INT64_MAX);
	if (at > r->n_sites)
		return false;
	site = &r->sites[at - 1];
	*frame = (struct frame_fact){
		.file = site->file, .function = site->function, .line = site->line};
	frame->missing = row__name(row, &missing_names);
	return !site->file == !site->function;
}

static int read_stacks(struct reader *r)
{
	int err = table__each(r->db, r->pool, "SELECT id, unwind FROM stack", take_stack, r);

	if (!err)
		err = table__each(r->db, r->pool,
				  "SELECT stack, depth, site, missing FROM frame"
				  " ORDER BY stack, depth",
				  take_frame, r);
	if (!err)
		end_stack(r);
	return err;
}

/* --- evidence and facts ------------------------------------------------------ */

static const struct type_fact *take_type_id(const struct reader *r, struct table_row *row)
{
	uint64_t id = row__known(row);

	if (id == SNAPSHOT_UNKNOWN)
		return NULL;
	if (id && id <= r->n_types)
		return &r->types[id - 1];
	row->bad = true;
	return NULL;
}

/* What no process can have shown; rules rely on it. */
static bool is_sound(const struct fault_facts *f)
{
	const struct py_field *field = &f->object.field;
	bool needs_name = field->kind == PY_FIELD_LAZY || field->kind == PY_FIELD_CODE;

	return f->order <= CT_MAX_ORDER && (f->symbol || !f->symbol_is_function) &&
	       (field->name || !needs_name) && f->insn.width <= 64;
}

static bool take_evidence(void *ctx, struct table_row *row)
{
	struct reader *r = ctx;
	struct fault_facts *f = GROW(r->evidences, r->n_evidences);
	bool next = is_next(row, r->n_evidences), fits = true;
	int64_t value;

	row__blob(row, f->window, sizeof(f->window));
#define FLAG(column, member)	    f->member = row__flag(row);
#define NAME(column, member, names) f->member = row__name(row, &names);
#define TEXT(column, member)	    f->member = row__text_or_null(row);
#define TYPE(column, member)	    f->member = take_type_id(r, row);
#define CODE(column, member)                                                                       \
	value = row__int(row, INT64_MIN, INT64_MAX);                                               \
	f->member = (__typeof__(f->member))value;                                                  \
	fits &= (int64_t)f->member == value;
#define NUMBER(column, member) f->member = (__typeof__(f->member))row__word(row);
#include "store/evidence.def"
	return next && fits && is_sound(f);
}

static int by_id(const void *key, const void *element)
{
	int64_t id = *(const int64_t *)key;
	const struct recorded_process *p = element;

	return id < p->id ? -1 : id > p->id;
}

static bool take_sample(void *ctx, struct table_row *row)
{
	struct reader *r = ctx;
	uint64_t before = r->n_samples ? r->samples[r->n_samples - 1].after : 0;
	struct recorded_sample *sample = GROW(r->samples, r->n_samples);
	int64_t id = row__int(row, 1, INT64_MAX);
	const struct recorded_process *process =
		bsearch(&id, r->processes, r->n_processes, sizeof(*process), by_id);
	int64_t time = row__int(row, -(INT64_MAX / 4000), INT64_MAX / 4000);

	sample->new_bytes = (uint64_t)row__int(row, 0, INT64_MAX);
	sample->after = (uint64_t)row__int(row, (int64_t)before, INT64_MAX);
	sample->time = r->base_time + (uint64_t)(time * 1000);
	if (process)
		sample->pid = process->facts.pid;
	return process;
}

static int read_samples(struct reader *r)
{
	if (table__schema(r->db) < 2)
		return 0;
	return table__each(r->db, r->pool, "SELECT process, time, new_bytes, after FROM sample",
			   take_sample, r);
}

static bool take_fact(void *ctx, struct table_row *row)
{
	struct reader *r = ctx;
	struct recorded_fact *fact = GROW(r->facts, r->n_facts);
	const struct recorded_process *process;
	bool next = is_next(row, r->n_facts);
	int64_t id = row__int(row, 1, INT64_MAX);
	uint64_t stack, evidence;

	process = bsearch(&id, r->processes, r->n_processes, sizeof(*process), by_id);
	fact->thread = (uint32_t)row__int(row, 0, UINT32_MAX);
	stack = row__known(row);
	evidence = (uint64_t)row__int(row, 1, INT64_MAX);
	fact->first_page = (uint64_t)row__int(row, 0, INT64_MAX / 2);
	if (!next || !process || evidence > r->n_evidences ||
	    (stack != SNAPSHOT_UNKNOWN && (!stack || stack > r->n_stacks)))
		return false;
	fact->process = (size_t)(process - r->processes);
	fact->stack = stack == SNAPSHOT_UNKNOWN ? 0 : (size_t)stack;
	fact->evidence = (size_t)evidence - 1;
	return true;
}

static const struct table_column process_columns[] = {
	{"id", NULL},
	{"pid", NULL},
	{"ppid", NULL},
	{"command", NULL},
	{"python", NULL},
	{"python_problem", NULL},
	{"forked", NULL},
	{"exited", NULL},
	{"attached", "0"},
	{"started", NULL},
	{"shared_at_fork", NULL},
	{"shared_now", NULL},
	{"new_bytes", NULL},
	{"private_before", "NULL"},
	{"lost", NULL},
	{"reuses", NULL},
	{"known_after", NULL},
};

static const struct table_column evidence_columns[] = {
	{"id", NULL},
	{"window", NULL},
#define FLAG(column, member)	    {#column, "0"},
#define NAME(column, member, names) {#column, "NULL"},
#define TEXT(column, member)	    {#column, "NULL"},
#define TYPE(column, member)	    {#column, "NULL"},
#define CODE(column, member)	    {#column, "0"},
#define NUMBER(column, member)	    {#column, "0"},
#include "store/evidence.def"
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* A table that has got columns since schema 1. */
static int read_grown(struct reader *r, const char *table, const struct table_column *columns,
		      size_t n, table_take take)
{
	_free_ char *query = table__query(r->db, table, columns, n);

	return table__each(r->db, r->pool, query, take, r);
}

int recorded__read(struct reader *r)
{
	return read_grown(r, "process", process_columns, LENGTH(process_columns), take_process) ?:
	       table__each(r->db, r->pool,
			   "SELECT id, name, has_gc, preheader, is_code, is_type FROM type",
			   take_type, r) ?:
	       table__each(r->db, r->pool, "SELECT id, file, function, line, source FROM site",
			   take_site, r) ?:
	       read_grown(r, "evidence", evidence_columns, LENGTH(evidence_columns),
			  take_evidence) ?:
	       read_samples(r) ?: read_stacks(r) ?:
	       table__each(r->db, r->pool,
			   "SELECT id, process, thread, stack, evidence, first_page FROM fact",
			   take_fact, r);
}

void recorded__free(struct reader *r)
{
	for (size_t i = 0; i < r->n_stacks; i++)
		free(r->stacks[i]);
	free(r->processes);
	free(r->samples);
	free(r->types);
	free(r->sites);
	free(r->sources);
	free(r->stacks);
	free(r->evidences);
	free(r->facts);
	free(r->frames);
}
