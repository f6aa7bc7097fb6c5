/* SPDX-License-Identifier: MIT */
/*
 * Writes made-up captures through the sinks that other programs read, into a directory, for the
 * tests that open them there. Besides those of the golden tests: many stacks, deep stacks, and
 * names as long and as hostile as a file from elsewhere could hold them.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden_pairs.h"
#include "base/cleanup.h"
#include "sink/sink.h"

#define LONG_NAME 100000
#define MANY	  60000
#define FULL	  2660 /* of three frames each */

static void one_worker(struct world *w)
{
	master(w);
	worker(w, 4125, 1.2, 112512000, 12 * MIB);
}

/* Markup that would run, say or fetch something if anything took it for markup. */
static void case_markup(struct world *w)
{
	static const char *const names[] = {
		"<script>window.owned=1</script>",
		"\"/><image href=\"x\" onerror=\"window.owned=1\"/>",
		"]]></style><script>window.owned=1</script>",
		"</title></text></svg><h1>x</h1>",
		"&lt;b&gt; &amp; &#0; &unknown;",
		"\xe2\x80\xaegnp.exe\xe2\x81\xa6 \xe2\x80\x8b\xef\xbb\xbf",
		"\x1b[31mred\x1b]0;t\x07 \x7f \xc2\x9b",
		"\xff\xfe\xc0\x80 \xed\xa0\x80 \xef\xbf\xbe \xef\xbf\xbf",
		"\xf0\x9f\x90\x8d\xf4\x8f\xbf\xbf \xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87",
		"",
		"*/ expression(1) url(//x) <!-- -->",
		"${window.owned=1} {{7*7}} '\"`",
	};

	world__process(w, (struct process_facts){.pid = 6,
						 .command = (char *)names[0],
						 .python = names[2],
						 .started = START});
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct stack_fact *stack = STACK(w, CT_UNWIND_COMPLETE, {names[i], names[i], 7, 0},
						 {"/a.py", "f", 1, 0});

		world__copy(w, 311,
			    (struct deed){.pid = 6,
					  .cause = CAUSE_REFCOUNT,
					  .type = names[i],
					  .stack = stack});
		world__copy(w, 5,
			    (struct deed){.pid = 6,
					  .symbol = names[i],
					  .unwind = CT_UNWIND_NO_PYTHON,
					  .native = true});
	}
}

static void case_long(struct world *w)
{
	static const char unit[] = "<&\"\x1b\xe2\x80\xae"
				   "name";
	_free_ char *name = malloc(LONG_NAME + 1);
	struct stack_fact *stack;

	if (!name)
		abort();
	for (size_t i = 0; i < LONG_NAME; i++)
		name[i] = unit[i % (sizeof(unit) - 1)];
	name[LONG_NAME - LONG_NAME % (sizeof(unit) - 1)] = '\0';
	world__process(w, (struct process_facts){.pid = 6, .command = name, .started = START});
	stack = STACK(w, CT_UNWIND_COMPLETE, {name, name, 7, 0}, {name, "f", 1, 0});
	world__copy(w, 3, (struct deed){.pid = 6, .type = name, .stack = stack});
	world__copy(w, 2, (struct deed){.pid = 6, .symbol = name, .native = true});
}

/* As deep as stacks get. */
static void case_deep(struct world *w)
{
	struct frame_fact frames[MAX_FRAMES + 9];
	struct stack_fact *stack;

	one_worker(w);
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		frames[i] = (struct frame_fact){.file = "/srv/app/tree.py",
						.function = i % 2 ? "Tree.walk" : "Tree.visit",
						.line = (uint32_t)(20 + i % 2)};
	stack = world__stack(w, CT_UNWIND_TOO_DEEP, sizeof(frames) / sizeof(frames[0]), frames);
	world__copy(w, 4099,
		    (struct deed){
			    .pid = 4125, .cause = CAUSE_REFCOUNT, .type = "Node", .stack = stack});
}

static void many_functions(struct world *w, unsigned int n)
{
	static const uint8_t causes[] = {CAUSE_REFCOUNT, CAUSE_GC_HEADER, CAUSE_MUTATION,
					 CAUSE_ALLOCATOR};
	char name[64], type[64];

	one_worker(w);
	for (unsigned int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "native_function_%u", i);
		snprintf(type, sizeof(type), "Type%u", i % 97);
		world__copy(w, i < 50 ? 2003 - i : 1 + i % 7,
			    (struct deed){.pid = i % 3 ? 4125 : 4121,
					  .cause = causes[i % 4],
					  .type = type,
					  .symbol = name,
					  .unwind = CT_UNWIND_NO_FRAME});
	}
}

/* More than can be drawn. */
static void case_many(struct world *w)
{
	many_functions(w, MANY);
}

/* As many as are drawn at most. */
static void case_full(struct world *w)
{
	many_functions(w, FULL);
}

static const struct golden_case more_cases[] = {
	{"markup", case_markup}, {"long", case_long}, {"deep", case_deep},
	{"many", case_many},	 {"full", case_full},
};

static const struct {
	const struct sink *sink;
	const char *suffix;
} outputs[] = {
	{&sink_json, "json"},	{&sink_flamegraph, "svg"},
	{&sink_pprof, "pb.gz"}, {&sink_speedscope, "speedscope.json"},
	{&sink_html, "html"},
};

static void write_outputs(const char *name, const struct snapshot *snap, const char *directory)
{
	const struct sink_options opt = {};

	for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++) {
		_free_ char *path = NULL;
		FILE *file;

		if (asprintf(&path, "%s/%s.%s", directory, name, outputs[i].suffix) < 0)
			abort();
		file = fopen(path, "w");
		if (!file || outputs[i].sink->write(snap, &opt, file) || fclose(file))
			err(1, "%s", path);
	}
}

static void write_case(const struct golden_case *c, const char *directory)
{
	struct world w;

	world__open(&w);
	c->build(&w);
	write_outputs(c->name, world__snapshot(&w), directory);
	world__close(&w);
}

static void write_pair(const struct golden_pair *pair, const char *directory)
{
	struct pair_world p;

	pair__open(pair, &p);
	write_outputs(pair->name, &p.snap, directory);
	pair__close(&p);
}

/* Everything that is hostile, long or much, before and after. */
static const struct golden_pair more_pairs[] = {
	{"markup_again", case_markup, case_markup},
	{"long_again", case_long, case_markup},
	{"many_again", case_many, case_full},
};

int main(int argc, char **argv)
{
	if (argc != 2)
		errx(2, "usage: render DIRECTORY");
	for (size_t i = 0; i < sizeof(golden_cases) / sizeof(golden_cases[0]); i++)
		write_case(&golden_cases[i], argv[1]);
	for (size_t i = 0; i < sizeof(more_cases) / sizeof(more_cases[0]); i++)
		write_case(&more_cases[i], argv[1]);
	for (size_t i = 0; i < N_PAIRS; i++)
		write_pair(&golden_pairs[i], argv[1]);
	for (size_t i = 0; i < sizeof(more_pairs) / sizeof(more_pairs[0]); i++)
		write_pair(&more_pairs[i], argv[1]);
	return 0;
}
