/* SPDX-License-Identifier: MIT */
#include "capture/trial.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/types.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cowtrace/abi.h>
#include <cowtrace/pylayout.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "capture/direct.h"
#include "capture/kernel.h"
#include "capture/kinds.h"
#include "capture/kretprobe.h"
#include "capture/programs.h"
#include "capture/session.h"
#include "capture/witness.h"
#include "cowtrace.skel.h"
#include "proc/caps.h"
#include "proc/kernel_file.h"

/*
 * What each CPU copies at full speed in 100 ms. The daemon is woken when an eighth of it waits; of
 * a million copies by two or four workers on two CPUs none was lost with a quarter of it. Of nine
 * million by 64 workers 0.1 % were, and none with 16 MiB: see RING_SIZE of serve.
 */
#define RING_PER_CPU	(4u << 20)
#define RING_MIN	(8u << 20)
#define RING_MAX	(16u << 20)
#define THREADS_AT_ONCE 4096
/* Of a map that forgets, each CPU keeps some free elements aside (128, up to 6.15). */
#define SEEN_PER_CPU 256
/* include/linux/errno.h: not for user space, and it gets it all the same */
#define ENOTSUPP 524

/* What libbpf warned of first, of a program or a map if it did: the rest are consequences. */
static __thread char libbpf_warning[256];
static __thread bool libbpf_verbose;

static bool names_culprit(const char *warning)
{
	return strncmp(warning, "libbpf: prog '", 14) == 0 ||
	       strncmp(warning, "libbpf: map '", 13) == 0;
}

static int on_libbpf_message(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char *to = libbpf_warning;
	va_list copy;

	if (level == LIBBPF_DEBUG)
		return 0;
	va_copy(copy, args);
	if (level == LIBBPF_WARN && (!to[0] || (!names_culprit(to) && names_culprit(fmt))))
		vsnprintf(to, sizeof(libbpf_warning), fmt, copy);
	va_end(copy);
	if (!libbpf_verbose)
		return 0;
	log__status(NULL);
	return vfprintf(stderr, fmt, args);
}

static size_t ring__round(size_t size)
{
	size_t page = sysconf(_SC_PAGESIZE), rounded = page;

	while (rounded < size && rounded < (size_t)1 << 30)
		rounded <<= 1;
	return rounded;
}

/* What has been sent and is forgotten is sent again: with more different stacks than that at a time
 * a copy costs more. */
static void trial__size_seen(struct cowtrace *skel)
{
	struct bpf_map *const seen[] = {skel->maps.stacks_seen, skel->maps.codes_seen,
					skel->maps.types_seen};
	uint32_t least = SEEN_PER_CPU * (uint32_t)libbpf_num_possible_cpus();

	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++)
		if (bpf_map__max_entries(seen[i]) < least)
			bpf_map__set_max_entries(seen[i], least);
}

/*
 * Up to 6.0 a kernel warns in its log if programs of kprobes use maps that grow while they run
 * (94dacdbd5d2d): there such maps are filled at once, and the states of threads, 8 KiB each, are
 * few.
 */
static void trial__size_maps(struct cowtrace *skel, bool kprobes)
{
	bool legacy = bpf_map__type(skel->maps.threads) == BPF_MAP_TYPE_HASH;

	if (!legacy)
		bpf_map__set_autocreate(skel->maps.new_thread, false);
	if (!kprobes)
		return;
	bpf_map__set_map_flags(skel->maps.procs, 0);
	bpf_map__set_map_flags(skel->maps.proc_layouts, 0);
	if (legacy) {
		bpf_map__set_map_flags(skel->maps.threads, 0);
		bpf_map__set_max_entries(skel->maps.threads, THREADS_AT_ONCE);
	}
}

static size_t ring__default(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t size = cpus > 0 ? (size_t)cpus * RING_PER_CPU : 0;

	return size < RING_MIN ? RING_MIN : size > RING_MAX ? RING_MAX : size;
}

