/* SPDX-License-Identifier: MIT */
#include "model/advice.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/utf8.h"
#include "model/advice_rules.h"

/* Each is proven by a pair of programs, one that it fires for and one that has followed it:
 * tests/advice. */
static const advice_rule rules[] = {
	advise__share,	 advise__containers, advise__freeze,  advise__threshold, advise__refill,
	advise__warm_up, advise__imports,    advise__library, advise__exit,	 advise__huge_pages,
};

/* What happens may name functions and files of any length; what to do is never cut for them. */
static void join(char *out, size_t size, const char *what, const char *rest)
{
	size_t room = size - strlen(rest) - 1;
	size_t len = strlen(what);

	/* A long name may be cut inside a character. */
	utf8__sanitize(out, room, what, len);
	strcat(out, rest);
}

void advice__say(struct giver *g, const struct words *words, uint64_t bytes, const char *fmt, ...)
{
	const char *lead = hints__lead(g->framework);
	char what[2 * ADVICE_TEXT_MAX], rest[ADVICE_TEXT_MAX / 2];
	bool how = words->hint >= 0;
	va_list args;

	if (g->n == ADVICE_MAX)
		return;
	bytes += snapshot__bytes(g->snap, ADVICE_MARGIN);
	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	snprintf(rest, sizeof(rest), "%s%s%s%s %s At most %s MiB less per process.", how ? " " : "",
		 how ? lead : "", how ? ": " : "",
		 how ? hints__text(words->hint, g->framework) : "", words->but,
		 number__mib(bytes).s);
	join(g->out->texts[g->n], ADVICE_TEXT_MAX, what, rest);
	g->out->rows[g->n] = (struct snapshot_advice){
		.rule = words->rule, .text = g->out->texts[g->n], .bytes_per_process = bytes};
	g->n++;
}

static int order_rows(const void *a, const void *b)
{
	const struct snapshot_advice *x = a, *y = b;

	if (x->bytes_per_process != y->bytes_per_process)
		return x->bytes_per_process < y->bytes_per_process ? 1 : -1;
	return strcmp(x->text, y->text);
}

int advice__give(const struct snapshot *snap, struct advice *out)
{
	_free_ uint64_t *by_process = calloc(snap->n_processes + 1, sizeof(*by_process));
	struct giver giver = {.snap = snap, .out = out, .by_process = by_process};

	if (!by_process)
		return -ENOMEM;
	giver.framework = hints__framework(snap);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		rules[i](&giver);
	qsort(out->rows, giver.n, sizeof(out->rows[0]), order_rows);
	return (int)giver.n;
}
