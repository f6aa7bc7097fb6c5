/* SPDX-License-Identifier: MIT */
#include "capture/witness.h"

#include <bpf/libbpf.h>
#include <linux/types.h>
#include <stdio.h>
#include <string.h>

#include <cowtrace/abi.h>
#include <cowtrace/pylayout.h>

#include "cowtrace.skel.h"

static void load_only(struct cowtrace *skel, bool fexit)
{
	bpf_program__set_autoload(skel->progs.on_wp_page_entry, fexit);
	bpf_program__set_autoload(skel->progs.on_wp_page_exit, fexit);
	bpf_program__set_autoload(skel->progs.on_fault_user, !fexit);
	bpf_program__set_autoload(skel->progs.on_fault_kernel, !fexit);
	bpf_program__set_autoload(skel->progs.on_rss_stat, !fexit);
	skel->rodata->cfg_fexit = fexit;
}

static void prepare_fexit(struct cowtrace *skel)
{
	load_only(skel, true);
}

static void prepare_tracepoints(struct cowtrace *skel)
{
	load_only(skel, false);
}

#define NOT_SEEN                                                                                   \
	"first writes to pages of private file mappings that were never read, hugetlb pages, "     \
	"the kernel's huge page of zeros"

const struct witness witnesses[] = {
	{
		.name = "fexit",
		.limits = NOT_SEEN,
		.prepare = prepare_fexit,
	},
	{
		.name = "tracepoints",
		.limits = NOT_SEEN ", writes through process_vm_writev, ptrace or O_DIRECT",
		.prepare = prepare_tracepoints,
	},
	{},
};

void witness__names(char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (const struct witness *w = witnesses; w->name && len < size; w++)
		len += snprintf(buf + len, size - len, "%s%s", len ? ", " : "", w->name);
}
