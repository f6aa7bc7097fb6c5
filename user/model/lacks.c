/* SPDX-License-Identifier: MIT */
#include "model/lacks.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/machine.h"

/* A new one behind those of its weight; its advice is filled in by the caller. */
__attribute__((format(printf, 3, 4))) static struct lack *
add(struct lacks *lacks, enum lack_weight weight, const char *fmt, ...)
{
	size_t at = lacks->n;
	struct lack *lack;
	va_list args;

	if (lacks->n == LACKS_MAX) /* more than there are rules and groups shown */
		at = --lacks->n;
	while (at > 0 && lacks->at[at - 1].weight > weight) {
		lacks->at[at] = lacks->at[at - 1];
		at--;
	}
	lacks->n++;
	lack = &lacks->at[at];
	*lack = (struct lack){.weight = weight};
	va_start(args, fmt);
	vsnprintf(lack->what, sizeof(lack->what), fmt, args);
	va_end(args);
	return lack;
}

__attribute__((format(printf, 2, 3))) static void advise(struct lack *lack, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(lack->advice, sizeof(lack->advice), fmt, args);
	va_end(args);
}

/* --- what stops everything --------------------------------------------------- */

/* Where a witness works, whatever should stop it has not. */
static enum lack_weight stops(const struct machine *m)
{
	return machine__witness(m) ? LACK_LESS : LACK_STOPS;
}

static void pid_namespace(const struct machine *m, struct lacks *lacks)
{
	if (!m->first_pid_namespace)
		advise(add(lacks, LACK_STOPS,
			   "This is not the host's pid namespace: the process ids that the kernel "
			   "reports would not be those of /proc."),
		       "Run cowtrace on the host, or in a container with `--pid=host`.");
}

static void btf(const struct machine *m, struct lacks *lacks)
{
	if (m->btf_err == -ENOENT)
		advise(add(lacks, LACK_STOPS, "This kernel has no BTF (/sys/kernel/btf/vmlinux)."),
		       "Boot a kernel that was built with CONFIG_DEBUG_INFO_BTF=y, as those of the "
		       "distributions are.");
	else if (m->btf_err)
		advise(add(lacks, LACK_STOPS,
			   "The BTF of the kernel (/sys/kernel/btf/vmlinux) can not be read: %s.",
			   strerror(-m->btf_err)),
		       "In a container, mount /sys; else run cowtrace as root.");
}

static bool may_trace(const struct machine *m)
{
	for (int i = 0; i < PRIVILEGES; i++)
		if (privilege__at(i)->needed && !m->privileges[i])
			return false;
	return m->first_user_namespace;
}

static bool locked_down(const struct machine *m)
{
	return m->lockdown && strcmp(m->lockdown, "confidentiality") == 0;
}

/* The reason that explains the others first. */
static void no_witness(const struct machine *m, struct lacks *lacks)
{
	if (machine__witness(m))
		return;
	if (m->btf_err || !may_trace(m))
		return; /* has been said, or is said next */
	if (locked_down(m))
		advise(add(lacks, LACK_STOPS,
			   "The kernel is locked down (confidentiality): no program may read its "
			   "memory, so no witness works."),
		       "Boot with `lockdown=integrity` or without lockdown.");
	else
		advise(add(lacks, LACK_STOPS,
			   "The kernel refuses every witness; the reasons are above."),
		       "Boot a kernel from 5.15 on with BPF and tracepoints, such as that of the "
		       "distribution; in a container, allow it what is listed below.");
}

/* --- privileges -------------------------------------------------------------- */

static void privileges(const struct machine *m, struct lacks *lacks)
{
	if (!m->first_user_namespace) {
		advise(add(lacks, stops(m),
			   "This is not the host's user namespace: being root here, or having "
			   "capabilities, counts for nothing."),
		       "Run cowtrace as root of the host, not in a rootless container.");
		return; /* none of them is there */
	}
	for (int i = 0; i < PRIVILEGES; i++) {
		const struct privilege *p = privilege__at(i);

		if (m->privileges[i])
			continue;
		advise(add(lacks, p->needed ? stops(m) : LACK_LESS,
			   "%s is missing, which it takes to %s: %s.", p->name, p->use, p->without),
		       "Run cowtrace as root, or give it %s.", p->name);
	}
}

/* --- what makes reports poorer ----------------------------------------------- */

static void better_witnesses(const struct machine *m, struct lacks *lacks)
{
	const struct machine_witness *used = machine__witness(m);
	char names[128] = "";
	size_t len = 0, n = 0;

	for (size_t i = 0; used && &m->witnesses[i] != used && len < sizeof(names); i++, n++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", n ? ", " : "",
					m->witnesses[i].name);
	if (n)
		advise(add(lacks, LACK_NOTE,
			   "More exact, but refused here: %s. What %s, which is used instead, does "
			   "not see is above.",
			   names, used->name),
		       "Nothing, unless you look for just that: many virtual and hardened machines "
		       "refuse them.");
}

