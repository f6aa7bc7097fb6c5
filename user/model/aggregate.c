/* SPDX-License-Identifier: MIT */
#include "model/aggregate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "base/log.h"
#include "model/counts.h"

/* The map has a place for each 4 KiB, whatever the machine's pages are. */
#define PAGE_SHIFT 12

_Noreturn void counts__out_of_memory(void)
{
	log_error("out of memory while counting; trace for a shorter time or fewer processes");
	abort();
}

static void *must_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		counts__out_of_memory();
	return p;
}

int aggregate__new(struct intern *pool, struct aggregate **out)
{
	struct aggregate *agg = calloc(1, sizeof(*agg));

	if (!agg)
		return -ENOMEM;
	agg->pool = pool;
	if (history__new(&agg->history) || pages__new(&agg->map)) {
		aggregate__free(agg);
		return -ENOMEM;
	}
	*out = agg;
	return 0;
}

static void free_slot(struct pid_slot *slot)
{
	struct ledger *ledger, *older;

	for (ledger = slot->newest; ledger; ledger = older) {
		older = ledger->older;
		free(ledger);
	}
	free(slot);
}

void aggregate__free(struct aggregate *agg)
{
	struct count *count, *next_count;
	struct pid_slot *slot, *next_slot;

	if (!agg)
		return;
	HASH_ITER (hh, agg->counts, count, next_count) {
		HASH_DEL(agg->counts, count);
		free(count);
	}
	HASH_ITER (hh, agg->pids, slot, next_slot) {
		HASH_DEL(agg->pids, slot);
		free_slot(slot);
	}
	history__free(agg->history);
	pages__free(agg->map);
	derive__free(agg->derived);
	free(agg);
}

void aggregate__bound(struct aggregate *agg, size_t max_counts)
{
	agg->max_counts = max_counts;
}

uint64_t aggregate__folded(const struct aggregate *agg)
{
	return agg->folded;
}

/* --- processes --------------------------------------------------------------- */

static struct pid_slot *find_slot(const struct aggregate *agg, uint32_t pid)
{
	struct pid_slot *slot;

	HASH_FIND(hh, agg->pids, &pid, sizeof(pid), slot);
	return slot;
}

static struct pid_slot *find_or_add_slot(struct aggregate *agg, uint32_t pid)
{
	struct pid_slot *slot = find_slot(agg, pid);

	if (slot)
		return slot;
	slot = must_alloc(sizeof(*slot));
	slot->pid = pid;
	HASH_ADD(hh, agg->pids, pid, sizeof(slot->pid), slot);
	return slot;
}

/* Keeps the processes of a pid in order, so that newest is the one that started last. */
static struct ledger *add_ledger(struct aggregate *agg, struct pid_slot *slot, uint64_t started)
{
	struct ledger *ledger = must_alloc(sizeof(*ledger)), **at = &slot->newest;

	while (*at && (*at)->facts.started > started)
		at = &(*at)->older;
	ledger->facts.pid = slot->pid;
	ledger->facts.started = started;
	ledger->older = *at;
	*at = ledger;
	ledger->id = ++agg->n_ledgers;
	agg->recent[slot->pid % RECENT_PIDS] = NULL;
	return ledger;
}

static struct ledger *add_unnamed(struct aggregate *agg, struct pid_slot *slot)
{
	struct ledger *ledger = add_ledger(agg, slot, 0);

	ledger->unnamed = true;
	ledger->facts.command = intern__str(agg->pool, "?");
	ledger->facts.shared_at_fork = SNAPSHOT_UNKNOWN;
	ledger->facts.shared_now = SNAPSHOT_UNKNOWN;
	ledger->facts.new_bytes = SNAPSHOT_UNKNOWN;
	ledger->facts.private_before = SNAPSHOT_UNKNOWN;
	return ledger;
}

/*
 * The process that had this pid at that time. Copies and forks travel in different rings, so a copy
 * may come before its process is known (it gets a ledger without a name, which the process takes
 * over), and clocks of /proc are coarse, so a copy may be a little older than the start of its
 * process.
 */
static struct ledger *find_ledger(struct aggregate *agg, uint32_t pid, uint64_t time)
{
	struct ledger *ledger = agg->recent[pid % RECENT_PIDS];
	struct pid_slot *slot;

	if (ledger && ledger->facts.pid == pid && ledger->facts.started <= time)
		return ledger;
	slot = find_or_add_slot(agg, pid);
	if (!slot->newest)
		add_unnamed(agg, slot);
	ledger = slot->newest;
	while (ledger->facts.started > time && ledger->older)
		ledger = ledger->older;
	if (ledger == slot->newest)
		agg->recent[pid % RECENT_PIDS] = ledger;
	return ledger;
}

