/* SPDX-License-Identifier: MIT */
/*
 * What a machine offers to cowtrace, as plain data: filled in by user/survey, judged by lacks.h,
 * shown by the sinks of `cowtrace check`. Strings are valid UTF-8, may be foreign, and belong to
 * whoever filled it in; NULL: not known.
 */
#ifndef COWTRACE_MODEL_MACHINE_H
#define COWTRACE_MODEL_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A number that the kernel shows in a file. err: 0, -ENOENT (this kernel has none), or why it can
 * not be read. */
struct machine_setting {
	int err;
	long value;
};

struct machine_witness {
	const char *name;
	bool works, used;
	const char *reason; /* why it was refused */
	const char *limits; /* what it does not see: nouns */
	const char *note;   /* what its numbers mean if they are not simply copies */
	const char *cost;   /* what it costs those who are not traced */
};

#define MACHINE_EXAMPLES 3

struct machine_process {
	uint32_t pid;
	const char *command;
};

/* Processes that run the same file. */
struct machine_python {
	const char *version; /* "3.11.2" */
	const char *file;    /* as the processes see it */
	const char *layout;  /* how its layout is known; NULL: it is not */
	const char *problem; /* why it is refused; with a layout: what must be said of it */
	bool newer;	     /* than the newest that cowtrace knows */
	uint32_t processes;
	struct machine_process examples[MACHINE_EXAMPLES];
};

enum machine_preemption { /* of BPF programs, as in capture/kernel.h */
			  MACHINE_PREEMPTS_NOT,
			  MACHINE_PREEMPTS_FUNCTIONS,
			  MACHINE_PREEMPTS_TRACEPOINTS,
};

/* Positions in `privileges`. */
enum machine_privilege {
#define PRIVILEGE(name, need, use, without) PRIVILEGE_##name,
#include "model/privileges.def"
#undef PRIVILEGE
	PRIVILEGES
};

struct machine {
	const char *version; /* of cowtrace */
	const char *kernel, *build, *arch, *distribution, *user;
	uint32_t cpus, page_size, uid;
	bool first_pid_namespace, first_user_namespace;
	bool privileges[PRIVILEGES];

	int btf_err; /* 0: can be read */
	uint64_t btf_size;
	enum machine_preemption preemption;
	int lockdown_err; /* -ENOENT: this kernel has no lockdown, or securityfs is not mounted */
	const char *lockdown;
	int tracefs_err; /* -ENOENT: not mounted */
	bool kernel_addresses;
	int kernel_count; /* 1: the kernel can count copies (wpcopy_count), 0: not, -1: not known */
	struct machine_setting delayacct;
	struct machine_setting kptr_restrict, perf_event_paranoid, unprivileged_bpf, ptrace_scope;
	uint64_t memlock; /* bytes; UINT64_MAX: no limit */

	const struct machine_witness *witnesses; /* most exact first */
	size_t n_witnesses;

	const struct machine_python *pythons; /* those with most processes first */
	size_t n_pythons;
	uint32_t processes; /* that were looked at */
	uint32_t closed;    /* of these: we may not look into them */
};

/* The one that is used; NULL: none works. */
const struct machine_witness *machine__witness(const struct machine *m);

struct privilege {
	const char *name; /* "CAP_BPF" */
	int capability;	  /* its number */
	bool needed;	  /* else nothing works */
	const char *use, *without;
};

const struct privilege *privilege__at(enum machine_privilege i);

#endif
