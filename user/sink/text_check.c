/* SPDX-License-Identifier: MIT */
/* The page of `cowtrace check`. Order: does it work, what proves copies, what the kernel offers,
 * who asks, which Pythons run, what to do. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "model/lacks.h"
#include "model/machine.h"
#include "sink/check.h"
#include "sink/text.h"
#include "sink/words.h"

#define DOT " \xc2\xb7 "

/* Width of the first column, with the indent. */
#define NAME_WIDTH 29

/* "  name                     text, wrapped below itself" */
__attribute__((format(printf, 3, 4))) static void row(const struct text *t, const char *name,
						      const char *fmt, ...)
{
	_free_ char *text = NULL, *cell = escape__fit(name, NAME_WIDTH - 3, ESCAPE_CUT_END);
	char lead[4 * NAME_WIDTH + 1];
	size_t width = cell ? escape__width(cell) : 0;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	if (!text || !cell)
		return;
	snprintf(lead, sizeof(lead), "  %s%*s", cell, (int)(NAME_WIDTH - 2 - width), "");
	text__paragraph(t, lead, "%s", text);
}

static void heading(const struct text *t, const char *title)
{
	fputc('\n', t->out);
	text__title(t, TEXT_HEAD, title);
	fputc('\n', t->out);
}

/* --- does it work ------------------------------------------------------------ */

static void headline(const struct text *t, const struct machine *m)
{
	text__paragraph(t, "", "cowtrace %s check" DOT "Linux %s" DOT "%s" DOT "%u %s" DOT "%s",
			m->version, m->kernel, m->arch, m->cpus,
			words__plural(m->cpus, "CPU", "CPUs"),
			m->distribution ? m->distribution : "distribution not known");
	fputc('\n', t->out);
}

static void verdict(const struct text *t, const struct machine *m, const struct lacks *lacks)
{
	const struct machine_witness *w = machine__witness(m);
	unsigned int less = 0;

	for (size_t i = 0; i < lacks->n; i++)
		less += lacks->at[i].weight == LACK_LESS;
	if (!lacks__works(lacks)) {
		text__title(t, TEXT_WARN, "COWTRACE CAN NOT TRACE HERE\n");
		text__paragraph(t, "  ", "%s", lacks->at[0].what);
		return;
	}
	text__title(t, TEXT_HEAD, "COWTRACE WORKS HERE\n");
	if (less)
		text__paragraph(t, "  ", "The witness is %s. %u %s below %s reports poorer.",
				w ? w->name : "?", less, words__plural(less, "thing", "things"),
				words__plural(less, "makes", "make"));
	else
		text__paragraph(t, "  ", "The witness is %s. Nothing is missing.",
				w ? w->name : "?");
}

/* --- witnesses --------------------------------------------------------------- */

static void witnesses(const struct text *t, const struct machine *m)
{
	const struct machine_witness *used = machine__witness(m);

	heading(t, "WITNESSES   what proves that a page was copied; each was loaded, attached and "
		   "let go");
	for (size_t i = 0; i < m->n_witnesses; i++) {
		const struct machine_witness *w = &m->witnesses[i];

		if (w->works)
			row(t, w->name, "ok%s", w->used ? ", and is used" : "");
		else
			row(t, w->name, "refused: %s", w->reason ? w->reason : "no reason given");
	}
	if (!used)
		return;
	if (used->limits && used->limits[0])
		text__paragraph(t, "  ", "What %s does not see: %s.", used->name, used->limits);
	if (used->note)
		text__paragraph(t, "  ", "%s %s.", used->name, used->note);
	for (size_t i = 0; i < m->n_witnesses; i++)
		if (m->witnesses[i].works && m->witnesses[i].cost)
			text__paragraph(t, "  ", "While %s is in use, %s.", m->witnesses[i].name,
					m->witnesses[i].cost);
}

/* --- the kernel -------------------------------------------------------------- */

static void number_row(const struct text *t, const char *name, const struct machine_setting *s,
		       const char *meaning)
{
	if (!s->err)
		row(t, name, "%ld%s%s", s->value, meaning ? ": " : "", meaning ? meaning : "");
	else if (s->err == -ENOENT)
		row(t, name, "this kernel has no such setting");
	else
		row(t, name, "can not be read: %s", strerror(-s->err));
}

static const char *yes_or_why(int err, const char *yes, const char *none)
{
	return !err ? yes : err == -ENOENT ? none : strerror(-err);
}

static void delayacct_row(const struct text *t, const struct machine *m)
{
	const char *counts = m->kernel_count == 1 ? "the kernel can count copies itself"
			     : m->kernel_count == 0
				     ? "the kernel does not count copies"
				     : "whether the kernel counts copies is not known";

	if (!m->delayacct.err)
		row(t, "delay accounting", "%s now; %s", m->delayacct.value ? "on" : "off", counts);
	else if (m->delayacct.err == -ENOENT)
		row(t, "delay accounting", "can not be switched; %s", counts);
	else
		row(t, "delay accounting", "can not be read: %s; %s", strerror(-m->delayacct.err),
		    counts);
}

static const char *preemption_words(enum machine_preemption preemption)
{
	static const char *const words[] = {
		[MACHINE_PREEMPTS_NOT] = "no",
		[MACHINE_PREEMPTS_FUNCTIONS] = "those at functions (fentry and fexit)",
		[MACHINE_PREEMPTS_TRACEPOINTS] = "those at functions and at tracepoints",
	};

	return words[preemption];
}

