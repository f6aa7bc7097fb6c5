/* SPDX-License-Identifier: MIT */
/*
 * Lines of a function move between releases: an import at the top of a file moves all of them. If
 * lines were matched by their numbers, everything would be gone and have appeared; and worse, a
 * line that took the number of another one would be compared with it. So, within a function of a
 * file, and each line once:
 *
 * 1. lines with the same text, if that is at hand (a recording quotes its heaviest lines);
 * 2. lines that moved by as much as the most others did, which mostly is by nothing;
 * 3. what remains, in its order: lines that were rewritten.
 *
 * Only functions with the same name are compared. One that was renamed is gone and has appeared.
 */
#include "model/compare_parts.h"

#include <stdbool.h>
#include <string.h>

/* The first so many lines of each run say by how much all may have moved. */
#define SAMPLES 16

/* Of one function. */
struct lines {
	struct line *at;
	size_t n;
};

static void pair(struct line *older, struct line *newer)
{
	older->partner = newer->line;
	newer->partner = older->line;
}

static bool is_free(const struct line *line)
{
	return !line->partner;
}

/* --- 1: the same text -------------------------------------------------------- */

/* Indentation is no difference. */
static bool same_text(const char *a, const char *b)
{
	return a && b && strcmp(a + strspn(a, " \t"), b + strspn(b, " \t")) == 0;
}

static bool other_text(const struct line *older, const struct line *newer)
{
	return older->source && newer->source && !same_text(older->source, newer->source);
}

static void pair_texts(struct line *older, struct lines newer, bool same_line)
{
	for (size_t i = 0; i < newer.n && is_free(older); i++)
		if (is_free(&newer.at[i]) && (!same_line || newer.at[i].line == older->line) &&
		    same_text(older->source, newer.at[i].source))
			pair(older, &newer.at[i]);
}

/* Those that have not moved first: the same text may stand in a function twice. */
static void match_texts(struct lines older, struct lines newer)
{
	for (int same_line = 1; same_line >= 0; same_line--)
		for (size_t i = 0; i < older.n; i++)
			if (older.at[i].source)
				pair_texts(&older.at[i], newer, same_line);
}

/* --- 2: the same distance ---------------------------------------------------- */

/* Counts the lines that agree with a distance, and pairs them, if wanted. */
static size_t agree(struct lines older, struct lines newer, int64_t distance, bool wanted)
{
	size_t k = 0, n = 0;

	for (size_t i = 0; i < older.n; i++) {
		while (k < newer.n && newer.at[k].line < older.at[i].line + distance)
			k++;
		if (k == newer.n)
			break;
		if (newer.at[k].line != older.at[i].line + distance || !is_free(&older.at[i]) ||
		    !is_free(&newer.at[k]) || other_text(&older.at[i], &newer.at[k]))
			continue;
		n++;
		if (wanted)
			pair(&older.at[i], &newer.at[k]);
	}
	return n;
}

static int64_t magnitude(int64_t n)
{
	return n < 0 ? -n : n;
}

static void match_distance(struct lines older, struct lines newer)
{
	size_t most = agree(older, newer, 0, false);
	int64_t best = 0;

	for (size_t i = 0; i < older.n && i < SAMPLES; i++) {
		for (size_t k = 0; k < newer.n && k < SAMPLES; k++) {
			int64_t distance = (int64_t)newer.at[k].line - older.at[i].line;
			size_t n = agree(older, newer, distance, false);

			if (n < most || (n == most && magnitude(distance) >= magnitude(best)))
				continue;
			most = n;
			best = distance;
		}
	}
	agree(older, newer, best, true);
}

/* --- 3: the same order ------------------------------------------------------- */

static void match_order(struct lines older, struct lines newer)
{
	size_t i = 0, k = 0;

	for (;;) {
		while (i < older.n && !is_free(&older.at[i]))
			i++;
		while (k < newer.n && !is_free(&newer.at[k]))
			k++;
		if (i == older.n || k == newer.n)
			return;
		pair(&older.at[i], &newer.at[k]);
	}
}

/* --- functions --------------------------------------------------------------- */

static int compare_functions(const struct line *a, const struct line *b)
{
	return compare__text(a->function, b->function) ?: compare__text(a->file, b->file);
}

static struct lines first_function(struct line *at, size_t n)
{
	struct lines lines = {.at = at};

	while (lines.n < n && compare_functions(&at[0], &at[lines.n]) == 0)
		lines.n++;
	return lines;
}

void lines__match(struct line *older, size_t n_older, struct line *newer, size_t n_newer)
{
	while (n_older && n_newer) {
		struct lines then = first_function(older, n_older);
		struct lines now = first_function(newer, n_newer);
		int order = compare_functions(older, newer);

		if (order == 0) {
			match_texts(then, now);
			match_distance(then, now);
			match_order(then, now);
		}
		if (order <= 0) {
			older += then.n;
			n_older -= then.n;
		}
		if (order >= 0) {
			newer += now.n;
			n_newer -= now.n;
		}
	}
}
