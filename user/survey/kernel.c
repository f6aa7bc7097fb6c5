/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/intern.h"
#include "base/utf8.h"
#include "capture/kernel.h"
#include "model/machine.h"
#include "proc/caps.h"
#include "proc/kernel_file.h"
#include "survey/internal.h"

#define BTF "/sys/kernel/btf/vmlinux"

/* Files, and the name of a user, come from others. */
static const char *keep(struct intern *pool, const char *text)
{
	char valid[NAME_MAX_BYTES];

	utf8__sanitize(valid, sizeof(valid), text, strlen(text));
	return intern__str(pool, valid);
}

static struct machine_setting setting(const char *path)
{
	struct machine_setting s = {};

	s.err = kernel_file__number(path, &s.value);
	return s;
}

/* PRETTY_NAME="Debian GNU/Linux 12 (bookworm)", of os-release(5) */
static const char *distribution(struct intern *pool)
{
	_fclose_ FILE *f = fopen("/etc/os-release", "re");
	char line[256], name[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "PRETTY_NAME=\"%127[^\"\n]", name) == 1 ||
		    sscanf(line, "PRETTY_NAME=%127[^\"\n]", name) == 1)
			return keep(pool, name);
	return NULL;
}

static void system_part(struct intern *pool, struct machine *m)
{
	const struct passwd *pw = getpwuid(geteuid());
	struct utsname uts;

	uname(&uts);
	m->kernel = keep(pool, uts.release);
	m->build = keep(pool, uts.version);
	m->arch = keep(pool, uts.machine);
	m->distribution = distribution(pool);
	m->cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	m->page_size = (uint32_t)sysconf(_SC_PAGESIZE);
	m->uid = geteuid();
	m->user = pw ? keep(pool, pw->pw_name) : NULL;
}

static void privileges(struct machine *m)
{
	struct rlimit memlock = {};

	for (int i = 0; i < PRIVILEGES; i++)
		m->privileges[i] = caps__has(privilege__at(i)->capability);
	m->first_pid_namespace = kernel_file__first_namespace("pid");
	m->first_user_namespace = kernel_file__first_namespace("user");
	getrlimit(RLIMIT_MEMLOCK, &memlock);
	m->memlock = memlock.rlim_cur == RLIM_INFINITY ? UINT64_MAX : memlock.rlim_cur;
}

static void btf(struct machine *m)
{
	_close_ int fd = open(BTF, O_RDONLY | O_CLOEXEC);
	struct stat st;

	m->btf_err = fd < 0 ? -errno : 0;
	if (fd >= 0 && fstat(fd, &st) == 0)
		m->btf_size = (uint64_t)st.st_size;
}

/* "none [integrity] confidentiality" */
static void lockdown(struct intern *pool, struct machine *m)
{
	char line[128], *start, *end;

	m->lockdown_err = kernel_file__line("/sys/kernel/security/lockdown", line, sizeof(line));
	start = strchr(line, '[');
	end = start ? strchr(start, ']') : NULL;
	if (end) {
		*end = '\0';
		m->lockdown = keep(pool, start + 1);
	}
}

/* It is mounted at one of two places, the second up to 4.0; root's only, unless mounted otherwise.
 */
static int tracefs(void)
{
	static const char *const places[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
	int err = -ENOENT;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/events", places[i]);
		if (access(path, R_OK | X_OK) == 0)
			return 0;
		if (errno != ENOENT)
			err = -errno;
	}
	return err;
}

static void tracing(struct machine *m)
{
	struct kernel *k = NULL;
	uint64_t start, end;

	if (kernel__look(&k))
		k = NULL; /* out of memory: nothing is known */
	switch (k ? kernel__preemption(k) : PREEMPTION_NONE) {
	case PREEMPTION_NONE:
		m->preemption = MACHINE_PREEMPTS_NOT;
		break;
	case PREEMPTION_FUNCTIONS:
		m->preemption = MACHINE_PREEMPTS_FUNCTIONS;
		break;
	case PREEMPTION_TRACEPOINTS:
		m->preemption = MACHINE_PREEMPTS_TRACEPOINTS;
		break;
	}
	m->tracefs_err = tracefs();
	m->kernel_addresses = k && !kernel__range(k, "schedule", &start, &end);
	m->kernel_count =
		!k || m->btf_err ? -1 : kernel__has_member(k, "task_delay_info", "wpcopy_count");
	m->delayacct = setting("/proc/sys/kernel/task_delayacct");
	kernel__free(k);
}

void survey__kernel(struct intern *pool, struct machine *m)
{
	system_part(pool, m);
	privileges(m);
	btf(m);
	lockdown(pool, m);
	tracing(m);
	m->kptr_restrict = setting("/proc/sys/kernel/kptr_restrict");
	m->perf_event_paranoid = setting("/proc/sys/kernel/perf_event_paranoid");
	m->unprivileged_bpf = setting("/proc/sys/kernel/unprivileged_bpf_disabled");
	m->ptrace_scope = setting("/proc/sys/kernel/yama/ptrace_scope");
}
