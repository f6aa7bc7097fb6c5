/* SPDX-License-Identifier: MIT */
#include "capture/session.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cowtrace/pylayout.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "capture/adopt.h"
#include "capture/kernel.h"
#include "capture/kinds.h"
#include "capture/programs.h"
#include "capture/ring.h"
#include "capture/trial.h"
#include "capture/witness.h"
#include "cowtrace.skel.h"
#include "proc/kernel_file.h"

/* Kernels for arm64 can have 16 or 64 KiB. bpf/ and the rules for allocators count with this. */
#define PAGE 4096

#define PIECES_OFF                                                                                 \
	"ran with parts of cowtrace switched off, to measure what they cost (--pieces): nothing "  \
	"here says anything about the program"

struct session {
	struct cowtrace *skel;
	struct ring *meta, *copies;
	const struct witness *witness;
	bool whole; /* no piece is switched off */
	struct kinds kinds;
	struct session_handler handler;
	bool kernel_counts; /* since 6.1 */
	unsigned int limit; /* records of a ring to be taken at once; 0: all */
};

static int session__rings(struct session *s)
{
	const struct session_handler *h = &s->handler;
	const struct bpf_map *meta = s->skel->maps.meta, *copies = s->skel->maps.copies;
	int err = ring__new(bpf_map__fd(meta), bpf_map__max_entries(meta),
			    sizeof(struct ct_memory) + CT_MEMORY_LONG_CODE_BYTES, h->meta, h->ctx,
			    &s->meta);

	if (!err)
		err = ring__new(bpf_map__fd(copies), bpf_map__max_entries(copies),
				sizeof(struct ct_copy), h->copy, h->ctx, &s->copies);
	return err ?: ring__only_woken(s->copies);
}

/* The place of a witness in the list, by name of trials; a new one if it is not there yet. */
static struct session_trial *trials__of(struct session_trials *trials, const struct witness *w)
{
	struct session_trial *t = trials->of;

	while (t < trials->of + trials->n && strcmp(t->witness, w->name) != 0)
		t++;
	if (t == trials->of + trials->n) {
		*t = (struct session_trial){
			.witness = w->name,
			.note = w->note,
			.cost = w->cost,
		};
		trials->n++;
	}
	return t;
}

/* Tries the witnesses in their order, into the list; stops at the first that works if s is given.
 */
static int session__try(const struct session_options *opt, struct kernel *kernel,
			struct session_trials *trials, struct session *s)
{
	const struct witness *const *w = witness__order(kernel__preemption(kernel));
	int err = -ENOTSUP;

	for (; *w; w++) {
		struct cowtrace *skel = NULL;
		struct kinds kinds;
		struct session_trial *t;
		char why[sizeof(t->reason)];

		if (opt->witness && strcmp((*w)->name, opt->witness) != 0)
			continue;
		t = trials__of(trials, *w);
		if (t->works)
			continue;
		err = trial__start(*w, kernel, opt, &skel, &kinds, why, sizeof(why));
		t->works = !err;
		if (!err) {
			t->cost = (*w)->cost;
			memcpy(t->limits, kinds.limits, sizeof(t->limits));
		}
		if (err)
			log_info("witness %s: %s", (*w)->name, why);
		if (err && !t->reason[0]) /* of two ways the first is the better one */
			memcpy(t->reason, why, sizeof(why));
		if (!err && s) {
			s->skel = skel;
			s->witness = *w;
			s->kinds = kinds;
			return 0;
		}
		programs__close(skel);
	}
	return err;
}

/* All reasons in one line; those of several witnesses that are the same, once. */
static void trials__explain(const struct session_trials *trials, char *why, size_t size)
{
	bool same = true;
	size_t len;

	for (size_t i = 1; i < trials->n; i++)
		same &= strcmp(trials->of[i].reason, trials->of[0].reason) == 0;
	if (same) {
		snprintf(why, size, "%s", trials->of[0].reason);
		return;
	}
	len = (size_t)snprintf(why, size, "nothing here proves a copy");
	for (size_t i = 0; i < trials->n && len < size; i++)
		len += (size_t)snprintf(why + len, size - len, "; %s: %s", trials->of[i].witness,
					trials->of[i].reason);
}

