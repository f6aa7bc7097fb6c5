/* SPDX-License-Identifier: MIT */
#include "capture/kinds.h"

#include <bpf/libbpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cowtrace/abi.h>
#include <cowtrace/pylayout.h>

#include "base/log.h"
#include "capture/kernel.h"
#include "capture/kretprobe.h"
#include "capture/programs.h"
#include "capture/witness.h"
#include "cowtrace.skel.h"

/* Programs come in pairs, for the entry of a function and its return; NULL: is not needed. */
struct follower {
	enum kind kind;
	const char *functions[2]; /* the first that there is */
	const char *fexit[2], *kprobe[2];
};

static const struct follower followers[] = {
	{KIND_COLD,
	 {"finish_fault"},
	 {NULL, "on_finish_exit"},
	 {"on_finish_probe", "on_finish_return"}},
	{KIND_HUGE_ZERO,
	 {"do_huge_pmd_wp_page"},
	 {"on_huge_entry", "on_huge_exit"},
	 {"on_huge_probe", "on_huge_return"}},
	{KIND_HUGETLB,
	 {"hugetlb_wp", "hugetlb_cow"},
	 {"on_hugetlb_entry", "on_hugetlb_exit"},
	 {"on_hugetlb_probe", "on_hugetlb_return"}},
};

#define N_FOLLOWERS (sizeof(followers) / sizeof(followers[0]))

static const char *follower__function(const struct follower *f, struct kernel *kernel)
{
	return f->functions[1] && !kernel__has_symbol(kernel, f->functions[0]) ? f->functions[1]
									       : f->functions[0];
}

static bool follower__probes(const struct follower *f, const struct kinds *k)
{
	return k->probed & 1u << f->kind;
}

static struct bpf_program *follower__program(const struct follower *f, const struct kinds *k,
					     const struct cowtrace *skel, int i)
{
	const char *const *names = follower__probes(f, k) ? f->kprobe : f->fexit;

	return names[i] ? bpf_object__find_program_by_name(skel->obj, names[i]) : NULL;
}

/* Tried before: one program that the kernel refuses would fail all of them. */
static void follower__prepare(const struct follower *f, struct kinds *k, const struct witness *w,
			      struct cowtrace *skel)
{
	const char *function = follower__function(f, k->kernel);
	bool probe = w->kprobe || kernel__try_fexit(k->kernel, function);

	if (probe && (!kernel__has_symbol(k->kernel, function) || !kernel__has_kprobes()))
		return;
	k->probed |= probe ? 1u << f->kind : 0;
	for (int i = 0; i < 2; i++) {
		struct bpf_program *program = follower__program(f, k, skel, i);

		if (!program)
			continue;
		bpf_program__set_autoload(program, true);
		bpf_program__set_autoattach(program, false);
		if (!probe)
			bpf_program__set_attach_target(program, 0, function);
	}
	k->seen |= 1u << f->kind;
}

static struct bpf_link *follower__attach_one(const struct follower *f, const struct kinds *k,
					     const struct bpf_program *program, int i)
{
	if (!follower__probes(f, k))
		return bpf_program__attach(program);
	return i ? kretprobe__attach(program, follower__function(f, k->kernel))
		 : bpf_program__attach_kprobe(program, false, follower__function(f, k->kernel));
}

/* Both or none: an entry whose return is not seen would be taken for that of another fault. */
static bool follower__attach(const struct follower *f, const struct kinds *k, struct cowtrace *skel)
{
	struct bpf_link **first = NULL;

	for (int i = 0; i < 2; i++) {
		struct bpf_program *program = follower__program(f, k, skel, i);
		struct bpf_link *link = program ? follower__attach_one(f, k, program, i) : NULL;

		if (link) {
			first = programs__link(skel, program);
			*first = link;
		} else if (program) {
			if (first) {
				bpf_link__destroy(*first);
				*first = NULL;
			}
			return false;
		}
	}
	return true;
}

/* --- tracepoints: the stack of the kernel says what allocates ------------------ */

static const char *const code_names[] = {
	[CT_CODE_FAULT] = "handle_mm_fault",
	[CT_CODE_WP_PAGE] = "do_wp_page",
	[CT_CODE_SWAP] = "do_swap_page",
	[CT_CODE_FILE] = "__do_fault",
};

static bool find_code(struct kernel *kernel, struct ct_range *range, const char *name)
{
	uint64_t start, end;

	if (kernel__range(kernel, name, &start, &end))
		return false;
	*range = (struct ct_range){start, end};
	return true;
}

