/* SPDX-License-Identifier: MIT */
/*
 * The file format of speedscope: frames once, then for each process a profile of stacks, weighted
 * with copied bytes. Below the frames stand the cause and the type. Written as it comes: one sample
 * for each stack makes too much for a tree of JSON in memory.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "model/snapshot.h"
#include "sink/escape.h"
#include "sink/sink.h"
#include "model/stack_table.h"
#include "sink/string_table.h"
#include "sink/words.h"

struct speedscope {
	const struct snapshot *snap;
	struct stack_table *stacks;
	struct string_table *names; /* causes and types: frames after those of the stacks */
	FILE *out;
	int err;
};

/* --- values ------------------------------------------------------------------ */

/* s has been escaped: it is valid UTF-8. */
static void put_shown(struct speedscope *sp, const char *s)
{
	json_t *value = json_string(s);

	if (!value || json_dumpf(value, sp->out, JSON_ENCODE_ANY | JSON_ENSURE_ASCII))
		sp->err = sp->err ?: -ENOMEM;
	json_decref(value);
}

static void put_string(struct speedscope *sp, const char *s)
{
	_free_ char *shown = escape__dup(s ?: "?");

	put_shown(sp, shown ?: "?");
}

static void put_profile_name(struct speedscope *sp, const struct snapshot_process *process)
{
	_free_ char *name = NULL;

	if (words__process(process, &name) < 0)
		name = NULL;
	put_string(sp, name);
}

/* --- frames ------------------------------------------------------------------ */

static void put_frames(struct speedscope *sp)
{
	size_t n = stack_table__count(sp->stacks);

	fputs(",\n\"shared\":{\"frames\":[", sp->out);
	for (size_t i = 0; i < n; i++) {
		const struct snapshot_frame *frame = stack_table__frame(sp->stacks, (uint32_t)i);

		fputs(i ? ",\n{\"name\":" : "\n{\"name\":", sp->out);
		put_string(sp, frame->function);
		if (frame->file) {
			fputs(",\"file\":", sp->out);
			put_string(sp, frame->file);
			fprintf(sp->out, ",\"line\":%" PRIu32, frame->line);
		}
		fputc('}', sp->out);
	}
	for (size_t i = 0; i < string_table__count(sp->names); i++) {
		fputs(n + i ? ",\n{\"name\":" : "\n{\"name\":", sp->out);
		put_shown(sp, string_table__get(sp->names, i));
		fputc('}', sp->out);
	}
	fputs("]}", sp->out);
}

static uint32_t name(struct speedscope *sp, const char *s)
{
	uint32_t number = 0;

	sp->err = sp->err ?: string_table__add(sp->names, s, &number);
	return (uint32_t)stack_table__count(sp->stacks) + number;
}

static void collect_names(struct speedscope *sp)
{
	const struct snapshot *snap = sp->snap;

	for (size_t i = 0; i < snap->n_stacks; i++) {
		name(sp, snap->stacks[i].cause);
		if (snap->stacks[i].type)
			name(sp, snap->stacks[i].type);
	}
	for (unsigned int i = 0; i < CT_LOST_MAX; i++)
		if (snap->capture.lost_by_reason[i])
			name(sp, words__lost(i));
}

/* --- profiles ---------------------------------------------------------------- */

static void open_profile(struct speedscope *sp, uint64_t bytes)
{
	fprintf(sp->out,
		",\"type\":\"sampled\",\"unit\":\"bytes\",\"startValue\":0,\"endValue\":%" PRIu64
		",\n\"samples\":[",
		bytes);
}

static void put_sample(struct speedscope *sp, const struct snapshot_stack *stack)
{
	const uint32_t *numbers = stack_table__numbers(sp->stacks, stack);

	fputc('[', sp->out);
	for (uint32_t i = 0; i < stack->n; i++)
		fprintf(sp->out, "%" PRIu32 ",", numbers[i]);
	fprintf(sp->out, "%" PRIu32, name(sp, stack->cause));
	if (stack->type)
		fprintf(sp->out, ",%" PRIu32, name(sp, stack->type));
	fputc(']', sp->out);
}

/* rows: the n stacks of one process */
static void put_profile(struct speedscope *sp, const struct snapshot_stack *const *rows, size_t n)
{
	const struct snapshot_process *process = &sp->snap->processes[rows[0]->process];

	fputs("{\"name\":", sp->out);
	put_profile_name(sp, process);
	open_profile(sp, snapshot__bytes(sp->snap, process->pages));
	for (size_t i = 0; i < n; i++) {
		fputs(i ? ",\n" : "\n", sp->out);
		put_sample(sp, rows[i]);
	}
	fputs("],\n\"weights\":[", sp->out);
	for (size_t i = 0; i < n; i++)
		fprintf(sp->out, "%s%" PRIu64, i ? "," : "",
			snapshot__bytes(sp->snap, rows[i]->pages));
	fputs("]}", sp->out);
}