static int session__choose(struct session *s, struct kernel *kernel,
			   const struct session_options *opt, char *why, size_t why_size)
{
	struct session_trials trials = {};
	size_t len;
	int err;

	if (opt->witness && !witness__exists(opt->witness)) {
		char names[64];

		witness__names(names, sizeof(names));
		snprintf(why, why_size, "no witness is called '%s'; there are: %s", opt->witness,
			 names);
		return -EINVAL;
	}
	err = session__try(opt, kernel, &trials, s);
	if (err) {
		trials__explain(&trials, why, why_size);
		len = strlen(why);
		snprintf(why + len, why_size - len, "; `cowtrace check` says more");
	}
	return err;
}

void session__probe(bool verbose, struct session_trials *out)
{
	struct session_options opt = {.ring_size = 1, .verbose = verbose};
	struct kernel *kernel;

	*out = (struct session_trials){};
	trial__listen(verbose);
	if (kernel__look(&kernel))
		return; /* out of memory: nothing was tried, and nothing works */
	session__try(&opt, kernel, out, NULL);
	kernel__free(kernel);
}

static int session__begin(struct session *s, const struct session_options *opt, char *why,
			  size_t why_size)
{
	struct kernel *kernel;
	int err = kernel__look(&kernel);

	if (err) {
		snprintf(why, why_size, "out of memory");
		return err;
	}
	s->kernel_counts = kernel__has_member(kernel, "task_delay_info", "wpcopy_count");
	err = session__choose(s, kernel, opt, why, why_size);
	if (!err) {
		err = session__rings(s);
		if (err)
			trial__explain_rings(kernel, err, why, why_size);
	}
	kernel__free(kernel);
	return err;
}

int session__open(const struct session_options *opt, const struct session_handler *handler,
		  struct session **out, char *why, size_t why_size)
{
	struct session *s;
	int err;

