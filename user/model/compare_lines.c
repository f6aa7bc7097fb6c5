/* SPDX-License-Identifier: MIT */
/*
 * Lines of a function move between releases: an import at the top of a file moves all of them. If
 * lines were matched by their numbers, everything would be gone and have appeared; and worse, a
 * line that took the number of another one would be compared with it. So, within a function of a
 * file, and each line once:
 *
 * 1. lines with the same text, if that is at hand (a recording quotes its heaviest lines);
 * 2. lines that moved by as much as the most others of the function did; if that is true of several
 *    distances, by as much as the most others of the file;
 * 3. what remains, in its order: lines that were rewritten.
 *
 * Only functions with the same name are compared. One that was renamed is gone and has appeared.
 */
#include "model/compare_parts.h"

#include <stdbool.h>
#include <string.h>

/* The first so many lines of each run say by how much all may have moved. */
#define SAMPLES 16

/* How many distances of a file are counted. */
#define DISTANCES 64

/* Of one function, or of one file. */
struct lines {
	struct line *at;
	size_t n;
};

/* By how much lines of a file have moved. */
struct distances {
	struct {
		int64_t distance;
		size_t n; /* of lines */
	} at[DISTANCES];
	size_t n;
	int64_t best;
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

static int64_t nth_distance(struct lines older, struct lines newer, size_t i, size_t k)
{
	return (int64_t)newer.at[k].line - older.at[i].line;
}

/* Better than the best so far: more lines agree; else it is that of the file, or less. */
static bool is_better(size_t n, int64_t distance, size_t most, int64_t best, int64_t file)
{
	if (n != most)
		return n > most;
	if ((distance == file) != (best == file))
		return distance == file;
	return magnitude(distance) < magnitude(best);
}

static void match_distance(struct lines older, struct lines newer, int64_t file)
{
	size_t most = agree(older, newer, 0, false);
	int64_t best = 0;

	for (size_t i = 0; i < older.n && i < SAMPLES; i++) {
		for (size_t k = 0; k < newer.n && k < SAMPLES; k++) {
			int64_t distance = nth_distance(older, newer, i, k);
			size_t n = agree(older, newer, distance, false);

			if (!is_better(n, distance, most, best, file))
				continue;
			most = n;
			best = distance;
		}
	}
	agree(older, newer, best, true);
}

static void add_distance(struct distances *all, int64_t distance)
{
	size_t i = 0;

	while (i < all->n && all->at[i].distance != distance)
		i++;
	if (i == DISTANCES)
		return;
	if (i == all->n) {
		all->at[i].distance = distance;
		all->at[all->n++].n = 0;
	}
	all->at[i].n++;
}

/* Pairs of lines of one function that could be the same one, and of those that are. */
static void count_distances(struct lines older, struct lines newer, struct distances *all)
{
	for (size_t i = 0; i < older.n && i < SAMPLES; i++) {
		if (!is_free(&older.at[i])) {
			add_distance(all, (int64_t)older.at[i].partner - older.at[i].line);
			continue;
		}
		for (size_t k = 0; k < newer.n && k < SAMPLES; k++)
			if (is_free(&newer.at[k]))
				add_distance(all, nth_distance(older, newer, i, k));
	}
}

static void find_best(struct distances *all)
{
	size_t most = 0;

	all->best = 0;
	for (size_t i = 0; i < all->n; i++) {
		if (!is_better(all->at[i].n, all->at[i].distance, most, all->best, 0))
			continue;
		most = all->at[i].n;
		all->best = all->at[i].distance;
	}
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

/* --- files and their functions ----------------------------------------------- */

static int compare_files(const struct line *a, const struct line *b)
{
	return compare__text(a->file, b->file);
}

static int compare_functions(const struct line *a, const struct line *b)
{
	return compare_files(a, b) ?: compare__text(a->function, b->function);
}

/* Takes the first lines that are equal by compare. */
static struct lines take(struct lines *rest,
			 int (*compare)(const struct line *a, const struct line *b))
{
	struct lines first = {.at = rest->at};

	while (first.n < rest->n && compare(&first.at[0], &first.at[first.n]) == 0)
		first.n++;
	rest->at += first.n;
	rest->n -= first.n;
	return first;
}

/* The next ones that are in both, by compare. False: there are no more. */
static bool next(struct lines *older, struct lines *newer,
		 int (*compare)(const struct line *a, const struct line *b), struct lines *then,
		 struct lines *now)
{
	while (older->n && newer->n) {
		int order = compare(older->at, newer->at);

		if (order <= 0)
			*then = take(older, compare);
		if (order >= 0)
			*now = take(newer, compare);
		if (order == 0)
			return true;
	}
	return false;
}

static void match_file(struct lines older, struct lines newer)
{
	struct lines then, now, older_rest = older, newer_rest = newer;
	struct distances distances = {};

	while (next(&older_rest, &newer_rest, compare_functions, &then, &now)) {
		match_texts(then, now);
		count_distances(then, now, &distances);
	}
	find_best(&distances);
	while (next(&older, &newer, compare_functions, &then, &now)) {
		match_distance(then, now, distances.best);
		match_order(then, now);
	}
}

void lines__match(struct line *older, size_t n_older, struct line *newer, size_t n_newer)
{
	struct lines all_then = {older, n_older}, all_now = {newer, n_newer}, then, now;

	while (next(&all_then, &all_now, compare_files, &then, &now))
		match_file(then, now);
}
