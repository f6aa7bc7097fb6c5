/* SPDX-License-Identifier: MIT */
#include "capture/witness.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/types.h>
#include <stdio.h>
#include <string.h>

#include <cowtrace/abi.h>
#include <cowtrace/pylayout.h>

static const char *const fexit_programs[] = {
	"on_fault_entry",
	"on_wp_page_entry",
	"on_wp_page_exit",
	"on_flush",
	"on_exec",
	"on_exit",
	NULL,
};
static const char *const fexit_page_programs[] = {
	"on_fault_entry", "on_wp_page_entry", "on_wp_page_exit", "on_page_alloc",
	"on_page_free",	  "on_exec",	      "on_exit",	 NULL,
};
static const char *const kprobe_programs[] = {
	"on_fault_probe",
	"on_wp_page_probe",
	"on_wp_page_return",
	"on_flush_probe",
	"on_exec",
	"on_exit",
	NULL,
};
static const char *const kprobe_page_programs[] = {
	"on_fault_probe", "on_wp_page_probe", "on_wp_page_return", "on_page_alloc",
	"on_page_free",	  "on_exec",	      "on_exit",	   NULL,
};
static const char *const kprobe_event_programs[] = {
	"on_fault_probe",
	"on_wp_page_probe",
	"on_wp_page_return",
	"on_flush_probe",
	"on_exec_event",
	"on_exit_event",
	NULL,
};
static const char *const kprobe_event_page_programs[] = {
	"on_fault_probe",     "on_wp_page_probe", "on_wp_page_return", "on_page_alloc_event",
	"on_page_free_event", "on_exec_event",	  "on_exit_event",     NULL,
};
static const char *const point_programs[] = {
	"on_fault_user", "on_fault_kernel", "on_rss_stat", "on_page_alloc",
	"on_page_free",	 "on_exec",	    "on_exit",	   NULL,
};
static const char *const event_programs[] = {
	"on_fault_user_event", "on_fault_kernel_event", "on_rss_stat_event", "on_page_alloc_event",
	"on_page_free_event",  "on_exec_event",		"on_exit_event",     NULL,
};
static const char *const call_programs[] = {
	"on_fault_entry", "on_page_copy_entry", "on_page_copy_exit", "on_exec", "on_exit", NULL};
static const char *const call_probe_programs[] = {
	"on_fault_probe", "on_page_copy_probe", "on_page_copy_return", "on_exec", "on_exit", NULL};
/* Whatever the witness is. */
static const char *const all_programs[] = {"on_fork", "adopt_each", "each_task", NULL};

static bool is_in(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

/* Where a fault does not say its address, handle_mm_fault is asked: see fault__address. */
static bool is_needed(struct kernel *k, const char *name)
{
	static const char *const addresses[] = {"on_fault_entry", "on_fault_probe", NULL};

	return !is_in(addresses, name) || !kernel__has_member(k, "vm_fault", "real_address");
}

void witness__prepare(const struct witness *w, struct kernel *k, struct bpf_object *object)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object)
	{
		const char *name = bpf_program__name(program);

		bpf_program__set_autoload(program,
					  is_in(all_programs, name) ||
						  (is_in(w->programs, name) && is_needed(k, name)));
		if (w->returns && strcmp(name, w->returns) == 0)
			bpf_program__set_autoattach(program, false);
	}
}

#define COUNTS_CALLS                                                                               \
	"counts how often the kernel began to copy a page (calls of wp_page_copy), not copies: "   \
	"where threads race for a page, each of them is counted, though one copy is made; "        \
	"writes to pages that nobody shared any longer are not counted at all"

/*
 * What everybody pays, traced or not. How much: tests/vm/instructions.txt, on the kernel that it
 * has, rounded to whole per cents (tests/e2e/test_bench.py).
 */
#define MORE(touch, copy)                                                                          \
	"; in a process that is not traced a first touch of a page takes " touch                   \
	" % more instructions, a copy " copy " % (counted on Linux 6.12)"
#define PAGES_PAY                                                                                  \
	"each page that is allocated or freed, anywhere on the machine, runs a small program "     \
	"that ends at once if the task is not traced"
#define COST_OF_FAULTS "each page fault, and " PAGES_PAY MORE("10", "4")
#define COST_OF_WRITES "each write to a page that is mapped read-only, and " PAGES_PAY
#define COST_OF_FLUSHES                                                                            \
	"each write to a page that is mapped read-only, and each change of the memory map for "    \
	"which the processor has to forget addresses, anywhere on the machine, runs a small "      \
	"program that ends at once if the task is not traced"
#define COST_OF_COPIES                                                                             \
	"each page that the kernel copies because of a write, anywhere on the machine, runs a "    \
	"small program that ends at once if the task is not traced; nothing else costs anything"

