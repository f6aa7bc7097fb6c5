/* SPDX-License-Identifier: MIT */
/*
 * The format of pprof, gzipped: proto/profile.proto of github.com/google/pprof has the numbers of
 * the fields. Numbers of samples are those of what was counted. What is lost is a comment: it has
 * no stack.
 *
 * Who reads it asks for more than the schema: Parca for ids that count from 1 without gaps and for
 * an empty first string, Pyroscope for a mapping that has_functions (else it looks for symbols) and
 * for a period type. A function has no system_name: with an equal one, go tool pprof takes
 * "<module>" for a C++ template and drops it.
 *
 * With a baseline it is what `go tool pprof -diff_base` makes of two profiles: the samples of the
 * older run are negative and have the label pprof::base, so that they are what percents are of.
 * Values are per worker then, and frames where they are in the newer run.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/compare.h"
#include "model/snapshot.h"
#include "sink/gzip.h"
#include "sink/proto.h"
#include "sink/sink.h"
#include "model/stack_table.h"
#include "sink/string_table.h"
#include "sink/words.h"

enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_MAPPING = 3,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING = 6,
	PROFILE_TIME = 9,
	PROFILE_DURATION = 10,
	PROFILE_PERIOD_TYPE = 11,
	PROFILE_PERIOD = 12,
	PROFILE_COMMENT = 13,
	PROFILE_DEFAULT_SAMPLE_TYPE = 14,

	VALUE_TYPE_TYPE = 1,
	VALUE_TYPE_UNIT = 2,

	SAMPLE_LOCATION = 1,
	SAMPLE_VALUE = 2,
	SAMPLE_LABEL = 3,

	LABEL_KEY = 1,
	LABEL_STRING = 2,
	LABEL_NUMBER = 3,

	MAPPING_ID = 1,
	MAPPING_FILE = 5,
	MAPPING_HAS_FUNCTIONS = 7,
	MAPPING_HAS_FILES = 8,
	MAPPING_HAS_LINES = 9,
	MAPPING_HAS_INLINE = 10,

	LOCATION_ID = 1,
	LOCATION_MAPPING = 2,
	LOCATION_LINE = 4,

	LINE_FUNCTION = 1,
	LINE_LINE = 2,

	FUNCTION_ID = 1,
	FUNCTION_NAME = 2,
	FUNCTION_FILE = 4,
};

#define THE_MAPPING 1

struct pprof {
	const struct snapshot *snap;
	struct gzip *gzip;
	struct stack_table *stacks;
	struct string_table *strings;
	struct proto top, message, part; /* scratch */
	int err;			 /* the first one */
};

static uint32_t string(struct pprof *p, const char *s)
{
	uint32_t number = 0;

	p->err = p->err ?: string_table__add(p->strings, s, &number);
	return number;
}

/* The top field is whole: out with it. */
static void flush(struct pprof *p)
{
	if (p->top.failed)
		p->err = p->err ?: -ENOMEM;
	p->err = p->err ?: gzip__write(p->gzip, p->top.data, p->top.size);
	proto__clear(&p->top);
}

/* message becomes a field of the profile. */
static void put_message(struct pprof *p, unsigned int field)
{
	proto__message(&p->top, field, &p->message);
	proto__clear(&p->message);
	flush(p);
}

static void put_number(struct pprof *p, unsigned int field, uint64_t value)
{
	proto__number(&p->top, field, value);
	flush(p);
}

/* part becomes a field of message. */
static void put_part(struct pprof *p, unsigned int field)
{
	proto__message(&p->message, field, &p->part);
	proto__clear(&p->part);
}

static void value_type(struct pprof *p, unsigned int field, const char *type, const char *unit)
{
	proto__number(&p->message, VALUE_TYPE_TYPE, string(p, type));
	proto__number(&p->message, VALUE_TYPE_UNIT, string(p, unit));
	put_message(p, field);
}

static void comment(struct pprof *p, const char *text)
{
	put_number(p, PROFILE_COMMENT, string(p, text));
}

