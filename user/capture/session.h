/* SPDX-License-Identifier: MIT */
/*
 * One tracing session: the BPF programs in the kernel, their maps and ring buffers. The only unit
 * that knows libbpf. Everything is detached when it is freed, or when the daemon dies in any way.
 */
#ifndef COWTRACE_CAPTURE_SESSION_H
#define COWTRACE_CAPTURE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cowtrace/abi.h>

struct ct_pylayout;
struct session;

struct session_options {
	const char *witness; /* force one by name; NULL: the most exact that works */
	/* bytes, rounded up to a power of two of pages; 0: 4 MiB for each CPU, 8 to 16 */
	size_t ring_size;
	bool verbose; /* show libbpf's messages */
	bool plain;   /* not by way of the kernel's map of memory: see bpf/direct.bpf.h */
	uint32_t off; /* enum ct_piece: these are left out, to measure what the others cost */
};

/* Receives the records; data is unchecked. */
struct session_handler {
	void *ctx;
	void (*meta)(void *ctx, const void *data, size_t size);
	void (*copy)(void *ctx, const void *data, size_t size);
};

struct session_counters {
	uint64_t copies, retracts, reuses, fixups_lost, meta_lost;
	uint64_t lost[CT_LOST_MAX];
};

/* What came of trying a witness. */
struct session_trial {
	const char *witness, *note, *cost; /* as in capture/witness.h */
	bool works;
	char limits[768]; /* what it does not see, if it works: see capture/kinds.h */
	char reason[400]; /* why it does not work: one line; of two ways to try it, the better one
			   */
};
struct session_trials {
	struct session_trial of[4]; /* in the order in which session__open tries them */
	size_t n;
};

/* Tries every witness: loads and attaches it, and takes it away again. Traces nothing. */
void session__probe(bool verbose, struct session_trials *out);

/*
 * Loads and attaches; nothing is traced until session__trace. 0, or: -EPERM, -ENOTSUP, -ENOMEM ...
 * with one line in why that says what failed and what to try. Each witness that was refused and its
 * reason is logged at the info level.
 */
int session__open(const struct session_options *opt, const struct session_handler *handler,
		  struct session **out, char *why, size_t why_size);
void session__free(struct session *s);

/* Can this kernel count copies itself, if it is asked to? */
bool session__kernel_counts(const struct session *s);

const char *session__witness(const struct session *s);
/* What this witness can not see on this machine: nouns, or "". */
const char *session__witness_limits(const struct session *s);
/* What its numbers mean if they are not simply copies: a verb and what follows, or NULL. */
const char *session__witness_note(const struct session *s);

/* What the kernel's own count has and this witness does not see: nouns, or NULL. */
const char *session__kernel_beyond(const struct session *s);

/* Traces a process and all that it will fork, from its next exec on. It must not run meanwhile. */
int session__trace_from_exec(struct session *s, pid_t pid);

/*
 * Traces processes that run, with all that they have forked and will fork. Records of each process
 * wait in the ring when this returns; copies count from session__start on. -EAGAIN: processes come
 * and go too fast to get hold of all.
 */
int session__adopt(struct session *s, const pid_t *pids, size_t n);
void session__start(struct session *s);

/* The Python layout of a slot (1 .. CT_MAX_LAYOUTS - 1), and which process uses which slot. */
int session__set_layout(struct session *s, uint32_t slot, const struct ct_pylayout *layout);
int session__use_layout(struct session *s, pid_t pid, uint32_t slot);

/* File descriptors to poll for reading. The copies ring wakes only when much waits: also call
 * session__consume every few milliseconds. */
int session__meta_fd(const struct session *s);
int session__copies_fd(const struct session *s);

/* So many of each ring are handed over at once, at most, for those who have more to do; 0: all.
 * Records can come as fast as they are taken. */
void session__limit(struct session *s, unsigned int records);
/* Hands waiting records to the handler. Returns how many there were. */
unsigned int session__consume(struct session *s);
/* Only those of the meta ring; may be called from the copy handler. */
unsigned int session__consume_meta(struct session *s);

/* Stops the programs; what waits in the rings and maps can still be read. */
void session__detach(struct session *s);

int session__counters(struct session *s, struct session_counters *out);
/* -ENOENT: not traced. */
int session__proc(struct session *s, pid_t pid, struct ct_proc *out);
void session__forget(struct session *s, pid_t pid);
/* Calls back for each traced thread that lives. */
int session__each_live(struct session *s, void (*cb)(void *ctx, const struct ct_live *live),
		       void *ctx);

#endif