static void trial__configure(struct cowtrace *skel, struct kernel *kernel, const struct witness *w,
			     const struct session_options *opt, const struct direct *direct,
			     struct kinds *kinds)
{
	size_t ring = ring__round(opt->ring_size ?: ring__default());
	uint64_t start = 0, end = 0;

	witness__prepare(w, kernel, skel->obj);
	bpf_map__set_max_entries(skel->maps.copies, ring);
	skel->rodata->cfg_function = w->function != NULL;
	skel->rodata->cfg_flush = w->flush != NULL;
	skel->rodata->cfg_wakeup_bytes = ring / 8;
	skel->rodata->cfg_direct = direct->base;
	skel->rodata->cfg_five_levels = direct->five_levels;
	skel->rodata->cfg_pieces = CT_PIECES_ALL & ~opt->off;
	skel->rodata->cfg_cpus = libbpf_num_possible_cpus();
	/* Where a fault enters the kernel; the name is that of 5.8 and later. */
	if (kernel__range(kernel, "asm_exc_page_fault", &start, &end) == 0) {
		skel->rodata->cfg_fault_entry_start = start;
		skel->rodata->cfg_fault_entry_end = end;
	}
	kinds__prepare(kinds, kernel, w, skel);
	trial__size_seen(skel);
	trial__size_maps(skel, w->kprobe || kinds->probed);
}

static const char *missing_privileges(void)
{
	bool bpf = caps__has(CAP_BPF), perfmon = caps__has(CAP_PERFMON);

	if (!bpf && !perfmon)
		return "CAP_BPF and CAP_PERFMON";
	return !bpf ? "CAP_BPF besides CAP_PERFMON" : !perfmon ? "CAP_PERFMON besides CAP_BPF" : "";
}

/* True if there is a reason that needs no words of libbpf. */
static bool explain_lack(struct kernel *kernel, int err, const struct witness *w, char *why,
			 size_t size)
{
	const char *missing = missing_privileges();

	if (err == -EPERM && !kernel_file__first_namespace("user"))
		snprintf(why, size,
			 "this is not the host's user namespace: run cowtrace as root of the host, "
			 "not in a rootless container");
	else if (err == -EPERM && missing[0])
		snprintf(why, size, "tracing needs root, or %s: try sudo", missing);
	else if (err == -EACCES && w && !caps__has(CAP_DAC_READ_SEARCH))
		snprintf(why, size,
			 "%s needs tracefs, which only root may read: try sudo, or "
			 "CAP_DAC_READ_SEARCH",
			 w->name);
	else if (access("/sys/kernel/btf/vmlinux", R_OK) != 0)
		snprintf(why, size,
			 "this kernel has no BTF (/sys/kernel/btf/vmlinux): it needs "
			 "CONFIG_DEBUG_INFO_BTF=y");
	else if (w && w->function && !kernel__has_symbol(kernel, w->function))
		snprintf(why, size,
			 "this kernel has no function %s to be watched: the compiler has made it a "
			 "part of its callers",
			 w->function);
	else if (w && w->kprobe && !kernel__has_kprobes())
		snprintf(why, size, "this kernel has no kprobes (CONFIG_KPROBE_EVENTS)");
	else if (w && !w->function && !kernel__has_type(kernel, "btf_trace_page_fault_user"))
		snprintf(why, size, "this kernel has no tracepoints of page faults");
	else
		return false;
	return true;
}

static void trial__explain(struct kernel *kernel, int err, const struct witness *w, char *why,
			   size_t size)
{
	const char *said = libbpf_warning;
	char error[64];

	libbpf_warning[strcspn(libbpf_warning, "\n")] = '\0';
	if (strncmp(said, "libbpf: ", 8) == 0)
		said += 8;
	if (explain_lack(kernel, err, w, why, size))
		return;
	if (err == -ENOTSUPP)
		snprintf(error, sizeof(error), "it can not be followed there (ENOTSUPP)");
	else
		snprintf(error, sizeof(error), "%s", strerror(-err));
	snprintf(why, size, "the kernel refuses %s: %s%s%s%s", w ? w->name : "the ring buffers",
		 error, said[0] ? " (" : "", said, said[0] ? ")" : "");
}

