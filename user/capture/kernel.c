/* SPDX-License-Identifier: MIT */
#include "capture/kernel.h"

#include <bpf/btf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "capture/kallsyms.h"

/* All modes of a kernel with CONFIG_PREEMPT_DYNAMIC, the chosen one in parentheses. Since 5.13. */
#define MODES "/sys/kernel/debug/sched/preempt"

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
static bool tracepoints_use_srcu(void)
{
	uint64_t start, end;

	return kallsyms__range("tracepoint_srcu", &start, &end) == 0 &&
	       kernel__has_member("tracepoint", "ext");
}

enum preemption kernel__preemption(void)
{
	if (!preempts())
		return PREEMPTION_NONE;
	return tracepoints_use_srcu() ? PREEMPTION_TRACEPOINTS : PREEMPTION_FUNCTIONS;
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

int kernel__arguments(const char *function)
{
	struct btf *btf = btf__load_vmlinux_btf();
	__s32 id = btf ? btf__find_by_name_kind(btf, function, BTF_KIND_FUNC) : -1;
	const struct btf_type *proto =
		id < 0 ? NULL : btf__type_by_id(btf, btf__type_by_id(btf, id)->type);
	int n = proto ? (int)btf_vlen(proto) : -1;

	btf__free(btf);
	return n;
}

bool kernel__has_type(const char *type)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has = !btf || btf__find_by_name(btf, type) >= 0;

	btf__free(btf);
	return has;
}

/* As events of perf: since 4.17, e12f03d7031a. */
bool kernel__has_kprobes(void)
{
	return access("/sys/bus/event_source/devices/kprobe", F_OK) == 0;
}