uint32_t aggregate__process(struct aggregate *agg, const struct process_facts *process)
{
	struct pid_slot *slot = find_or_add_slot(agg, process->pid);
	struct ledger *ledger = slot->newest;

	while (ledger && !ledger->unnamed && ledger->facts.started != process->started)
		ledger = ledger->older;
	if (!ledger)
		ledger = add_ledger(agg, slot, process->started);
	ledger->facts = *process;
	ledger->unnamed = false;
	return ledger->id;
}

static struct history_series *series_of(struct aggregate *agg, struct ledger *ledger)
{
	if (!ledger->series)
		ledger->series = history__series(agg->history);
	return ledger->series;
}

uint32_t aggregate__sample(struct aggregate *agg, uint32_t pid, uint64_t time, uint64_t new_bytes)
{
	struct ledger *ledger = find_ledger(agg, pid, facts__rounded(time));

	history__fresh(agg->history, series_of(agg, ledger), facts__rounded(time), new_bytes);
	return ledger->id;
}

uint64_t aggregate__copies(const struct aggregate *agg)
{
	return agg->copies;
}

uint64_t aggregate__pages(const struct aggregate *agg)
{
	return agg->pages;
}

uint64_t aggregate__process_copies(const struct aggregate *agg, uint32_t pid)
{
	const struct pid_slot *slot = find_slot(agg, pid);

	return slot ? slot->newest->copies : 0;
}