static bool points__find_code(struct kernel *kernel, struct cowtrace *skel)
{
	struct ct_range ranges[CT_CODES] = {};
	bool all = true;

	for (int i = 0; i < CT_CODE_WP_COPY; i++)
		all &= find_code(kernel, &ranges[i], code_names[i]);
	find_code(kernel, &ranges[CT_CODE_WP_COPY], "wp_page_copy");
	/* Without CONFIG_NUMA_BALANCING there is neither, and nothing migrates. */
	if (!find_code(kernel, &ranges[CT_CODE_MIGRATE], "migrate_misplaced_folio"))
		find_code(kernel, &ranges[CT_CODE_MIGRATE], "migrate_misplaced_page");
	memcpy(skel->rodata->cfg_code, ranges, sizeof(ranges));
	return all && skel->rodata->cfg_fault_entry_start;
}

/* --- what is not seen ---------------------------------------------------------- */

static const char *const nouns[KIND_MAX] = {
	[KIND_COLD] = "first writes to pages of private file mappings that are not mapped yet, and "
		      "writes to pages that were swapped out",
	[KIND_HUGE_ZERO] = "the kernel's huge page of zeros",
	[KIND_HUGETLB] = "hugetlb pages",
	[KIND_FOREIGN] = "what the kernel does without a page fault (process_vm_writev, ptrace, "
			 "/proc/PID/mem, O_DIRECT, io_uring)",
	[KIND_PLACE] =
		"of what the kernel does without a page fault (process_vm_writev, ptrace, "
		"/proc/PID/mem, O_DIRECT, io_uring) the address, and writes to pages of zeros",
	[KIND_KSM] = "which pages KSM had merged",
	[KIND_SHARERS] = "how many processes still shared a page",
};

/* Of these the kernel's own count has copies. */
static const uint32_t counted_by_kernel =
	1u << KIND_HUGETLB | 1u << KIND_FOREIGN | 1u << KIND_PLACE;

static void join(char *to, size_t size, uint32_t kinds)
{
	size_t len = 0;

	to[0] = '\0';
	for (int i = 0; i < KIND_MAX; i++)
		if (kinds & 1u << i && len < size)
			len += (size_t)snprintf(to + len, size - len, "%s%s", len ? "; " : "",
						nouns[i]);
}

static void kinds__describe(struct kinds *k)
{
	uint32_t unseen = ~k->seen & ((1u << KIND_MAX) - 1);
	char beyond[sizeof(k->beyond) - 64];

	join(k->limits, sizeof(k->limits), unseen);
	join(beyond, sizeof(beyond), unseen & counted_by_kernel);
	k->beyond[0] = '\0';
	if (beyond[0])
		snprintf(k->beyond, sizeof(k->beyond),
			 "it also has what this witness does not see: %s", beyond);
}

/* --- the whole ----------------------------------------------------------------- */

void kinds__prepare(struct kinds *k, struct kernel *kernel, const struct witness *w,
		    struct cowtrace *skel)
{
	int args = kernel__arguments(kernel, "hugetlb_wp");

	*k = (struct kinds){.kernel = kernel};
	if (!w->function) {
		skel->rodata->cfg_cold = points__find_code(kernel, skel);
		k->seen = 1u << KIND_HUGE_ZERO;
		k->seen |= skel->rodata->cfg_cold
				   ? 1u << KIND_COLD | 1u << KIND_FOREIGN
				   : 1u << KIND_PLACE; /* says less than the noun before */
		return;
	}
	skel->rodata->cfg_hugetlb_args = args > 0 ? args : 6;
	k->seen = 1u << KIND_FOREIGN | 1u << KIND_PLACE | 1u << KIND_KSM | 1u << KIND_SHARERS;
	for (size_t i = 0; i < N_FOLLOWERS; i++)
		follower__prepare(&followers[i], k, w, skel);
}

void kinds__attach(struct kinds *k, const struct witness *w, struct cowtrace *skel)
{
	for (size_t i = 0; w->function && i < N_FOLLOWERS; i++) {
		uint32_t bit = 1u << followers[i].kind;

		if (k->seen & bit && !follower__attach(&followers[i], k, skel))
			k->seen &= ~bit;
	}
	/* Up to 5.10 it takes a struct, and never copies a huge page. */
	if (w->function && kernel__arguments(k->kernel, "do_huge_pmd_wp_page") == 2)
		k->seen |= 1u << KIND_HUGE_ZERO;
	kinds__describe(k);
	k->kernel = NULL;
	log_info("witness %s does not see: %s", w->name, k->limits[0] ? k->limits : "nothing");
}
