/* SPDX-License-Identifier: MIT */
/*
 * Names that a release changes. A directory often has a version in it, of the program or of Python:
 * /srv/app-1.2/app.py becomes /srv/app-1.3/app.py, .../python3.11/json/decoder.py one of
 * python3.12. Of the files that only one run has, those belong together whose paths have the
 * longest end in common, if that is true from both sides and of no other: which of two equally
 * good ones it is would be a guess.
 *
 * Commands may differ in numbers, of a version (python3.11) or of a worker (ForkPoolWorker-2):
 * those that differ in nothing else are one.
 */
#include "model/compare_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/intern.h"
#include "model/stack_table.h"

/* So many names with the same end have no clear partner. */
#define NEIGHBOURS 64

struct rename {
	const char *from, *to;
};

struct rename_list {
	struct rename *at; /* by from */
	size_t n;
};

struct renames {
	struct rename_list files, commands;
};

/* A name that only one run has. */
struct name {
	const char *s;
	size_t length;
	bool newer;
	const struct name *partner; /* the best one; NULL: none, or several */
	size_t common;
};

struct name_list {
	struct name *at;
	size_t n;
};

int compare__text(const char *a, const char *b)
{
	if (a == b)
		return 0;
	if (!a || !b)
		return a ? 1 : -1;
	return strcmp(a, b);
}

/* --- names that only one run has --------------------------------------------- */

static int order_names(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return strcmp(x->s, y->s) ?: x->newer - y->newer;
}

/* Leaves each name once, and none that both runs have. */
static void keep_single(struct name_list *list)
{
	size_t kept = 0, end;

	if (list->n)
		qsort(list->at, list->n, sizeof(*list->at), order_names);
	for (size_t i = 0; i < list->n; i = end) {
		for (end = i + 1; end < list->n && strcmp(list->at[i].s, list->at[end].s) == 0;)
			end++;
		if (list->at[i].newer == list->at[end - 1].newer)
			list->at[kept++] = list->at[i];
	}
	list->n = kept;
}

static void add_name(struct name_list *list, const char *s, bool newer)
{
	list->at[list->n++] = (struct name){.s = s, .length = strlen(s), .newer = newer};
}

static int order_renames(const void *a, const void *b)
{
	return strcmp(((const struct rename *)a)->from, ((const struct rename *)b)->from);
}

static int make_list(const struct name_list *names, struct rename_list *out)
{
	out->at = calloc(names->n + 1, sizeof(*out->at));
	if (!out->at)
		return -ENOMEM;
	for (size_t i = 0; i < names->n; i++)
		if (!names->at[i].newer && names->at[i].partner)
			out->at[out->n++] =
				(struct rename){names->at[i].s, names->at[i].partner->s};
	qsort(out->at, out->n, sizeof(*out->at), order_renames);
	return 0;
}

static const char *look_up(const struct rename_list *list, const char *name)
{
	const struct rename wanted = {.from = name};
	const struct rename *found =
		name ? bsearch(&wanted, list->at, list->n, sizeof(wanted), order_renames) : NULL;

	return found ? found->to : name;
}

/* --- files ------------------------------------------------------------------- */

/* From their ends: names with a common end become neighbours. */
static int order_ends(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	size_t i = x->length, k = y->length;

	while (i && k && x->s[i - 1] == y->s[k - 1]) {
		i--;
		k--;
	}
	if (!i || !k)
		return i ? 1 : k ? -1 : 0;
	return (unsigned char)x->s[i - 1] - (unsigned char)y->s[k - 1];
}

/* How many parts of two paths, from their ends on, are equal. */
static size_t common_parts(const struct name *x, const struct name *y)
{
	size_t i = x->length, k = y->length, parts = 0;

	if (!i || !k)
		return 0;
	while (i && k && x->s[i - 1] == y->s[k - 1]) {
		parts += x->s[i - 1] == '/';
		i--;
		k--;
	}
	/* one of them begins here, at a part of the other */
	if ((!i && k && y->s[k - 1] == '/') || (!k && i && x->s[i - 1] == '/'))
		parts++;
	return parts;
}

/* Every package has one of these. */
static bool is_common_name(const struct name *name)
{
	const char *slash = strrchr(name->s, '/');
	const char *last = slash ? slash + 1 : name->s;

	return strcmp(last, "__init__.py") == 0 || strcmp(last, "__main__.py") == 0;
}

/* Neighbours in one direction, until they have less in common than the best. */
static void look_along(const struct name_list *list, size_t at, int step, bool *several)
{
	struct name *name = &list->at[at];

	for (size_t n = 0, i = at + step; n < NEIGHBOURS && i < list->n; n++, i += step) {
		size_t common = common_parts(name, &list->at[i]);

		if (!common || common < name->common)
			return;
		if (list->at[i].newer == name->newer)
			continue;
		*several = common == name->common;
		name->partner = &list->at[i];
		name->common = common;
	}
}

static void find_partner(const struct name_list *list, size_t at)
{
	struct name *name = &list->at[at];
	bool several = false;

	look_along(list, at, -1, &several);
	look_along(list, at, 1, &several);
	if (several || name->common < (is_common_name(name) ? 2 : 1))
		name->partner = NULL;
}