	/* The kernel side speaks of pids as the host has them; /proc must be the same one. */
	if (!kernel_file__first_namespace("pid")) {
		snprintf(why, why_size,
			 "this is not the host's pid namespace: run cowtrace on the host, or in a "
			 "container with --pid=host");
		return -ENOTSUP;
	}
	if (sysconf(_SC_PAGESIZE) != PAGE) {
		snprintf(why, why_size,
			 "this kernel has pages of %ld KiB, and cowtrace knows those of 4 KiB only",
			 sysconf(_SC_PAGESIZE) / 1024);
		return -ENOTSUP;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->handler = *handler;
	s->whole = !opt->off;
	trial__listen(opt->verbose);
	err = session__begin(s, opt, why, why_size);
	if (err) {
		session__free(s);
		return err;
	}
	if (!s->witness->function && !s->skel->rodata->cfg_fault_entry_start)
		log_warn("/proc/kallsyms hides the kernel's addresses: writes of the kernel itself "
			 "may be counted too often; run cowtrace as root, or with CAP_SYSLOG, and "
			 "with a sysctl kernel.kptr_restrict below 2");
	if (!s->whole)
		log_warn("cowtrace " PIECES_OFF);
	*out = s;
	return 0;
}

void session__free(struct session *s)
{
	if (!s)
		return;
	ring__free(s->meta);
	ring__free(s->copies);
	programs__close(s->skel);
	free(s);
}

bool session__kernel_counts(const struct session *s)
{
	return s->kernel_counts;
}

const char *session__witness(const struct session *s)
{
	return s->witness->name;
}

const char *session__witness_limits(const struct session *s)
{
	return s->kinds.limits;
}

const char *session__kernel_beyond(const struct session *s)
{
	return s->kinds.beyond[0] ? s->kinds.beyond : NULL;
}

const char *session__witness_note(const struct session *s)
{
	return s->whole ? s->witness->note : PIECES_OFF;
}

int session__trace_from_exec(struct session *s, pid_t pid)
{
	_close_ int pidfd = syscall(SYS_pidfd_open, pid, 0);
	_free_ void *thread = calloc(1, bpf_map__value_size(s->skel->maps.threads));
	struct ct_proc proc = {};
	bool by_id = bpf_map__type(s->skel->maps.threads) == BPF_MAP_TYPE_HASH;
	__u32 key = pid;

	if (pidfd < 0)
		return -errno;
	if (!thread)
		return -ENOMEM;
	if (bpf_map_update_elem(bpf_map__fd(s->skel->maps.procs), &key, &proc, BPF_ANY))
		return -errno;
	if (bpf_map_update_elem(bpf_map__fd(s->skel->maps.threads), by_id ? &pid : &pidfd, thread,
				BPF_ANY))
		return -errno;
	return 0;
}

int session__adopt(struct session *s, const pid_t *pids, size_t n)
{
	return adopt__all(s->skel, pids, n);
}

void session__start(struct session *s)
{
	adopt__end(s->skel);
}

int session__set_layout(struct session *s, uint32_t slot, const struct ct_pylayout *layout)
{
	if (slot == 0 || slot >= CT_MAX_LAYOUTS)
		return -EINVAL;
	return bpf_map_update_elem(bpf_map__fd(s->skel->maps.layouts), &slot, layout, BPF_ANY);
}

int session__use_layout(struct session *s, pid_t pid, uint32_t slot)
{
	__u32 key = pid;

	return bpf_map_update_elem(bpf_map__fd(s->skel->maps.proc_layouts), &key, &slot, BPF_ANY);
}

int session__meta_fd(const struct session *s)
{
	return ring__fd(s->meta);
}

int session__copies_fd(const struct session *s)
{
	return ring__fd(s->copies);
}

void session__limit(struct session *s, unsigned int records)
{
	s->limit = records;
}

unsigned int session__consume_meta(struct session *s)
{
	return ring__take(s->meta, s->limit);
}

unsigned int session__consume(struct session *s)
{
	unsigned int meta = session__consume_meta(s);

	ring__hear(s->copies);
	return meta + ring__take(s->copies, s->limit);
}

void session__detach(struct session *s)
{
	struct bpf_object_skeleton *skel = s->skel->skeleton;
	uint64_t skipped = witness__skipped(s->skel->obj);

	if (skipped)
		log_warn("this kernel preempts programs, and skipped them %llu times: copies were "
			 "missed",
			 (unsigned long long)skipped);
	for (int i = 0; i < skel->prog_cnt; i++) {
		struct bpf_link **link = skel->progs[i].link;

		if (link == &s->skel->links.each_task) /* only reads, and still has to */
			continue;
		bpf_link__destroy(*link);
		*link = NULL;
	}
}

static uint64_t percpu__sum(int fd, uint32_t key)
{
	int cpus = libbpf_num_possible_cpus();
	_free_ uint64_t *values = calloc(cpus > 0 ? cpus : 1, sizeof(*values));
	uint64_t sum = 0;

	if (!values || cpus <= 0 || bpf_map_lookup_elem(fd, &key, values))
		return 0;
	for (int i = 0; i < cpus; i++)
		sum += values[i];
	return sum;
}

int session__counters(struct session *s, struct session_counters *out)
{
	int fd = bpf_map__fd(s->skel->maps.counters);

	out->copies = percpu__sum(fd, CT_COUNT_COPIES);
	out->retracts = percpu__sum(fd, CT_COUNT_RETRACTS);
	out->reuses = percpu__sum(fd, CT_COUNT_REUSES);
	out->fixups_lost = percpu__sum(fd, CT_COUNT_FIXUPS_LOST);
	out->meta_lost = percpu__sum(fd, CT_COUNT_META_LOST);
	for (uint32_t i = 0; i < CT_LOST_MAX; i++)
		out->lost[i] = percpu__sum(bpf_map__fd(s->skel->maps.lost), i);
	return 0;
}

int session__proc(struct session *s, pid_t pid, struct ct_proc *out)
{
	__u32 key = pid;

	return bpf_map_lookup_elem(bpf_map__fd(s->skel->maps.procs), &key, out) ? -errno : 0;
}

void session__forget(struct session *s, pid_t pid)
{
	__u32 key = pid;

	bpf_map_delete_elem(bpf_map__fd(s->skel->maps.procs), &key);
}

int session__each_live(struct session *s, void (*cb)(void *ctx, const struct ct_live *live),
		       void *ctx)
{
	_close_ int fd = -1;
	struct ct_live live;
	ssize_t n;

	if (!s->skel->links.each_task)
		return -ENOTSUP;
	fd = bpf_iter_create(bpf_link__fd(s->skel->links.each_task));
	if (fd < 0)
		return -errno;
	while ((n = read(fd, &live, sizeof(live))) == sizeof(live))
		cb(ctx, &live);
	return n < 0 ? -errno : 0;
}