/* How x86 forgets addresses: see flush__seen. */
#define FLUSH "flush_tlb_mm_range"

static const struct witness fexit = {
	.name = "fexit",
	.function = "do_wp_page",
	.flush = FLUSH,
	.cost = COST_OF_FLUSHES MORE("0", "9"),
	.programs = fexit_programs,
};
static const struct witness fexit_pages = {
	.name = "fexit",
	.function = "do_wp_page",
	.cost = COST_OF_WRITES,
	.programs = fexit_page_programs,
};
static const struct witness kprobe = {
	.name = "kprobe",
	.function = "do_wp_page",
	.flush = FLUSH,
	.kprobe = true,
	.returns = "on_wp_page_return",
	.cost = COST_OF_FLUSHES MORE("0", "25"),
	.programs = kprobe_programs,
};
static const struct witness kprobe_pages = {
	.name = "kprobe",
	.function = "do_wp_page",
	.kprobe = true,
	.returns = "on_wp_page_return",
	.cost = COST_OF_WRITES,
	.programs = kprobe_page_programs,
};
static const struct witness kprobe_events = {
	.name = "kprobe",
	.function = "do_wp_page",
	.flush = FLUSH,
	.kprobe = true,
	.returns = "on_wp_page_return",
	.cost = COST_OF_FLUSHES MORE("0", "25"),
	.programs = kprobe_event_programs,
};
static const struct witness kprobe_page_events = {
	.name = "kprobe",
	.function = "do_wp_page",
	.kprobe = true,
	.returns = "on_wp_page_return",
	.cost = COST_OF_WRITES,
	.programs = kprobe_event_page_programs,
};
static const struct witness points = {
	.name = "tracepoints",
	.cost = COST_OF_FAULTS,
	.programs = point_programs,
};
static const struct witness events = {
	.name = "tracepoints",
	.cost = COST_OF_FAULTS,
	.programs = event_programs,
};
static const struct witness calls = {
	.name = "wp_page_copy",
	.function = "wp_page_copy",
	.note = COUNTS_CALLS,
	.cost = COST_OF_COPIES,
	.programs = call_programs,
};
static const struct witness call_probes = {
	.name = "wp_page_copy",
	.function = "wp_page_copy",
	.kprobe = true,
	.returns = "on_page_copy_return",
	.note = COUNTS_CALLS,
	.cost = COST_OF_COPIES,
	.programs = call_probe_programs,
};

/*
 * Probes of kprobes run with preemption off, so none of them is skipped for another one. But on a
 * kernel that preempts, threads stop inside do_wp_page, and the returns of only so many of them can
 * be waited for (kretprobe's maxactive, at least 10): tracepoints come first there.
 */
const struct witness *const *witness__order(enum preemption preemption)
{
	static const struct witness *const order[][9] = {
		[PREEMPTION_NONE] = {&fexit, &fexit_pages, &kprobe, &kprobe_pages, &points, &calls,
				     &call_probes},
		[PREEMPTION_FUNCTIONS] = {&points, &kprobe, &kprobe_pages, &fexit, &fexit_pages,
					  &call_probes, &calls},
		[PREEMPTION_TRACEPOINTS] = {&events, &kprobe_events, &kprobe_page_events, &points,
					    &fexit, &fexit_pages, &call_probes, &calls},
	};

	return order[preemption];
}

static const struct witness *const named[] = {&fexit, &kprobe, &points, &calls};

bool witness__exists(const char *name)
{
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (strcmp(name, named[i]->name) == 0)
			return true;
	return false;
}

void witness__names(char *buf, size_t size)
{
	snprintf(buf, size, "%s, %s, %s, %s", named[0]->name, named[1]->name, named[2]->name,
		 named[3]->name);
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

/* Programs that see what is not ours too: an interrupt that allocates is skipped. */
static bool sees_interrupts(const char *name)
{
	static const char *const names[] = {
		"on_page_alloc",
		"on_page_alloc_event",
		"on_page_free",
		"on_page_free_event",
		"on_rss_stat",
		"on_rss_stat_event",
		"on_fault_kernel",
		"on_fault_kernel_event",
		"each_task",
		"adopt_each",
		NULL,
	};

	return is_in(names, name);
}

uint64_t witness__skipped(const struct bpf_object *object)
{
	uint64_t n = 0, allocations = 0;
	struct bpf_program *program;

	bpf_object__for_each_program(program, object)
	{
		const char *name = bpf_program__name(program);

		if (!sees_interrupts(name))
			n += skipped(program);
		else if (strncmp(name, "on_page_alloc", strlen("on_page_alloc")) == 0)
			allocations += skipped(program);
	}
	/* Where the others were preempted, so was this one. */
	return n ? n + allocations : 0;
}
