/* SPDX-License-Identifier: MIT */
#include "capture/kernel.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "capture/direct.h"
#include "capture/kallsyms.h"
#include "capture/symbols.h"
#include "capture/types.h"

/* All modes of a kernel with CONFIG_PREEMPT_DYNAMIC, the chosen one in parentheses. Since 5.13. */
#define MODES "/sys/kernel/debug/sched/preempt"

struct kernel {
	struct types *types;	   /* NULL: can not be read */
	struct symbols *symbols;   /* NULL: it can not be asked, then they are read */
	struct kallsyms *kallsyms; /* NULL: not read yet, or can not be */
	bool was_read;
	struct direct direct;
	bool was_tried;
};

int kernel__look(struct kernel **out)
{
	struct kernel *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	if (types__read(TYPES_VMLINUX, &k->types))
		k->types = NULL;
	if (symbols__new(&k->symbols))
		k->symbols = NULL;
	*out = k;
	return 0;
}

void kernel__free(struct kernel *k)
{
	if (!k)
		return;
	types__free(k->types);
	symbols__free(k->symbols);
	kallsyms__free(k->kallsyms);
	free(k);
}

/* That costs 40 ms: only where the kernel does not answer, or shows no addresses. */
static const struct kallsyms *kernel__kallsyms(struct kernel *k)
{
	if (!k->was_read && kallsyms__read(&k->kallsyms))
		k->kallsyms = NULL;
	k->was_read = true;
	return k->kallsyms;
}

/* Its number among the types, or 0. */
static uint32_t kernel__function(const struct kernel *k, const char *function)
{
	return k->types ? types__find(k->types, function, BTF_KIND_FUNC) : 0;
}

static bool has_line(const char *path, const char *line)
{
	_fclose_ FILE *f = fopen(path, "re");
	char buf[512];

	while (f && fgets(buf, sizeof(buf), f))
		if (strncmp(buf, line, strlen(line)) == 0)
			return true;
	return false;
}

static bool read_line(const char *path, char *buf, int size)
{
	_fclose_ FILE *f = fopen(path, "re");

	return f && fgets(buf, size, f);
}

/* The last one counts, but nobody gives two. */
static const char *boot_mode(char *cmdline)
{
	const char *mode = strstr(cmdline, "preempt=");

	return mode && (mode == cmdline || mode[-1] == ' ') ? mode + strlen("preempt=") : NULL;
}

static bool preempts(void)
{
	char buf[4096], config[sizeof(struct utsname) + 16];
	const char *mode = NULL;
	struct utsname uts;

	if (read_line(MODES, buf, sizeof(buf)))
		return strstr(buf, "(full)") || strstr(buf, "(lazy)");
	/* debugfs is not mounted, or locked down. */
	if (read_line("/proc/cmdline", buf, sizeof(buf)))
		mode = boot_mode(buf);
	if (mode)
		return strncmp(mode, "full", 4) == 0 || strncmp(mode, "lazy", 4) == 0;
	uname(&uts);
	snprintf(config, sizeof(config), "/boot/config-%s", uts.release);
	return has_line(config, "CONFIG_PREEMPT=y") || has_line(config, "CONFIG_PREEMPT_LAZY=y");
}

/* Since 7.0 probes run under SRCU. Up to 6.12 there was a tracepoint_srcu too, for the idle loop
 * only, and struct tracepoint had no member ext. */
static bool tracepoints_use_srcu(struct kernel *k)
{
	uint64_t start, end;

	return kernel__range(k, "tracepoint_srcu", &start, &end) == 0 &&
	       kernel__has_member(k, "tracepoint", "ext");
}

enum preemption kernel__preemption(struct kernel *k)
{
	if (!preempts())
		return PREEMPTION_NONE;
	return tracepoints_use_srcu(k) ? PREEMPTION_TRACEPOINTS : PREEMPTION_FUNCTIONS;
}

/* In bits; -1: it is not there. */
static int64_t struct__offset(const struct types *types, const struct btf_type *type,
			      const char *name)
{
	const struct btf_member *m = btf_members(type);

	for (int i = 0; i < btf_vlen(type); i++, m++) {
		const struct btf_type *inner = types__at(types, m->type);
		int64_t at = btf_member_bit_offset(type, (uint32_t)i), within = -1;

		if (m->name_off && strcmp(types__name(types, m->name_off), name) == 0)
			return at;
		while (inner && btf_is_mod(inner))
			inner = types__at(types, inner->type);
		if (!m->name_off && inner && btf_is_composite(inner))
			within = struct__offset(types, inner, name); /* as deep as the kernel's */
		if (within >= 0)
			return at + within;
	}
	return -1;
}

static int64_t kernel__offset(const struct kernel *k, const char *type, const char *member)
{
	uint32_t id = k->types ? types__find(k->types, type, BTF_KIND_STRUCT) : 0;

	return id ? struct__offset(k->types, types__at(k->types, id), member) : -1;
}

bool kernel__has_member(struct kernel *k, const char *type, const char *member)
{
	uint32_t id = k->types ? types__find(k->types, type, BTF_KIND_STRUCT) : 0;

	return !id || struct__offset(k->types, types__at(k->types, id), member) >= 0;
}

const struct direct *kernel__direct(struct kernel *k)
{
	int64_t mm = kernel__offset(k, "task_struct", "mm");
	int64_t pgd = kernel__offset(k, "mm_struct", "pgd");

	if (!k->was_tried && mm >= 0 && pgd >= 0 && kernel__function(k, "bpf_rdonly_cast"))
		k->direct = direct__look((uint32_t)mm / 8, (uint32_t)pgd / 8);
	k->was_tried = true;
	return &k->direct;
}

int kernel__arguments(struct kernel *k, const char *function)
{
	uint32_t id = kernel__function(k, function);
	const struct btf_type *proto =
		id ? types__at(k->types, types__at(k->types, id)->type) : NULL;

	return proto ? (int)btf_vlen(proto) : -1;
}

bool kernel__has_type(struct kernel *k, const char *type)
{
	return !k->types || types__find(k->types, type, 0);
}

bool kernel__has_symbol(struct kernel *k, const char *name)
{
	uint64_t start, end;
	int err = k->symbols ? symbols__range(k->symbols, name, &start, &end) : -ENOTSUP;

	if (!err || err == -ENOENT)
		return !err;
	return !kernel__kallsyms(k) || kallsyms__has(k->kallsyms, name);
}

int kernel__range(struct kernel *k, const char *function, uint64_t *start, uint64_t *end)
{
	int err = k->symbols ? symbols__range(k->symbols, function, start, end) : -ENOTSUP;

	if (!err || err == -ENOENT)
		return err;
	return kernel__kallsyms(k) ? kallsyms__range(k->kallsyms, function, start, end) : -ENOENT;
}

/* As events of perf: since 4.17, e12f03d7031a. */
bool kernel__has_kprobes(void)
{
	return access("/sys/bus/event_source/devices/kprobe", F_OK) == 0;
}

int kernel__try_fexit(struct kernel *k, const char *function)
{
	const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FEXIT);
	uint32_t id = kernel__function(k, function);
	_close_ int fd = -1, link = -1;

	if (!id)
		return -ESRCH;
	opts.attach_btf_id = id;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "nothing", "GPL", nothing, 2, &opts);
	if (fd >= 0)
		link = bpf_raw_tracepoint_open(NULL, fd);
	return fd < 0 ? fd : link < 0 ? link : 0;
}
