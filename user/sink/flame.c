/* SPDX-License-Identifier: MIT */
#include "sink/flame.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "model/compare.h"
#include "model/snapshot.h"
#include "model/stack_table.h"
#include "sink/string_table.h"
#include "sink/words.h"

/* A stack as a path from the root: level 1 is its process, the last ones are cause and type. In a
 * comparison, level 1 is the part that it belongs to. */
struct row {
	const struct snapshot_stack *stack;
	const uint32_t *numbers; /* of its frames */
	uint32_t cause, type;	 /* numbers of the names */
	uint8_t part;		 /* FLAME_NOW, FLAME_LESS; 0: there are no parts */
	uint64_t bytes, copies, older, newer;
};

struct builder {
	const struct snapshot *snap;
	const struct comparison *comparison; /* NULL: a graph of the snapshot alone */
	struct stack_table *stacks;
	struct string_table *names;
	struct row *rows;
	size_t n_rows;
	struct flame_node *nodes;
	size_t n, room;
	uint32_t *path; /* nodes of the row before, by level */
};

/* --- rows, sorted so that those with a common beginning are neighbours ------- */

static uint32_t last_level(const struct row *row)
{
	return (row->part != 0) + 1 + row->stack->n + 1 + (row->stack->type != NULL);
}

/* What tells the nodes of one parent apart; 0 behind the end. */
static uint64_t key(const struct row *row, uint32_t level)
{
	uint32_t frames = row->stack->n;

	if (row->part && level == 1)
		return (uint64_t)row->part << 32;
	level -= row->part != 0;
	if (level == 1)
		return (uint64_t)FLAME_PROCESS << 32 | row->stack->process;
	if (level <= 1 + frames)
		return (uint64_t)FLAME_FRAME << 32 | row->numbers[level - 2];
	if (level == 2 + frames)
		return (uint64_t)FLAME_CAUSE << 32 | row->cause;
	if (level == 3 + frames && row->stack->type)
		return (uint64_t)FLAME_TYPE << 32 | row->type;
	return 0;
}

/* How many levels two rows have in common. */
static uint32_t common_levels(const struct row *a, const struct row *b)
{
	uint32_t level = 0;

	while (key(a, level + 1) && key(a, level + 1) == key(b, level + 1))
		level++;
	return level;
}

static int order_rows(const void *a, const void *b)
{
	uint32_t level = common_levels(a, b) + 1;
	uint64_t x = key(a, level), y = key(b, level);

	return x < y ? -1 : x > y;
}

static void add_rows(struct builder *b, const struct snapshot_stack *stacks, size_t i)
{
	const struct comparison_weight *weight = b->comparison ? &b->comparison->weights[i] : NULL;
	struct row *row = &b->rows[b->n_rows++];
	uint64_t then, now;

	*row = (struct row){.stack = &stacks[i],
			    .numbers = stack_table__numbers(b->stacks, &stacks[i]),
			    .copies = stacks[i].copies,
			    .bytes = snapshot__bytes(b->snap, stacks[i].pages)};
	if (!weight)
		return;
	row->part = FLAME_NOW;
	row->older = then = weight->older.per_worker;
	row->newer = row->bytes = now = weight->newer.per_worker;
	if (then <= now || comparison__state(then, now) == COMPARISON_SAME)
		return;
	b->rows[b->n_rows] = *row;
	row = &b->rows[b->n_rows++];
	row->part = FLAME_LESS;
	row->bytes = then - now;
	row->copies = weight->older.copies;
}

static int name_rows(struct builder *b)
{
	int err = 0;

	for (size_t i = 0; i < b->n_rows && !err; i++) {
		struct row *row = &b->rows[i];

		err = string_table__add(b->names, row->stack->cause, &row->cause);
		if (!err && row->stack->type)
			err = string_table__add(b->names, row->stack->type, &row->type);
	}
	return err;
}

static int make_rows(struct builder *b)
{
	const struct snapshot_stack *stacks =
		b->comparison ? b->comparison->stacks : b->snap->stacks;
	size_t n = b->comparison ? b->comparison->n_stacks : b->snap->n_stacks;
	int err = stack_table__new(stacks, n, &b->stacks) ?: string_table__new(&b->names);

	b->rows = calloc(2 * n + 1, sizeof(*b->rows));
	if (err || !b->rows)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		add_rows(b, stacks, i);
	err = name_rows(b);
	qsort(b->rows, b->n_rows, sizeof(*b->rows), order_rows);
	return err;
}

/* --- the whole tree ---------------------------------------------------------- */

static struct flame_node *add_node(struct builder *b, uint32_t parent)
{
	struct flame_node *node;

	if (b->n == b->room) {
		size_t room = b->room * 2 + 1024;
		struct flame_node *grown = realloc(b->nodes, room * sizeof(*grown));

		if (!grown)
			return NULL;
		b->nodes = grown;
		b->room = room;
	}
	node = &b->nodes[b->n++];
	*node = (struct flame_node){.parent = parent};
	if (b->n > 1)
		node->depth = b->nodes[parent].depth + 1;
	return node;
}