static void kernel(const struct text *t, const struct machine *m)
{
	heading(t, "KERNEL");
	row(t, "build", "%s", m->build);
	if (m->btf_err)
		row(t, "BTF", "%s", yes_or_why(m->btf_err, "", "none"));
	else
		row(t, "BTF", "%s MiB", number__mib(m->btf_size).s);
	row(t, "preempts BPF programs", "%s", preemption_words(m->preemption));
	row(t, "lockdown", "%s",
	    m->lockdown ? m->lockdown
			: yes_or_why(m->lockdown_err, "not understood",
				     "none, or securityfs is not mounted"));
	row(t, "tracefs", "%s", yes_or_why(m->tracefs_err, "can be read", "not mounted"));
	row(t, "addresses of functions", "%s", m->kernel_addresses ? "shown" : "hidden");
	delayacct_row(t, m);
	number_row(t, "kptr_restrict", &m->kptr_restrict, NULL);
	number_row(t, "perf_event_paranoid", &m->perf_event_paranoid, NULL);
	number_row(t, "unprivileged_bpf_disabled", &m->unprivileged_bpf, NULL);
	number_row(t, "ptrace_scope", &m->ptrace_scope, NULL);
}

/* --- who asks ---------------------------------------------------------------- */

static void privileges(const struct text *t, const struct machine *m)
{
	heading(t, "PRIVILEGES");
	row(t, "user", "%s (uid %" PRIu32 ")", m->user ? m->user : "no name", m->uid);
	for (int i = 0; i < PRIVILEGES; i++) {
		const struct privilege *p = privilege__at(i);

		row(t, p->name, "%s, to %s", m->privileges[i] ? "yes" : "missing", p->use);
	}
	row(t, "pid namespace", "%s", m->first_pid_namespace ? "the host's" : "another one");
	row(t, "user namespace", "%s", m->first_user_namespace ? "the host's" : "another one");
	if (m->memlock == UINT64_MAX)
		row(t, "locked memory", "no limit");
	else
		row(t, "locked memory", "at most %s MiB, which counts before Linux 5.11 only",
		    number__mib(m->memlock).s);
}

/* --- Pythons ----------------------------------------------------------------- */

static void python(const struct text *t, const struct machine_python *p)
{
	const char *more = p->processes > MACHINE_EXAMPLES ? ", ..." : "";
	char name[64];

	snprintf(name, sizeof(name), "%.40s%s", p->version ? p->version : "version not known",
		 p->newer ? " (newer)" : "");
	row(t, name, "%s", p->file ? p->file : "file not known");
	if (p->layout)
		row(t, "", "explained: %s", p->layout);
	else
		row(t, "", "not explained");
	if (p->problem)
		row(t, "", "%s", p->problem);
	row(t, "", "%s %s%s", number__count(p->processes).s,
	    words__plural(p->processes, "process", "processes"), p->processes ? ":" : "");
	for (uint32_t i = 0; i < p->processes && i < MACHINE_EXAMPLES; i++) {
		_free_ char *command = escape__fit(p->examples[i].command, 55, ESCAPE_CUT_END);

		row(t, "", "  %" PRIu32 " %s%s", p->examples[i].pid, command ? command : "?",
		    i + 1 == MACHINE_EXAMPLES ? more : "");
	}
}

static void pythons(const struct text *t, const struct machine *m)
{
	heading(t, "PYTHONS THAT RUN NOW");
	if (!m->n_pythons)
		fputs("  none was found\n", t->out);
	for (size_t i = 0; i < m->n_pythons; i++)
		python(t, &m->pythons[i]);
	if (m->closed)
		text__paragraph(t, "  ", "Of %s %s that were found, %s may not be looked into.",
				number__count(m->processes).s,
				words__plural(m->processes, "process", "processes"),
				number__count(m->closed).s);
	else
		text__paragraph(t, "  ", "%s %s looked at.", number__count(m->processes).s,
				words__plural(m->processes, "process was", "processes were"));
}

/* --- what to do -------------------------------------------------------------- */

static void advice(const struct text *t, const struct lacks *lacks)
{
	static const char *const begin[] = {
		[LACK_STOPS] = "STOPS ALL: ",
		[LACK_LESS] = "",
		[LACK_NOTE] = "To know: ",
	};
	char lead[32];

	heading(t, "WHAT TO DO");
	if (!lacks->n)
		fputs("  nothing\n", t->out);
	for (size_t i = 0; i < lacks->n; i++) {
		const struct lack *lack = &lacks->at[i];

		snprintf(lead, sizeof(lead), "%3zu. ", i + 1);
		text__paragraph(t, lead, "%s%s", begin[lack->weight], lack->what);
		text__paragraph(t, "     ", "%s", lack->advice);
	}
}

int check__text(const struct machine *m, const struct lacks *lacks, bool color, FILE *out)
{
	const struct text t = {.out = out, .color = color};

	headline(&t, m);
	verdict(&t, m, lacks);
	witnesses(&t, m);
	kernel(&t, m);
	privileges(&t, m);
	pythons(&t, m);
	advice(&t, lacks);
	return fflush(out) || ferror(out) ? -EIO : 0;
}