static void put_baseline(struct pprof *p)
{
	const struct comparison *c = p->snap->comparison;
	_free_ char *sentence = c ? words__change(c) : NULL;
	_free_ char *per_worker = c ? words__per_worker(c) : NULL;

	if (!c)
		return;
	comment(p, sentence ?: "?");
	comment(p, per_worker ?: "?");
	for (size_t i = 0; i < c->n_remarks; i++)
		comment(p, c->remarks[i].text);
}

static void put_head(struct pprof *p)
{
	const struct snapshot_capture *capture = &p->snap->capture;
	_free_ char *who = words__processes(p->snap);
	char line[128];

	string(p, ""); /* the first string has to be the empty one */
	value_type(p, PROFILE_SAMPLE_TYPE, "copies", "count");
	value_type(p, PROFILE_SAMPLE_TYPE, "copied", "bytes");
	put_number(p, PROFILE_DEFAULT_SAMPLE_TYPE, string(p, "copied"));
	value_type(p, PROFILE_PERIOD_TYPE, "copies", "count");
	put_number(p, PROFILE_PERIOD, 1);
	put_number(p, PROFILE_TIME, capture->wall_time);
	put_number(p, PROFILE_DURATION, (uint64_t)(capture->seconds * 1e9));

	snprintf(line, sizeof(line), "cowtrace %s, witness %s", p->snap->version, capture->witness);
	comment(p, line);
	comment(p, who ?: "?");
	put_baseline(p);
	if (capture->cut) {
		comment(p, "cut off:");
		comment(p, capture->cut);
	}
	for (unsigned int i = 0; i < CT_LOST_MAX; i++) {
		if (!capture->lost_by_reason[i])
			continue;
		snprintf(line, sizeof(line), "lost copies, which are not in here: %llu %s",
			 (unsigned long long)capture->lost_by_reason[i], words__lost(i));
		comment(p, line);
	}
}

/* One for all: frames of Python have no addresses, and native names have been looked up. */
static void put_mapping(struct pprof *p)
{
	const struct snapshot *snap = p->snap;

	proto__number(&p->message, MAPPING_ID, THE_MAPPING);
	if (snap->n_processes)
		proto__number(&p->message, MAPPING_FILE, string(p, snap->processes[0].command));
	for (unsigned int has = MAPPING_HAS_FUNCTIONS; has <= MAPPING_HAS_INLINE; has++)
		proto__number(&p->message, has, true);
	put_message(p, PROFILE_MAPPING);
}