static void match_files(struct name_list *list)
{
	if (list->n)
		qsort(list->at, list->n, sizeof(*list->at), order_ends);
	for (size_t i = 0; i < list->n; i++)
		find_partner(list, i);
	for (size_t i = 0; i < list->n; i++)
		if (!list->at[i].newer && list->at[i].partner &&
		    list->at[i].partner->partner != &list->at[i])
			list->at[i].partner = NULL;
}

static void add_files(struct name_list *list, const struct stack_table *frames, bool newer)
{
	const char *before = NULL;

	for (uint32_t i = 0; i < stack_table__count(frames); i++) {
		const char *file = stack_table__frame(frames, i)->file;

		if (file && file != before)
			add_name(list, file, newer);
		before = file;
	}
}

/* --- commands ---------------------------------------------------------------- */

#define DIGITS "0123456789"

static char next_letter(const char **s)
{
	*s += strspn(*s, DIGITS ".");
	return **s ? *(*s)++ : '\0';
}

static int compare_letters(const char *a, const char *b)
{
	char x, y;

	do {
		x = next_letter(&a);
		y = next_letter(&b);
	} while (x && x == y);
	return (unsigned char)x - (unsigned char)y;
}

/* The newer run's first: theirs are the names to be shown. */
static int order_letters(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return compare_letters(x->s, y->s) ?: y->newer - x->newer ?: strcmp(x->s, y->s);
}

/* With * for each number, allocated. */
static char *mask(const char *s)
{
	char *masked = malloc(strlen(s) + 1), *to = masked;

	while (masked && *s) {
		size_t n = strspn(s, DIGITS ".");

		if (n && strcspn(s, DIGITS) < n) {
			*to++ = '*';
			s += n;
		} else {
			*to++ = *s++;
		}
	}
	if (masked)
		*to = '\0';
	return masked;
}

/* What all of names are called; NULL: out of memory. */
static const char *common_name(const struct name *names, size_t n, struct intern *pool)
{
	_free_ char *masked = NULL;

	for (size_t i = 1; i < n && names[i].newer == names[0].newer; i++) {
		if (strcmp(names[i].s, names[0].s) == 0)
			continue;
		masked = mask(names[0].s);
		return masked ? intern__str(pool, masked) : NULL;
	}
	return names[0].s;
}

static int name_commands(struct name_list *list, struct intern *pool, struct rename_list *out)
{
	size_t end;

	out->at = calloc(list->n + 1, sizeof(*out->at));
	if (!out->at)
		return -ENOMEM;
	if (list->n)
		qsort(list->at, list->n, sizeof(*list->at), order_letters);
	for (size_t i = 0; i < list->n; i = end) {
		const char *name;

		for (end = i + 1;
		     end < list->n && compare_letters(list->at[i].s, list->at[end].s) == 0;)
			end++;
		name = common_name(&list->at[i], end - i, pool);
		if (!name)
			return -ENOMEM;
		for (size_t k = i; k < end; k++)
			out->at[out->n++] = (struct rename){list->at[k].s, name};
	}
	qsort(out->at, out->n, sizeof(*out->at), order_renames);
	return 0;
}

static void add_commands(struct name_list *list, const struct snapshot *snap, bool newer)
{
	for (size_t i = 0; i < snap->n_processes; i++)
		if (!i || snap->processes[i].command != snap->processes[i - 1].command)
			add_name(list, snap->processes[i].command, newer);
}

/* --- both -------------------------------------------------------------------- */

int renames__new(const struct snapshot *older, const struct stack_table *older_frames,
		 const struct snapshot *newer, const struct stack_table *newer_frames,
		 struct intern *pool, struct renames **out)
{
	size_t n_files = stack_table__count(older_frames) + stack_table__count(newer_frames);
	size_t n_commands = older->n_processes + newer->n_processes;
	_free_ struct name *file_names = calloc(n_files + 1, sizeof(*file_names));
	_free_ struct name *command_names = calloc(n_commands + 1, sizeof(*command_names));
	struct name_list files = {.at = file_names}, commands = {.at = command_names};
	struct renames *renames = calloc(1, sizeof(*renames));
	int err;

	if (!file_names || !command_names || !renames) {
		free(renames);
		return -ENOMEM;
	}
	add_files(&files, older_frames, false);
	add_files(&files, newer_frames, true);
	add_commands(&commands, older, false);
	add_commands(&commands, newer, true);
	keep_single(&files);
	match_files(&files);
	err = make_list(&files, &renames->files)
		      ?: name_commands(&commands, pool, &renames->commands);
	if (err)
		renames__free(renames);
	else
		*out = renames;
	return err;
}

void renames__free(struct renames *renames)
{
	if (!renames)
		return;
	free(renames->files.at);
	free(renames->commands.at);
	free(renames);
}

const char *renames__file(const struct renames *renames, const char *file)
{
	return look_up(&renames->files, file);
}

const char *renames__command(const struct renames *renames, const char *command)
{
	return look_up(&renames->commands, command);
}
