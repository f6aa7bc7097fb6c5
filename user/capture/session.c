/* SPDX-License-Identifier: MIT */
#include "capture/session.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cowtrace/pylayout.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "capture/adopt.h"
#include "capture/kallsyms.h"
#include "capture/kernel.h"
#include "capture/witness.h"
#include "cowtrace.skel.h"

#define DEFAULT_RING_SIZE (32u << 20)
/* PROC_PID_INIT_INO of include/linux/proc_ns.h, since 3.8 */
#define HOST_PID_NAMESPACE 0xEFFFFFFCu

struct session {
	struct cowtrace *skel;
	struct ring_buffer *meta, *copies;
	const struct witness *witness;
	struct session_handler handler;
	bool kernel_faults_checked;
};

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
	return libbpf_verbose ? vfprintf(stderr, fmt, args) : 0;
}

static int on_meta(void *ctx, void *data, size_t size)
{
	struct session *s = ctx;

	s->handler.meta(s->handler.ctx, data, size);
	return 0; /* anything else would stop the polling */
}

static int on_copy(void *ctx, void *data, size_t size)
{
	struct session *s = ctx;

	s->handler.copy(s->handler.ctx, data, size);
	return 0;
}

static size_t ring__round(size_t size)
{
	size_t page = sysconf(_SC_PAGESIZE), rounded = page;

	while (rounded < size && rounded < (size_t)1 << 30)
		rounded <<= 1;
	return rounded;
}

static void session__configure(struct cowtrace *skel, const struct witness *w,
			       const struct session_options *opt)
{
	size_t ring = ring__round(opt->ring_size ?: DEFAULT_RING_SIZE);
	uint64_t start = 0, end = 0;

	w->prepare(skel);
	bpf_map__set_max_entries(skel->maps.copies, ring);
	skel->rodata->cfg_wakeup_bytes = ring / 8;
	skel->rodata->cfg_cpus = libbpf_num_possible_cpus();
	/* Where a fault enters the kernel; the name is that of 5.8 and later. */
	if (kallsyms__range("asm_exc_page_fault", &start, &end) == 0) {
		skel->rodata->cfg_fault_entry_start = start;
		skel->rodata->cfg_fault_entry_end = end;
	}
}

/* Tries one witness; leaves nothing behind if it fails. */
static int session__try(struct session *s, const struct witness *w,
			const struct session_options *opt)
{
	struct cowtrace *skel = cowtrace__open();
	int err;

	libbpf_warning[0] = '\0';
	if (!skel)
		return -errno;
	session__configure(skel, w, opt);
	err = cowtrace__load(skel);
	if (!err)
		err = cowtrace__attach(skel);
	if (err) {
		cowtrace__destroy(skel);
		return err;
	}
	s->skel = skel;
	s->witness = w;
	s->kernel_faults_checked = skel->rodata->cfg_fault_entry_start || skel->rodata->cfg_fexit;
	return 0;
}

static int session__rings(struct session *s)
{
	s->meta = ring_buffer__new(bpf_map__fd(s->skel->maps.meta), on_meta, s, NULL);
	if (!s->meta)
		return -errno;
	s->copies = ring_buffer__new(bpf_map__fd(s->skel->maps.copies), on_copy, s, NULL);
	return s->copies ? 0 : -errno;
}

/* One line for a person, from an error and what libbpf said. */
static void explain(int err, const char *tried, char *why, size_t size)
{
	const char *said = libbpf_warning;

	libbpf_warning[strcspn(libbpf_warning, "\n")] = '\0';
	if (strncmp(said, "libbpf: ", 8) == 0)
		said += 8;
	if (err == -EPERM && geteuid() != 0)
		snprintf(why, size, "tracing needs root (or CAP_BPF and CAP_PERFMON): try sudo");
	else if (access("/sys/kernel/btf/vmlinux", R_OK) != 0)
		snprintf(why, size,
			 "this kernel has no BTF (/sys/kernel/btf/vmlinux): it needs "
			 "CONFIG_DEBUG_INFO_BTF=y");
	else if (err == -EINVAL && strcmp(tried, "fexit") == 0 &&
		 !kernel__has_member("vm_fault", "real_address"))
		snprintf(why, size,
			 "this kernel does not tell fexit the exact address of a fault "
			 "(vm_fault.real_address, since 5.18)");
	else
		snprintf(why, size, "the kernel refuses %s: %s (%s)", tried, strerror(-err),
			 said[0] ? said : "no details");
}