static int add_level(struct builder *b, const struct row *row, uint32_t level)
{
	struct flame_node *node = add_node(b, b->path[level - 1]);
	const struct snapshot_stack *stack = row->stack;

	if (!node)
		return -ENOMEM;
	node->kind = (uint8_t)(key(row, level) >> 32);
	node->less = row->part == FLAME_LESS;
	if (node->kind == FLAME_PROCESS && b->comparison)
		node->role = &b->comparison->processes.rows[stack->process];
	else if (node->kind == FLAME_PROCESS)
		node->process = &b->snap->processes[stack->process];
	else if (node->kind == FLAME_FRAME)
		node->frame = &stack->frames[level - 2 - (row->part != 0)];
	else if (node->kind == FLAME_CAUSE || node->kind == FLAME_TYPE)
		node->cause = stack->cause;
	if (node->kind == FLAME_CAUSE)
		node->name = stack->cause;
	if (node->kind == FLAME_TYPE)
		node->name = stack->type;
	b->path[level] = (uint32_t)b->n - 1;
	return 0;
}

static int add_row(struct builder *b, const struct row *row, uint32_t common)
{
	for (uint32_t level = common + 1; level <= last_level(row); level++)
		if (add_level(b, row, level))
			return -ENOMEM;
	for (uint32_t level = 0; level <= last_level(row); level++) {
		struct flame_node *node = &b->nodes[b->path[level]];

		node->bytes += row->bytes;
		if (!level && row->part == FLAME_LESS)
			continue; /* it has been counted as part of what is now */
		node->copies += row->copies;
		node->older += row->older;
		node->newer += row->newer;
	}
	return 0;
}

/* What is missing from the graph has a place in it. */
static int add_lost(struct builder *b, uint32_t parent, const char *name, uint64_t copies,
		    uint64_t bytes, uint64_t older)
{
	struct flame_node *node = add_node(b, parent);

	if (!node)
		return -ENOMEM;
	node->kind = FLAME_LOST;
	node->name = name;
	node->copies = copies;
	node->bytes = node->newer = bytes;
	node->older = older;
	return 0;
}

static int add_all_lost(struct builder *b)
{
	const struct snapshot_capture *capture = &b->snap->capture;
	uint32_t parent = (uint32_t)b->n;
	int err;

	if (!capture->lost)
		return 0;
	err = add_lost(b, 0, NULL, capture->lost, 0, 0);
	for (unsigned int i = 0; i < CT_LOST_MAX && !err; i++) {
		uint64_t bytes, older;

		if (!capture->lost_by_reason[i])
			continue;
		bytes = comparison__lost(b->snap, b->comparison, i, true);
		older = comparison__lost(b->snap, b->comparison, i, false);
		err = add_lost(b, parent, words__lost(i), capture->lost_by_reason[i], bytes, older);
		b->nodes[parent].bytes += bytes;
		b->nodes[parent].newer += bytes;
		b->nodes[parent].older += older;
	}
	if (!err) {
		b->nodes[0].copies += capture->lost;
		b->nodes[0].bytes += b->nodes[parent].bytes;
		b->nodes[0].newer += b->nodes[parent].newer;
		b->nodes[0].older += b->nodes[parent].older;
	}
	return err;
}

static int build(struct builder *b)
{
	uint32_t levels = 0;
	int err = 0;

	for (size_t i = 0; i < b->n_rows; i++)
		if (last_level(&b->rows[i]) > levels)
			levels = last_level(&b->rows[i]);
	b->path = calloc(levels + 1, sizeof(*b->path));
	if (!b->path || !add_node(b, 0))
		return -ENOMEM;
	for (size_t i = 0; i < b->n_rows && !err; i++)
		err = add_row(b, &b->rows[i], i ? common_levels(&b->rows[i - 1], &b->rows[i]) : 0);
	return err ?: add_all_lost(b);
}

/* --- leaving out ------------------------------------------------------------- */

