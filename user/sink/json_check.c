/* SPDX-License-Identifier: MIT */
/* `cowtrace check --json`; the keys are in README.md. */
#include <errno.h>
#include <string.h>

#include "model/lacks.h"
#include "model/machine.h"
#include "sink/check.h"
#include "sink/json_value.h"

#define SCHEMA 1

/* null: the kernel has none, or it can not be read. */
static json_t *setting(const struct machine_setting *s)
{
	return s->err ? json_null() : json_integer(s->value);
}

/* null for 0: all is well. */
static json_t *error(int err)
{
	return err ? json__text(strerror(-err)) : json_null();
}

static json_t *host(const struct machine *m)
{
	return json_pack("{s:o, s:o, s:i, s:o, s:i, s:o}", "kernel", json__text(m->kernel),
			 "machine", json__text(m->arch), "page_size", (int)m->page_size, "build",
			 json__text(m->build), "cpus", (int)m->cpus, "distribution",
			 json__text(m->distribution));
}

static json_t *witness(const struct machine_witness *w)
{
	return json_pack("{s:o, s:b, s:b, s:o, s:o, s:o, s:o}", "name", json__text(w->name),
			 "works", w->works, "used", w->used, "reason", json__text(w->reason),
			 "limits", json__text(w->limits), "note", json__text(w->note), "cost",
			 json__text(w->cost));
}

static json_t *witnesses(const struct machine *m)
{
	json_t *all = json_array();

	for (size_t i = 0; i < m->n_witnesses; i++)
		json_array_append_new(all, witness(&m->witnesses[i]));
	return all;
}

static json_t *kernel(const struct machine *m)
{
	static const char *const preempts[] = {"no", "functions", "tracepoints"};

	return json_pack("{s:b, s:o, s:o, s:s, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "btf",
			 !m->btf_err, "btf_error", error(m->btf_err), "btf_bytes",
			 m->btf_err ? json_null() : json_integer((json_int_t)m->btf_size),
			 "preempts_programs", preempts[m->preemption], "lockdown",
			 json__text(m->lockdown), "tracefs_error", error(m->tracefs_err),
			 "function_addresses", m->kernel_addresses, "counts_copies",
			 m->kernel_count < 0 ? json_null() : json_boolean(m->kernel_count),
			 "task_delayacct", setting(&m->delayacct), "kptr_restrict",
			 setting(&m->kptr_restrict), "perf_event_paranoid",
			 setting(&m->perf_event_paranoid), "unprivileged_bpf_disabled",
			 setting(&m->unprivileged_bpf), "ptrace_scope", setting(&m->ptrace_scope));
}

static json_t *privileges(const struct machine *m)
{
	json_t *caps = json_object();

	for (int i = 0; i < PRIVILEGES; i++)
		json_object_set_new(caps, privilege__at(i)->name, json_boolean(m->privileges[i]));
	return json_pack(
		"{s:i, s:o, s:o, s:b, s:b, s:o}", "uid", (int)m->uid, "user", json__text(m->user),
		"capabilities", caps, "first_pid_namespace", m->first_pid_namespace,
		"first_user_namespace", m->first_user_namespace, "memlock_bytes",
		m->memlock == UINT64_MAX ? json_null() : json_integer((json_int_t)m->memlock));
}

static json_t *examples(const struct machine_python *p)
{
	json_t *all = json_array();

	for (uint32_t i = 0; i < p->processes && i < MACHINE_EXAMPLES; i++)
		json_array_append_new(all,
				      json_pack("{s:i, s:o}", "pid", (int)p->examples[i].pid,
						"command", json__text(p->examples[i].command)));
	return all;
}

static json_t *python(const struct machine_python *p)
{
	return json_pack("{s:o, s:o, s:b, s:o, s:o, s:b, s:i, s:o}", "version",
			 json__text(p->version), "file", json__text(p->file), "explained",
			 p->layout != NULL, "layout", json__text(p->layout), "problem",
			 json__text(p->problem), "newer", p->newer, "processes", (int)p->processes,
			 "examples", examples(p));
}

static json_t *pythons(const struct machine *m)
{
	json_t *all = json_array();

	for (size_t i = 0; i < m->n_pythons; i++)
		json_array_append_new(all, python(&m->pythons[i]));
	return all;
}

static json_t *lack(const struct lack *l)
{
	return json_pack("{s:s, s:o, s:o}", "weight", lack__weight_name(l->weight), "what",
			 json__text(l->what), "advice", json__text(l->advice));
}

static json_t *lacks_part(const struct lacks *lacks)
{
	json_t *all = json_array();

	for (size_t i = 0; i < lacks->n; i++)
		json_array_append_new(all, lack(&lacks->at[i]));
	return all;
}

int check__json(const struct machine *m, const struct lacks *lacks, FILE *out)
{
	const struct machine_witness *used = machine__witness(m);

	return json__finish(
		json_pack("{s:i, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:o}", "schema",
			  SCHEMA, "version", json__text(m->version), "works", lacks__works(lacks),
			  "witness", json__text(used ? used->name : NULL), "host", host(m),
			  "witnesses", witnesses(m), "kernel", kernel(m), "privileges",
			  privileges(m), "pythons", pythons(m), "processes", (int)m->processes,
			  "processes_closed", (int)m->closed, "lacks", lacks_part(lacks)),
		out);
}