static int session__choose(struct session *s, const struct session_options *opt, char *why,
			   size_t why_size)
{
	const struct witness *const *w = witness__order(kernel__preemption());
	int err = -ENOTSUP;

	if (opt->witness && !witness__exists(opt->witness)) {
		char names[64];

		witness__names(names, sizeof(names));
		snprintf(why, why_size, "no witness is called '%s'; there are: %s", opt->witness,
			 names);
		return -EINVAL;
	}
	for (; *w; w++) {
		if (opt->witness && strcmp((*w)->name, opt->witness) != 0)
			continue;
		err = session__try(s, *w, opt);
		if (!err)
			return 0;
		explain(err, (*w)->name, why, why_size);
		log_info("witness %s: %s", (*w)->name, why);
	}
	return err;
}

/* The kernel side speaks of pids as the host has them; /proc must be the same one. */
static bool in_host_pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) || st.st_ino == HOST_PID_NAMESPACE;
}

int session__open(const struct session_options *opt, const struct session_handler *handler,
		  struct session **out, char *why, size_t why_size)
{
	struct session *s;
	int err;

	if (!in_host_pid_namespace()) {
		snprintf(why, why_size,
			 "this is not the host's pid namespace: run cowtrace on the host, or in a "
			 "container with --pid=host");
		return -ENOTSUP;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->handler = *handler;
	libbpf_verbose = opt->verbose;
	libbpf_set_print(on_libbpf_message);
	err = session__choose(s, opt, why, why_size);
	if (!err) {
		err = session__rings(s);
		if (err)
			explain(err, "the ring buffers", why, why_size);
	}
	if (err) {
		session__free(s);
		return err;
	}
	if (!s->kernel_faults_checked)
		log_warn("/proc/kallsyms hides the kernel's addresses: writes of the kernel itself "
			 "may "
			 "be counted too often (sysctl kernel.kptr_restrict)");
	*out = s;
	return 0;
}

void session__free(struct session *s)
{
	if (!s)
		return;
	ring_buffer__free(s->meta);
	ring_buffer__free(s->copies);
	cowtrace__destroy(s->skel);
	free(s);
}

const char *session__witness(const struct session *s)
{
	return s->witness->name;
}

const char *session__witness_limits(const struct session *s)
{
	return s->witness->limits;
}

int session__trace_from_exec(struct session *s, pid_t pid)
{
	_close_ int pidfd = syscall(SYS_pidfd_open, pid, 0);
	_free_ void *thread = calloc(1, bpf_map__value_size(s->skel->maps.threads));
	struct ct_proc proc = {};
	__u32 key = pid;

	if (pidfd < 0)
		return -errno;
	if (!thread)
		return -ENOMEM;
	if (bpf_map_update_elem(bpf_map__fd(s->skel->maps.procs), &key, &proc, BPF_ANY))
		return -errno;
	if (bpf_map_update_elem(bpf_map__fd(s->skel->maps.threads), &pidfd, thread, BPF_ANY))
		return -errno;
	return 0;
}

int session__adopt(struct session *s, const pid_t *pids, size_t n)
{
	return adopt__all(s->skel, pids, n);
}

void session__start(struct session *s)
{
	s->skel->bss->adopting = false;
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
	return ring_buffer__epoll_fd(s->meta);
}

int session__copies_fd(const struct session *s)
{
	return ring_buffer__epoll_fd(s->copies);
}

int session__consume_meta(struct session *s)
{
	return ring_buffer__consume(s->meta);
}

int session__consume(struct session *s)
{
	int meta = ring_buffer__consume(s->meta);
	int copies = ring_buffer__consume(s->copies);

	if (meta < 0 || copies < 0)
		return meta < 0 ? meta : copies;
	return meta + copies;
}

void session__detach(struct session *s)
{
	struct bpf_object_skeleton *skel = s->skel->skeleton;
	uint64_t skipped = witness__skipped(s->skel);

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