static void put_function(struct pprof *p, uint32_t id, const struct snapshot_frame *frame)
{
	proto__number(&p->message, FUNCTION_ID, id);
	proto__number(&p->message, FUNCTION_NAME, string(p, frame->function));
	proto__number(&p->message, FUNCTION_FILE, string(p, frame->file));
	put_message(p, PROFILE_FUNCTION);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* Frames are sorted by function, file and line: those of one function are neighbours. */
static void put_locations(struct pprof *p)
{
	const struct snapshot_frame *before = NULL;
	uint32_t function = 0;

	for (uint32_t i = 0; i < stack_table__count(p->stacks); i++) {
		const struct snapshot_frame *frame = stack_table__frame(p->stacks, i);

		if (!before || !same_text(before->function, frame->function) ||
		    !same_text(before->file, frame->file))
			put_function(p, ++function, frame);
		before = frame;
		proto__number(&p->part, LINE_FUNCTION, function);
		proto__number(&p->part, LINE_LINE, frame->line);
		proto__number(&p->message, LOCATION_ID, i + 1);
		proto__number(&p->message, LOCATION_MAPPING, THE_MAPPING);
		put_part(p, LOCATION_LINE);
		put_message(p, PROFILE_LOCATION);
	}
}

static void label(struct pprof *p, const char *key, const char *value)
{
	if (!value)
		return;
	proto__number(&p->part, LABEL_KEY, string(p, key));
	proto__number(&p->part, LABEL_STRING, string(p, value));
	put_part(p, SAMPLE_LABEL);
}

/* The numbers of a sample; base: of the older run. */
struct sample {
	const struct snapshot_stack *stack;
	uint64_t copies, bytes;
	bool base;
};

static void put_labels(struct pprof *p, const struct sample *sample)
{
	const struct snapshot_stack *stack = sample->stack;
	const struct comparison *c = p->snap->comparison;
	_free_ char *role = c ? words__role(&c->processes.rows[stack->process]) : NULL;

	if (!c && stack->pid) {
		proto__number(&p->part, LABEL_KEY, string(p, "pid"));
		proto__number(&p->part, LABEL_NUMBER, stack->pid);
		put_part(p, SAMPLE_LABEL);
	}
	label(p, stack->pid || c ? "command" : "group", c ? role ?: "?" : stack->command);
	label(p, "cause", stack->cause);
	label(p, "type", stack->type);
	label(p, "certainty", stack->certainty);
	label(p, "origin", stack->origin);
	if (sample->base)
		label(p, "pprof::base", "true");
}

static void put_sample(struct pprof *p, const struct sample *sample)
{
	const uint32_t *numbers = stack_table__numbers(p->stacks, sample->stack);
	uint64_t sign = sample->base ? UINT64_MAX : 1; /* -1, as two's complement has it */

	if (!sample->copies && !sample->bytes)
		return;
	for (uint32_t i = sample->stack->n; i-- > 0;) /* leaf first */
		proto__item(&p->part, numbers[i] + 1);
	put_part(p, SAMPLE_LOCATION);
	proto__item(&p->part, sign * sample->copies);
	proto__item(&p->part, sign * sample->bytes);
	put_part(p, SAMPLE_VALUE);
	put_labels(p, sample);
	put_message(p, PROFILE_SAMPLE);
}

static void put_difference(struct pprof *p)
{
	const struct comparison *c = p->snap->comparison;

	for (size_t i = 0; i < c->n_stacks; i++) {
		const struct comparison_side *now = &c->weights[i].newer,
					     *then = &c->weights[i].older;

		put_sample(p, &(struct sample){.stack = &c->stacks[i],
					       .copies = comparison__per_worker(now->copies,
										c->newer_workers),
					       .bytes = now->per_worker});
		put_sample(p, &(struct sample){.stack = &c->stacks[i],
					       .copies = comparison__per_worker(then->copies,
										c->older_workers),
					       .bytes = then->per_worker,
					       .base = true});
	}
}

static void put_samples(struct pprof *p)
{
	const struct snapshot *snap = p->snap;

	if (snap->comparison) {
		put_difference(p);
		return;
	}
	for (size_t i = 0; i < snap->n_stacks; i++)
		put_sample(p,
			   &(struct sample){.stack = &snap->stacks[i],
					    .copies = snap->stacks[i].copies,
					    .bytes = snapshot__bytes(snap, snap->stacks[i].pages)});
}

static void put_strings(struct pprof *p)
{
	for (size_t i = 0; i < string_table__count(p->strings); i++) {
		const char *s = string_table__get(p->strings, i);

		proto__bytes(&p->top, PROFILE_STRING, s, strlen(s));
		flush(p);
	}
}

static int pprof__write(const struct snapshot *snap, const struct sink_options *opt, FILE *out)
{
	const struct comparison *c = snap->comparison;
	struct pprof p = {.snap = snap};

	(void)opt;
	p.err = gzip__new(out, &p.gzip) ?: string_table__new(&p.strings) ?:
		stack_table__new(c ? c->stacks : snap->stacks, c ? c->n_stacks : snap->n_stacks,
				 &p.stacks);
	if (!p.err) {
		put_head(&p);
		put_samples(&p);
		put_mapping(&p);
		put_locations(&p);
		put_strings(&p);
		p.err = p.err ?: gzip__finish(p.gzip);
	}
	if (!p.err && (fflush(out) || ferror(out)))
		p.err = -EIO;
	proto__free(&p.top);
	proto__free(&p.message);
	proto__free(&p.part);
	stack_table__free(p.stacks);
	string_table__free(p.strings);
	gzip__free(p.gzip);
	return p.err;
}

const struct sink sink_pprof = {.name = "pprof", .write = pprof__write};
