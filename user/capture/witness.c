/* SPDX-License-Identifier: MIT */
#include "capture/witness.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/types.h>
#include <stdio.h>
#include <string.h>

#include <cowtrace/abi.h>
#include <cowtrace/pylayout.h>

#include "cowtrace.skel.h"

enum way {
	WAY_FEXIT,
	WAY_POINTS,
	WAY_EVENTS,
};

static void load_only(struct cowtrace *skel, enum way way)
{
	bool fexit = way == WAY_FEXIT, points = way == WAY_POINTS, events = way == WAY_EVENTS;

	bpf_program__set_autoload(skel->progs.on_wp_page_entry, fexit);
	bpf_program__set_autoload(skel->progs.on_wp_page_exit, fexit);
	bpf_program__set_autoload(skel->progs.on_fault_user, points);
	bpf_program__set_autoload(skel->progs.on_fault_kernel, points);
	bpf_program__set_autoload(skel->progs.on_rss_stat, points);
	bpf_program__set_autoload(skel->progs.on_page_alloc, !events);
	bpf_program__set_autoload(skel->progs.on_page_free, !events);
	bpf_program__set_autoload(skel->progs.on_exec, !events);
	bpf_program__set_autoload(skel->progs.on_exit, !events);
	bpf_program__set_autoload(skel->progs.on_fault_user_event, events);
	bpf_program__set_autoload(skel->progs.on_fault_kernel_event, events);
	bpf_program__set_autoload(skel->progs.on_rss_stat_event, events);
	bpf_program__set_autoload(skel->progs.on_page_alloc_event, events);
	bpf_program__set_autoload(skel->progs.on_page_free_event, events);
	bpf_program__set_autoload(skel->progs.on_exec_event, events);
	bpf_program__set_autoload(skel->progs.on_exit_event, events);
	skel->rodata->cfg_fexit = fexit;
}

static void prepare_fexit(struct cowtrace *skel)
{
	load_only(skel, WAY_FEXIT);
}

static void prepare_points(struct cowtrace *skel)
{
	load_only(skel, WAY_POINTS);
}

static void prepare_events(struct cowtrace *skel)
{
	load_only(skel, WAY_EVENTS);
}

#define NOT_SEEN                                                                                   \
	"first writes to pages of private file mappings that were never read, hugetlb pages, "     \
	"the kernel's huge page of zeros"

#define NOT_SEEN_BY_TRACEPOINTS NOT_SEEN ", writes through process_vm_writev, ptrace or O_DIRECT"

/* What everybody pays, traced or not. How much that is: tests/bench. */
#define COST_OF_FAULTS                                                                             \
	"each page fault, and each page that is allocated or freed, anywhere on the machine, "     \
	"runs a small program that ends at once if the task is not traced"
#define COST_OF_WRITES                                                                             \
	"each write to a page that is mapped read-only, and each page that is allocated or "       \
	"freed, anywhere on the machine, runs a small program that ends at once if the task is "   \
	"not traced; other page faults cost nothing"

static const struct witness fexit = {
	.name = "fexit",
	.limits = NOT_SEEN,
	.cost = COST_OF_WRITES,
	.prepare = prepare_fexit,
};
static const struct witness points = {
	.name = "tracepoints",
	.limits = NOT_SEEN_BY_TRACEPOINTS,
	.cost = COST_OF_FAULTS,
	.prepare = prepare_points,
};
static const struct witness events = {
	.name = "tracepoints",
	.limits = NOT_SEEN_BY_TRACEPOINTS,
	.cost = COST_OF_FAULTS,
	.prepare = prepare_events,
};

const struct witness *const *witness__order(enum preemption preemption)
{
	static const struct witness *const order[][4] = {
		[PREEMPTION_NONE] = {&fexit, &points},
		[PREEMPTION_FUNCTIONS] = {&points, &fexit},
		[PREEMPTION_TRACEPOINTS] = {&events, &points, &fexit},
	};

	return order[preemption];
}

bool witness__exists(const char *name)
{
	return strcmp(name, fexit.name) == 0 || strcmp(name, points.name) == 0;
}

void witness__names(char *buf, size_t size)
{
	snprintf(buf, size, "%s, %s", fexit.name, points.name);
}

static uint64_t skipped(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (bpf_program__fd(program) < 0 ||
	    bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
		return 0;
	return info.recursion_misses;
}

uint64_t witness__skipped(const struct cowtrace *skel)
{
	uint64_t n = skipped(skel->progs.on_fork) + skipped(skel->progs.on_exec) +
		     skipped(skel->progs.on_exit) + skipped(skel->progs.on_wp_page_entry) +
		     skipped(skel->progs.on_wp_page_exit) + skipped(skel->progs.on_fault_user) +
		     skipped(skel->progs.on_exec_event) + skipped(skel->progs.on_exit_event) +
		     skipped(skel->progs.on_fault_user_event);

	/* An interrupt that allocates is skipped too, and that is none of ours; but where the
	 * others were preempted, so was this one. */
	return n ? n + skipped(skel->progs.on_page_alloc) + skipped(skel->progs.on_page_alloc_event)
		 : 0;
}