static void preemption(const struct machine *m, struct lacks *lacks)
{
	if (m->preemption != MACHINE_PREEMPTS_NOT)
		advise(add(lacks, LACK_NOTE,
			   "This kernel preempts BPF programs, and skips them for others "
			   "meanwhile: "
			   "a few copies may be missed. Reports say so when it has happened."),
		       "Nothing, unless it happens often: then boot with `preempt=voluntary`, "
		       "where the "
		       "kernel has it.");
}

static void kernel_addresses(const struct machine *m, struct lacks *lacks)
{
	if (m->kernel_addresses || !m->privileges[PRIVILEGE_SYSLOG])
		return;
	advise(add(lacks, LACK_LESS,
		   "The addresses of kernel functions are hidden even so: with tracepoints, writes "
		   "of the kernel itself may be counted too often."),
	       "Run `sysctl kernel.kptr_restrict=1` before cowtrace.");
}

static void tracefs(const struct machine *m, struct lacks *lacks)
{
	if (m->tracefs_err == -ENOENT)
		advise(add(lacks,
			   m->preemption == MACHINE_PREEMPTS_TRACEPOINTS ? LACK_LESS : LACK_NOTE,
			   "tracefs is not mounted: the way to trace that suits kernels which "
			   "preempt BPF programs can not be used."),
		       "Run `mount -t tracefs tracefs /sys/kernel/tracing`.");
}

static void delay_accounting(const struct machine *m, struct lacks *lacks)
{
	if (m->kernel_count == 0)
		advise(add(lacks, LACK_NOTE,
			   "This kernel keeps no count of copies to compare with (it does from "
			   "6.1 on, built with CONFIG_TASK_DELAY_ACCT=y)."),
		       "Nothing: cowtrace's own count does not need it.");
	else if (m->delayacct.err == -ENOENT)
		advise(add(lacks, LACK_NOTE,
			   "Delay accounting, the kernel's own count of copies, can not be "
			   "switched "
			   "while this kernel runs."),
		       "To have its count, boot with `delayacct`.");
	else if (!m->delayacct.err && !m->delayacct.value)
		advise(add(lacks, LACK_NOTE,
			   "Delay accounting is off: the kernel does not count "
			   "copies of its own."),
		       m->uid == 0 ? "Add `--delayacct`, to compare cowtrace's count with it."
				   : "Have root run `sysctl kernel.task_delayacct=1`, to compare "
				     "cowtrace's count with it.");
}

static void python(const struct machine_python *p, struct lacks *lacks)
{
	const char *file = p->file ? p->file : "?";

	if (p->layout && p->newer)
		advise(add(lacks, LACK_NOTE, "%s: %s.", file, p->problem ? p->problem : "newer"),
		       "Look for a newer cowtrace.");
	else if (p->layout)
		advise(add(lacks, LACK_NOTE, "%s: %s.", file, p->problem),
		       "Nothing: it is explained all the same.");
	else
		advise(add(lacks, LACK_LESS, "%s: %s.", file,
			   p->problem ? p->problem : "not understood"),
		       p->newer	    ? "Look for a newer cowtrace."
		       : p->version ? "Nothing, but another CPython: what it copies is counted all "
				      "the same."
				    : "Please report it, with this page.");
}

static void pythons(const struct machine *m, struct lacks *lacks)
{
	for (size_t i = 0; i < m->n_pythons && i < LACKS_MAX / 2; i++)
		if (m->pythons[i].problem || !m->pythons[i].layout)
			python(&m->pythons[i], lacks);
	if (m->closed && m->privileges[PRIVILEGE_SYS_PTRACE])
		advise(add(lacks, LACK_NOTE,
			   "%u %s may not be looked into, even with CAP_SYS_PTRACE: in another "
			   "user "
			   "namespace, or hidden by a security module.",
			   m->closed, m->closed == 1 ? "process" : "processes"),
		       "If your service is one of them, run cowtrace as root of the host.");
}

void lacks__find(const struct machine *m, struct lacks *out)
{
	*out = (struct lacks){};
	pid_namespace(m, out);
	btf(m, out);
	no_witness(m, out);
	privileges(m, out);
	tracefs(m, out);
	kernel_addresses(m, out);
	better_witnesses(m, out);
	preemption(m, out);
	delay_accounting(m, out);
	pythons(m, out);
}

bool lacks__works(const struct lacks *lacks)
{
	return !lacks->n || lacks->at[0].weight != LACK_STOPS;
}

const char *lack__weight_name(enum lack_weight weight)
{
	static const char *const names[] = {
		[LACK_STOPS] = "stops",
		[LACK_LESS] = "less",
		[LACK_NOTE] = "note",
	};

	return names[weight];
}
