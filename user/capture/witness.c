/* SPDX-License-Identifier: MIT */
#include "capture/witness.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
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

static const struct witness fexit = {
	.name = "fexit",
	.limits = NOT_SEEN,
	.prepare = prepare_fexit,
};
static const struct witness points = {
	.name = "tracepoints",
	.limits = NOT_SEEN_BY_TRACEPOINTS,
	.prepare = prepare_points,
};
static const struct witness events = {
	.name = "tracepoints",
	.limits = NOT_SEEN_BY_TRACEPOINTS,
	.prepare = prepare_events,
};

const struct witness *const *witness__order(bool preempts)
{
	static const struct witness *const order[] = {&fexit, &points, NULL};
	/* fexit would miss copies: see kernel__preempts(). Events need tracefs. */
	static const struct witness *const preempting[] = {&events, &points, &fexit, NULL};

	return preempts ? preempting : order;
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
		     skipped(skel->progs.on_wp_page_exit) + skipped(skel->progs.on_fault_user);

	/* An interrupt that allocates is skipped too, and that is none of ours; but where the
	 * others were preempted, so was this one. */
	return n ? n + skipped(skel->progs.on_page_alloc) : 0;
}

static bool struct__has_member(const struct btf *btf, const struct btf_type *type, const char *name)
{
	const struct btf_member *m = btf_members(type);

	for (int i = 0; i < btf_vlen(type); i++, m++) {
		const struct btf_type *inner = btf__type_by_id(btf, m->type);

		if (m->name_off && strcmp(btf__name_by_offset(btf, m->name_off), name) == 0)
			return true;
		while (inner && btf_is_mod(inner))
			inner = btf__type_by_id(btf, inner->type);
		if (!m->name_off && inner && btf_is_composite(inner) &&
		    struct__has_member(btf, inner, name)) /* unnamed: as deep as the kernel's */
			return true;
	}
	return false;
}

bool kernel__has_member(const char *type, const char *member)
{
	struct btf *btf = btf__load_vmlinux_btf();
	__s32 id = btf ? btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT) : -1;
	bool has = id < 0 || struct__has_member(btf, btf__type_by_id(btf, id), member);

	btf__free(btf);
	return has;
}