/* A profile of what has no stack; without any copy, an empty one: speedscope wants at least one. */
static void put_lost(struct speedscope *sp)
{
	const struct snapshot_capture *capture = &sp->snap->capture;
	const char *before = "";

	fprintf(sp->out, "{\"name\":\"%s\"", capture->lost ? "[lost]" : "no copies");
	open_profile(sp, snapshot__bytes(sp->snap, capture->lost));
	for (unsigned int i = 0; i < CT_LOST_MAX; i++) {
		if (!capture->lost_by_reason[i])
			continue;
		fprintf(sp->out, "%s[%" PRIu32 "]", before, name(sp, words__lost(i)));
		before = ",";
	}
	fputs("],\"weights\":[", sp->out);
	before = "";
	for (unsigned int i = 0; i < CT_LOST_MAX; i++) {
		if (!capture->lost_by_reason[i])
			continue;
		fprintf(sp->out, "%s%" PRIu64, before,
			snapshot__bytes(sp->snap, capture->lost_by_reason[i]));
		before = ",";
	}
	fputs("]}", sp->out);
}

/* By process; within it in the order of the snapshot, which is that of the array. */
static int order_rows(const void *a, const void *b)
{
	const struct snapshot_stack *x = *(const struct snapshot_stack *const *)a;
	const struct snapshot_stack *y = *(const struct snapshot_stack *const *)b;

	if (x->process != y->process)
		return x->process < y->process ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* Returns which profile has the most bytes: the one to show first. */
static size_t put_profiles(struct speedscope *sp, const struct snapshot_stack **rows)
{
	const struct snapshot *snap = sp->snap;
	uint64_t most = 0;
	size_t profiles = 0, heaviest = 0, next;

	for (size_t i = 0; i < snap->n_stacks; i++)
		rows[i] = &snap->stacks[i];
	qsort(rows, snap->n_stacks, sizeof(*rows), order_rows);
	fputs(",\n\"profiles\":[", sp->out);
	for (size_t i = 0; i < snap->n_stacks; i = next) {
		uint32_t process = rows[i]->process;

		for (next = i + 1; next < snap->n_stacks && rows[next]->process == process;)
			next++;
		if (snap->processes[process].copies > most) {
			most = snap->processes[process].copies;
			heaviest = profiles;
		}
		fputs(profiles++ ? ",\n" : "\n", sp->out);
		put_profile(sp, rows + i, next - i);
	}
	if (snap->capture.lost || !profiles) {
		fputs(profiles ? ",\n" : "\n", sp->out);
		put_lost(sp);
	}
	fputs("]", sp->out);
	return heaviest;
}

static int write_all(struct speedscope *sp)
{
	_free_ const struct snapshot_stack **rows = calloc(sp->snap->n_stacks + 1, sizeof(*rows));
	_free_ char *who = words__processes(sp->snap), *title = NULL;
	const char *cut = sp->snap->capture.cut;
	size_t heaviest;

	if (!rows ||
	    asprintf(&title, "%s%s%s", who ?: "?", cut ? "; cut off: " : "", cut ?: "") < 0)
		return -ENOMEM;
	collect_names(sp);
	fputs("{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\n\"exporter\":",
	      sp->out);
	fprintf(sp->out, "\"cowtrace %s\",\n\"name\":", sp->snap->version);
	put_string(sp, title);
	put_frames(sp);
	heaviest = put_profiles(sp, rows);
	fprintf(sp->out, ",\n\"activeProfileIndex\":%zu}\n", heaviest);
	if (ferror(sp->out))
		return -EIO;
	return sp->err ?: fflush(sp->out) ? -EIO : 0;
}

static int speedscope__write(const struct snapshot *snap, const struct sink_options *opt, FILE *out)
{
	struct speedscope sp = {.snap = snap, .out = out};
	int err;

	(void)opt;
	err = stack_table__new(snap->stacks, snap->n_stacks, &sp.stacks) ?: string_table__new(&sp.names) ?: write_all(&sp);
	stack_table__free(sp.stacks);
	string_table__free(sp.names);
	return err;
}

const struct sink sink_speedscope = {.name = "speedscope", .write = speedscope__write};