/* The others are attached by libbpf. */
static int trial__attach_return(struct cowtrace *skel, const struct witness *w)
{
	struct bpf_program *program;
	struct bpf_link *link;

	if (!w->returns)
		return 0;
	program = bpf_object__find_program_by_name(skel->obj, w->returns);
	link = kretprobe__attach(program, w->function);
	if (!link)
		return -errno;
	*programs__link(skel, program) = link;
	return 0;
}

/* Only x86 has a function for it: elsewhere it is instructions inline, whatever has that name. */
static int trial__flush(const struct witness *w, struct kernel *kernel)
{
#ifdef __x86_64__
	if (kernel__is_clang() || !kernel__has_symbol(kernel, w->flush))
		return -ENOENT;
	return w->kprobe ? 0 : kernel__try_fexit(kernel, w->flush);
#else
	(void)w;
	(void)kernel;
	return -ENOENT;
#endif
}

/* What needs no look at our own programs, of which most take the verifier a while. */
static int trial__first(const struct witness *w, struct kernel *kernel)
{
	int err = 0;

	if (w->kprobe)
		err = kernel__has_kprobes() ? 0 : -ENOENT;
	else if (w->function)
		err = kernel__try_fexit(kernel, w->function);
	return err || !w->flush ? err : trial__flush(w, kernel);
}

static int trial__load(const struct witness *w, struct kernel *kernel,
		       const struct session_options *opt, const struct direct *direct,
		       struct cowtrace **out, struct kinds *kinds)
{
	struct cowtrace *skel;
	int err;

	libbpf_warning[0] = '\0';
	skel = programs__open(direct->base);
	if (!skel)
		return -errno;
	trial__configure(skel, kernel, w, opt, direct, kinds);
	err = cowtrace__load(skel);
	if (err)
		programs__close(skel);
	else
		*out = skel;
	return err;
}

/* A kernel may read by way of its map in a small program, and not let the large ones do so. */
static int trial__load_either(const struct witness *w, struct kernel *kernel,
			      const struct session_options *opt, struct cowtrace **skel,
			      struct kinds *kinds)
{
	static const struct direct none = {};
	const struct direct *direct = opt->plain ? &none : kernel__direct(kernel);
	int err = trial__load(w, kernel, opt, direct, skel, kinds);

	if (!err && direct->base)
		log_info("memory is read by way of the kernel's own map of it");
	if (!err || !direct->base)
		return err;
	libbpf_warning[strcspn(libbpf_warning, "\n")] = '\0';
	log_info("the kernel does not let memory be read by way of its own map: %s",
		 libbpf_warning);
	return trial__load(w, kernel, opt, &none, skel, kinds);
}

int trial__start(const struct witness *w, struct kernel *kernel, const struct session_options *opt,
		 struct cowtrace **out, struct kinds *kinds, char *why, size_t why_size)
{
	struct cowtrace *skel = NULL;
	int err;

	libbpf_warning[0] = '\0';
	err = trial__first(w, kernel);
	if (!err)
		err = trial__load_either(w, kernel, opt, &skel, kinds);
	if (!err)
		err = cowtrace__attach(skel);
	if (!err)
		err = trial__attach_return(skel, w);
	if (err) {
		trial__explain(kernel, err, w, why, why_size);
		programs__close(skel);
		return err;
	}
	kinds__attach(kinds, w, skel);
	*out = skel;
	return 0;
}

void trial__explain_rings(struct kernel *kernel, int err, char *why, size_t size)
{
	trial__explain(kernel, err, NULL, why, size);
}

void trial__listen(bool verbose)
{
	libbpf_verbose = verbose;
	libbpf_set_print(on_libbpf_message);
}
