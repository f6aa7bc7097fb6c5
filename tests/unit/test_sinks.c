/* SPDX-License-Identifier: MIT */
/*
 * Golden tests: each made-up capture through each sink, compared byte for byte with
 * tests/golden/<case>.<sink>. scripts/update-golden writes the files anew. Of a flame graph, style
 * and script are left out, and a profile of pprof is compared as text.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "golden_cases.h"
#include "golden_file.h"
#include "golden_pairs.h"
#include "pprof_text.h"
#include "sink/sink.h"

/* Runs alone, and then those with an older one beside them. */
#define N_SINGLE (sizeof(golden_cases) / sizeof(golden_cases[0]))
#define N_CASES	 (N_SINGLE + N_PAIRS)

static const struct sink *const sinks[] = {&sink_text,	     &sink_json,  &sink_folded,
					   &sink_flamegraph, &sink_pprof, &sink_speedscope,
					   &sink_html};

#define N_SINKS (sizeof(sinks) / sizeof(sinks[0]))

static const char *name_of(size_t at)
{
	return at < N_SINGLE ? golden_cases[at].name : golden_pairs[at - N_SINGLE].name;
}

/* Its format can not show a difference, and cli.c refuses to try. */
static bool is_written(size_t at, const struct sink *sink)
{
	return at < N_SINGLE || sink != &sink_speedscope;
}

/* Cuts what stands between two words, wherever it does. */
static void cut(char *text, size_t *size, const char *from, const char *to)
{
	char *begin = strstr(text, from), *end;

	assert_non_null(begin);
	for (; begin; begin = strstr(begin, from)) {
		begin += strlen(from);
		end = strstr(begin, to);
		assert_non_null(end);
		memmove(begin, end, *size + 1 - (size_t)(end - text));
		*size -= (size_t)(end - begin);
	}
}

/* Without what is the same in all of them; the flame graph has files of its own. */
static char *make_readable(const struct sink *sink, char *output, size_t *size)
{
	if (sink == &sink_pprof)
		return pprof__text(output, size);
	if (sink == &sink_html)
		cut(output, size, "<div class=\"flame\">\n", "</div>\n</section>");
	if (sink == &sink_flamegraph || sink == &sink_html) {
		cut(output, size, "<style>\n", "</style>");
		cut(output, size, "<script>\n", "</script>");
	}
	return output;
}

static char *render(const struct snapshot *snap, const struct sink *sink,
		    const struct sink_options *opt, size_t *size)
{
	char *output = NULL;
	FILE *out = open_memstream(&output, size);

	assert_non_null(out);
	assert_int_equal(sink->write(snap, opt, out), 0);
	fclose(out);
	return make_readable(sink, output, size);
}

static char *render_pair(const struct golden_pair *pair, const struct sink *sink,
			 const struct sink_options *opt, size_t *size)
{
	struct pair_world p;
	char *output;

	pair__open(pair, &p);
	output = render(&p.snap, sink, opt, size);
	pair__close(&p);
	return output;
}

static char *render_case(size_t at, const struct sink *sink, const struct sink_options *opt,
			 size_t *size)
{
	char *output = NULL;
	struct world w;

	if (at >= N_SINGLE)
		return render_pair(&golden_pairs[at - N_SINGLE], sink, opt, size);
	world__open(&w);
	golden_cases[at].build(&w);
	output = render(world__snapshot(&w), sink, opt, size);
	world__close(&w);
	return output;
}

static void compare(size_t at, const struct sink *sink)
{
	const struct sink_options opt = {0};
	size_t size;
	_free_ char *got = render_case(at, sink, &opt, &size), *path = NULL;

	assert_true(asprintf(&path, "tests/golden/%s.%s", name_of(at), sink->name) > 0);
	golden__compare(path, got, size);
}

static void test_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CASES; i++)
		for (size_t k = 0; k < N_SINKS; k++)
			if (is_written(i, sinks[k]))
				compare(i, sinks[k]);
}

static void test_no_control_reaches_the_output(void **state)
{
	const struct sink_options opt = {.top = 100};

	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		for (size_t k = 0; k < N_SINKS; k++) {
			size_t size;
			_free_ char *output = render_case(i, sinks[k], &opt, &size);

			golden__no_control(name_of(i), output, size);
		}
	}
}

static void test_text_fits_100_columns(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		for (unsigned int top = 1; top < 20; top += 9) {
			const struct sink_options opt = {.top = top};
			size_t size;
			_free_ char *output = render_case(i, &sink_text, &opt, &size);

			golden__fits(name_of(i), output);
		}
	}
}

static void test_color_only_when_asked(void **state)
{
	const struct sink_options color = {.color = true}, plain = {0};
	size_t size;
	_free_ char *with = render_case(0, &sink_text, &color, &size);
	_free_ char *without = render_case(0, &sink_text, &plain, &size);

	(void)state;
	assert_non_null(strstr(with, "\033[1m"));
	assert_null(strchr(without, '\033'));
}

/* Parca refuses ids that do not count from 1 and a first string that is not empty; Pyroscope drops
 * what points to nothing; both want a mapping that says that names are there. */
static void check_pprof(char *text)
{
	static const char *const kinds[] = {"mapping", "function", "location"};
	unsigned int last[3] = {0}, types = 0, id, line_id, strings = 0;
	char kind[32];

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (sscanf(line, "%31s { id %u", kind, &id) == 2)
			for (int i = 0; i < 3; i++)
				if (strcmp(kind, kinds[i]) == 0)
					assert_int_equal(id, ++last[i]);
		if (sscanf(line, "location { id %u  mapping_id 1  line { function_id %u", &id,
			   &line_id) == 2)
			assert_in_range(line_id, 1, last[1]); /* it came before */
		if (strncmp(line, "location ", 9) == 0)
			assert_non_null(strstr(line, " line { function_id "));
		if (strncmp(line, "mapping ", 8) == 0)
			assert_non_null(strstr(line, " has_functions 1 "));
		if (strncmp(line, "string_table ", 13) == 0 && !strings++)
			assert_string_equal(line, "string_table \"\"");
		types += strncmp(line, "sample_type ", 12) == 0;
	}
	assert_int_equal(types, 2);
	assert_int_equal(last[0], 1);
	assert_true(last[1] <= last[2]);
}

static void test_pprof_is_what_its_readers_ask_for(void **state)
{
	const struct sink_options opt = {0};
	size_t size;

	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		_free_ char *text = render_case(i, &sink_pprof, &opt, &size);

		check_pprof(text);
	}
}

/* A disk that is full must not pass for a report that was written. */
static void test_failed_stream_is_reported(void **state)
{
	const struct sink_options opt = {0};
	struct world w;

	(void)state;
	world__open(&w);
	case_gunicorn(&w);
	for (size_t k = 0; k < N_SINKS; k++) {
		_fclose_ FILE *full = fopen("/dev/full", "w");

		assert_non_null(full);
		assert_int_equal(sinks[k]->write(world__snapshot(&w), &opt, full), -EIO);
	}
	world__close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_no_control_reaches_the_output),
		cmocka_unit_test(test_text_fits_100_columns),
		cmocka_unit_test(test_color_only_when_asked),
		cmocka_unit_test(test_pprof_is_what_its_readers_ask_for),
		cmocka_unit_test(test_failed_stream_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