static int order_numbers_down(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

/*
 * How many bytes a node must have to stay. A node is never smaller than what is below it, so that
 * parents stay with their children. Of nodes that are equal, all stay or none.
 */
static int find_smallest(const struct builder *b, size_t max, uint64_t *out)
{
	_free_ uint64_t *sizes = calloc(b->n, sizeof(*sizes));

	if (!sizes)
		return -ENOMEM;
	for (size_t i = 0; i < b->n; i++)
		sizes[i] = b->nodes[i].bytes;
	qsort(sizes, b->n, sizeof(*sizes), order_numbers_down);
	*out = b->n > max ? sizes[max] + 1 : 1;
	return 0;
}

static bool stays(const struct flame *flame, const struct flame_node *node)
{
	return node->bytes >= flame->smallest;
}

/* Counts what is left out at the nearest node that stays. places: where each node comes to. */
static void count_dropped(struct builder *b, struct flame *flame, uint32_t *places)
{
	for (size_t i = 0; i < b->n; i++) {
		struct flame_node *node = &b->nodes[i];

		if (stays(flame, node) || !i) {
			places[i] = (uint32_t)flame->n;
			flame->nodes[flame->n] = *node;
			flame->nodes[flame->n++].parent = places[node->parent];
		} else {
			places[i] = places[node->parent];
			/* of a comparison: what is gone is among what is less */
			flame->nodes[places[i]].dropped += node->bytes > 0;
			flame->dropped += node->bytes > 0;
		}
	}
}

/* One node for all that is left out right below a node, if together it can be seen. */
static void add_rests(const struct builder *b, struct flame *flame, const uint32_t *places)
{
	size_t kept = flame->n;
	struct flame_node *rests = flame->nodes + kept;

	for (size_t i = 0; i < kept; i++)
		rests[i] = (struct flame_node){.kind = FLAME_REST,
					       .parent = (uint32_t)i,
					       .depth = flame->nodes[i].depth + 1,
					       .less = flame->nodes[i].less,
					       .dropped = flame->nodes[i].dropped};
	for (size_t i = 1; i < b->n; i++) {
		const struct flame_node *node = &b->nodes[i];

		if (stays(flame, node) || !stays(flame, &b->nodes[node->parent]))
			continue;
		rests[places[i]].bytes += node->bytes;
		rests[places[i]].copies += node->copies;
		rests[places[i]].older += node->older;
		rests[places[i]].newer += node->newer;
	}
	for (size_t i = 0; i < kept; i++)
		if (rests[i].bytes && stays(flame, &rests[i]))
			flame->nodes[flame->n++] = rests[i];
}

/* --- places ------------------------------------------------------------------ */

/* The largest first; what is no stack comes last. */
static int order_siblings(const void *a, const void *b)
{
	const struct flame_node *x = *(struct flame_node *const *)a;
	const struct flame_node *y = *(struct flame_node *const *)b;
	int late_x = x->kind >= FLAME_LESS ? x->kind : 0;
	int late_y = y->kind >= FLAME_LESS ? y->kind : 0;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (late_x != late_y)
		return late_x - late_y;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return x < y ? -1 : x > y; /* by name: so they were made */
}

static int order_nodes(const void *a, const void *b)
{
	const struct flame_node *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->depth < y->depth ? -1 : x->depth > y->depth;
}

/* Parents stand before their children in nodes, and so in the sorted siblings. */
static int place(struct flame *flame)
{
	_free_ struct flame_node **siblings = calloc(flame->n, sizeof(*siblings));
	uint64_t next = 0;

	if (!siblings)
		return -ENOMEM;
	for (size_t i = 1; i < flame->n; i++)
		siblings[i - 1] = &flame->nodes[i];
	qsort(siblings, flame->n - 1, sizeof(*siblings), order_siblings);
	for (size_t i = 0; i + 1 < flame->n; i++) {
		if (!i || siblings[i - 1]->parent != siblings[i]->parent)
			next = flame->nodes[siblings[i]->parent].start;
		siblings[i]->start = next;
		next += siblings[i]->bytes;
		if (siblings[i]->depth > flame->depth)
			flame->depth = siblings[i]->depth;
	}
	qsort(flame->nodes, flame->n, sizeof(*flame->nodes), order_nodes);
	return 0;
}

static int reduce(struct builder *b, size_t max, struct flame *flame)
{
	_free_ uint32_t *places = calloc(b->n, sizeof(*places));
	int err = find_smallest(b, max, &flame->smallest);
	size_t kept = 1;

	for (size_t i = 1; i < b->n; i++)
		kept += stays(flame, &b->nodes[i]);
	/* room for a rest below each */
	flame->nodes = calloc(kept * 2, sizeof(*flame->nodes));
	if (err || !places || !flame->nodes)
		return -ENOMEM;
	count_dropped(b, flame, places);
	add_rests(b, flame, places);
	return place(flame);
}

static int make(struct builder *b, size_t max, struct flame **out)
{
	struct flame *flame = calloc(1, sizeof(*flame));
	int err = flame ? 0 : -ENOMEM;

	err = err ?: make_rows(b) ?: build(b) ?: reduce(b, max, flame);
	stack_table__free(b->stacks);
	string_table__free(b->names);
	free(b->rows);
	free(b->nodes);
	free(b->path);
	if (err)
		flame__free(flame);
	else
		*out = flame;
	return err;
}

int flame__new(const struct snapshot *snap, size_t max, struct flame **out)
{
	struct builder b = {.snap = snap};

	return make(&b, max, out);
}

int flame__new_changed(const struct snapshot *snap, size_t max, struct flame **out)
{
	struct builder b = {.snap = snap, .comparison = snap->comparison};

	return make(&b, max, out);
}

void flame__free(struct flame *flame)
{
	if (!flame)
		return;
	free(flame->nodes);
	free(flame);
}