/* --- copies: the hot path ---------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 29;
}

/* Pointers and small numbers: one multiplication for each word spreads them well enough. */
static unsigned int hash_key(const struct count_key *key)
{
	uint64_t words[sizeof(*key) / sizeof(uint64_t)], hash = 0;

	memcpy(words, key, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		hash = mix(hash, words[i]);
	return (unsigned int)(hash ^ hash >> 32);
}

static const char *native_key(const struct fault_facts *facts)
{
	if (facts->kernel)
		return facts->syscall;
	return facts->symbol ? facts->symbol : facts->module;
}

/* What the text, the sites and the stacks call the writer when no Python line is known. */
static const char *native_name(struct aggregate *agg, const struct fault_facts *facts)
{
	char name[128];

	if (facts->kernel) {
		snprintf(name, sizeof(name), "%s (kernel)",
			 facts->syscall ? facts->syscall : "exception");
		return intern__str(agg->pool, name);
	}
	return native_key(facts) ?: intern__str(agg->pool, "[unknown code]");
}

/* A process that is not traced has no ledger, and gets none for having been written to. */
static const struct ledger *find_victim(const struct aggregate *agg,
					const struct fault_facts *facts)
{
	const struct pid_slot *slot = facts->victim ? find_slot(agg, facts->victim) : NULL;
	const struct ledger *ledger = slot ? slot->newest : NULL;

	while (ledger && ledger->facts.started > facts__time(facts))
		ledger = ledger->older;
	return ledger;
}

static struct count *find_or_add(struct aggregate *agg, const struct count_key *key, bool may_add)
{
	unsigned int hash = hash_key(key);
	struct count *count;

	HASH_FIND_BYHASHVALUE(hh, agg->counts, key, sizeof(*key), hash, count);
	if (count || !may_add)
		return count;
	count = must_alloc(sizeof(*count));
	count->key = *key;
	HASH_ADD_BYHASHVALUE(hh, agg->counts, key, sizeof(count->key), hash, count);
	return count;
}

/* Of these there can only be so many. */
static struct count *fold(struct aggregate *agg, const struct count_key *key)
{
	struct count_key rest = {
		.process = key->process,
		.detail = intern__str(agg->pool, ""),
		.cause = key->cause,
		.certainty = key->certainty,
		.origin = key->origin,
	};
	struct count *count = find_or_add(agg, &rest, true);

	agg->folded++;
	count->native_name = intern__str(agg->pool, "[other sites]");
	return count;
}

static struct count *find_or_add_count(struct aggregate *agg, const struct count_key *key,
				       const struct fault_facts *facts)
{
	bool room = !agg->max_counts || HASH_COUNT(agg->counts) < agg->max_counts;
	struct count *count = find_or_add(agg, key, room);

	if (!count)
		return fold(agg, key);
	count->native_name = count->native_name ?: native_name(agg, facts);
	return count;
}

/* What a mapping is called, where it has no file. */
static const char *region_name(struct aggregate *agg, const struct region_fact *region)
{
	static const char *const kinds[] = {
		[REGION_UNKNOWN] = "unknown memory",
		[REGION_ANON] = "anonymous memory",
		[REGION_HEAP] = "heap",
		[REGION_STACK] = "stack",
		[REGION_TLS] = "thread-local data",
		[REGION_DATA] = "data of a program",
		[REGION_FILE] = "private file",
		[REGION_SHARED] = "shared memory",
	};
	size_t kind = region->kind < sizeof(kinds) / sizeof(kinds[0]) ? region->kind : 0;
	const char *name = region->name ?: kinds[kind];

	if (name != agg->region) { /* of the copy before, mostly */
		agg->region = name;
		agg->region_name = intern__str(agg->pool, name);
	}
	return agg->region_name;
}

/* When, and at which address. */
static void draw(struct aggregate *agg, const struct fault_facts *facts,
		 const struct verdict *verdict, struct ledger *ledger, uint64_t pages)
{
	history__copied(agg->history, series_of(agg, ledger), facts__time(facts), verdict->cause,
			pages);
	if (agg->max_counts || facts->victim || (facts->kernel && !facts->addr))
		return; /* the address is one of another process, or not known */
	pages__add(agg->map, facts->addr >> PAGE_SHIFT, verdict->cause,
		   region_name(agg, &facts->region));
}

void aggregate__expect(const struct aggregate *agg, uint64_t addr)
{
	if (!agg->max_counts)
		pages__expect(agg->map, addr >> PAGE_SHIFT);
}

uint32_t aggregate__add(struct aggregate *agg, const struct fault_facts *facts,
			const struct verdict *verdict)
{
	struct count_key key = {
		.process = find_ledger(agg, facts->pid, facts__time(facts)),
		.victim = find_victim(agg, facts),
		.stack = facts->stack,
		.detail = verdict->detail,
		.type = verdict->type,
		.native = native_key(facts),
		.cause = verdict->cause,
		.certainty = verdict->certainty,
		.origin = facts->origin,
		.unwind = facts->unwind,
		.victim_pid = facts->victim,
		.kernel = facts->kernel,
		.python = facts->python,
	};
	uint64_t pages = 1ull << (facts->order <= CT_MAX_ORDER ? facts->order : 0);
	struct count **last = &agg->last[key.process->id % LAST_COUNTS], *count = *last;

	if (!count || memcmp(&count->key, &key, sizeof(key)) != 0)
		*last = count = find_or_add_count(agg, &key, facts);
	count->copies++;
	count->pages += pages;
	key.process->copies++;
	key.process->pages += pages;
	agg->copies++;
	agg->pages += pages;
	agg->uncounted += facts->uncounted;
	agg->sharers[facts->origin == CT_ORIGIN_FORK ? facts->sharers : 0]++;
	agg->orders[facts->order <= CT_MAX_ORDER ? facts->order : 0]++;
	agg->proven += verdict->certainty == CERTAINTY_PROVEN;
	draw(agg, facts, verdict, key.process, pages);
	return key.process->id;
}

/* --- the view ---------------------------------------------------------------- */

/* How many copies lack a part of their stack, and for which reason. */
static void count_stack(struct aggregate *agg, const struct count *count)
{
	const struct stack_fact *stack = count->key.stack;
	uint8_t unwind = stack ? stack->unwind : count->key.unwind;

	if (!count->key.python || unwind >= CT_UNWIND_MAX)
		return;
	if (!stack || !stack->n)
		agg->unwinds[unwind] += count->copies;
	else if (!stack->frames[0].file && stack->frames[0].missing < CT_MISSING_MAX)
		agg->missing[stack->frames[0].missing] += count->copies;
	else
		agg->cut[unwind] += count->copies;
}

/*
 * What the stacks say now: names that could not be had when a copy came may have been found since.
 * So a report does not depend on when they were found, and one from a file, which has the stacks as
 * they were in the end, is the same.
 */
static void look_at_stacks(struct aggregate *agg)
{
	memset(agg->unwinds, 0, sizeof(agg->unwinds));
	memset(agg->cut, 0, sizeof(agg->cut));
	memset(agg->missing, 0, sizeof(agg->missing));
	for (struct count *count = agg->counts; count; count = count->hh.next) {
		const struct stack_fact *stack = count->key.stack;
		bool has_frames = stack && stack->n;

		count->leaf = has_frames && stack->frames[0].file ? stack->frames : NULL;
		count->native = count->leaf ? NULL : count->native_name;
		count->unwind = has_frames ? 0 : count->key.unwind;
		count_stack(agg, count);
	}
}

int aggregate__snapshot(struct aggregate *agg, const struct snapshot_host *host,
			const struct snapshot_capture *capture, uint64_t start_time,
			const struct snapshot **out)
{
	struct derived *derived;
	int err;

	look_at_stacks(agg);
	err = derive__new(agg, host, capture, start_time, &derived);
	if (err)
		return err;
	derive__free(agg->derived);
	agg->derived = derived;
	*out = &derived->view;
	return 0;
}

void aggregate__set_source(struct aggregate *agg, size_t site, const char *source)
{
	if (agg->derived && site < agg->derived->view.n_sites)
		agg->derived->sites[site].source = intern__str(agg->pool, source);
}

int aggregate__advise(struct aggregate *agg)
{
	return derive__advise(agg->derived);
}
