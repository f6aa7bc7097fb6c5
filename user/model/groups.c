/* SPDX-License-Identifier: MIT */
#include "model/groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/aggregate.h"
#include "model/snapshot.h"
#include "model/type_counts.h"

/* Copies of a process that has ended may be on their way for this long. */
#define QUIET_NS 60000000000ull

struct groups {
	struct group rows[GROUPS_MAX];
	uint32_t last_number;
	uint64_t retired;
	struct type_counts *types;
};

static void group__name(struct group *g, const char *name)
{
	size_t len = strlen(name);

	if (len >= sizeof(g->name)) { /* not in the middle of a character */
		len = sizeof(g->name) - 1;
		while (len && (name[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(g->name, name, len);
	g->name[len] = '\0';
}

int groups__new(struct groups **out)
{
	struct groups *g = calloc(1, sizeof(*g));
	int err = g ? type_counts__new(&g->types) : -ENOMEM;

	if (err) {
		free(g);
		return err;
	}
	group__name(&g->rows[GROUP_OTHER], "other");
	g->rows[GROUP_OTHER].number = ++g->last_number;
	*out = g;
	return 0;
}

void groups__free(struct groups *groups)
{
	if (!groups)
		return;
	type_counts__free(groups->types);
	free(groups);
}

/* --- places ------------------------------------------------------------------ */

/* Names are compared as they are kept: cut. */
static struct group *find_name(struct groups *groups, const char *name)
{
	struct group key;

	group__name(&key, name);
	for (size_t i = 0; i < GROUPS_MAX; i++)
		if (groups->rows[i].number && strcmp(groups->rows[i].name, key.name) == 0)
			return &groups->rows[i];
	return NULL;
}

static struct group *find_place(struct groups *groups, uint64_t now)
{
	struct group *oldest = NULL;

	for (size_t i = 0; i < GROUPS_MAX; i++) {
		struct group *g = &groups->rows[i];

		if (!g->number)
			return g;
		if (i == GROUP_OTHER || g->members || now < g->emptied + QUIET_NS)
			continue;
		if (!oldest || g->emptied < oldest->emptied)
			oldest = g;
	}
	groups->retired += oldest != NULL;
	return oldest;
}

unsigned int groups__find(struct groups *groups, const char *name, uint64_t now)
{
	struct group *g = find_name(groups, name);

	if (!g) {
		g = find_place(groups, now);
		if (!g)
			return GROUP_OTHER;
		*g = (struct group){.number = ++groups->last_number, .emptied = now};
		group__name(g, name);
	}
	return (unsigned int)(g - groups->rows);
}

void groups__begin(struct groups *groups, unsigned int group)
{
	groups->rows[group].members++;
}

void groups__end(struct groups *groups, unsigned int group, uint64_t reuses, uint64_t now)
{
	struct group *g = &groups->rows[group];

	g->reuses_ended += reuses;
	if (--g->members == 0)
		g->emptied = now;
}

/* --- copies ------------------------------------------------------------------ */

void groups__copy(struct groups *groups, unsigned int group, const struct verdict *verdict,
		  uint64_t pages, bool uncounted)
{
	struct group *g = &groups->rows[group];

	g->copies[verdict->cause]++;
	g->pages[verdict->cause] += pages;
	g->uncounted += uncounted;
	if (verdict->type)
		type_counts__add(groups->types, verdict->type);
}

void groups__python(struct groups *groups, unsigned int group, const char *python)
{
	struct group *g = &groups->rows[group];

	if (python && !g->python[0] && strlen(python) < sizeof(g->python))
		strcpy(g->python, python);
}

/* --- processes --------------------------------------------------------------- */

void groups__look_begin(struct groups *groups)
{
	for (size_t i = 0; i < GROUPS_MAX; i++) {
		groups->rows[i].next = (struct group_gauges){};
		groups->rows[i].reuses_living = 0;
	}
}

static uint64_t known(uint64_t bytes)
{
	return bytes == SNAPSHOT_UNKNOWN ? 0 : bytes;
}

void groups__look(struct groups *groups, unsigned int group, const struct process_facts *facts)
{
	struct group *g = &groups->rows[group];

	g->next.processes++;
	g->next.shared_at_fork += known(facts->shared_at_fork);
	g->next.shared_now += known(facts->shared_now);
	g->next.fresh += known(facts->new_bytes);
	g->reuses_living += facts->reuses;
}

void groups__look_end(struct groups *groups)
{
	for (size_t i = 0; i < GROUPS_MAX; i++) {
		struct group *g = &groups->rows[i];
		uint64_t reuses = g->reuses_ended + g->reuses_living;

		g->now = g->next;
		/* Both parts at once: a counter never goes back. */
		g->reuses = reuses > g->reuses ? reuses : g->reuses;
	}
}

const struct group *groups__rows(const struct groups *groups)
{
	return groups->rows;
}

uint64_t groups__retired(const struct groups *groups)
{
	return groups->retired;
}

const struct group_type *groups__types(const struct groups *groups, size_t *n)
{
	return type_counts__rows(groups->types, n);
}
