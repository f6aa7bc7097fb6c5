/* SPDX-License-Identifier: MIT */
#include "capture/kretprobe.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

/* The most that the kernel takes: KRETPROBE_MAXACTIVE_MAX. Each is some hundred bytes. */
#define AT_ONCE 4096
#define GROUP	"cowtrace_"
#define TRACEFS "/sys/kernel/tracing"

/* A line of kprobe_events is one write. */
static int events__write(const char *line)
{
	_close_ int fd = open(TRACEFS "/kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, line, strlen(line));

	return n < 0 ? -errno : 0;
}

static int event__id(const char *name, unsigned long long *id)
{
	_fclose_ FILE *file = NULL;
	char path[256];

	snprintf(path, sizeof(path), TRACEFS "/events/" GROUP "%d/%s/id", (int)getpid(), name);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	return fscanf(file, "%llu", id) == 1 ? 0 : -EINVAL;
}

static struct bpf_link *event__attach(const struct bpf_program *program, const char *name)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.sample_period = 1,
		.wakeup_events = 1,
	};
	unsigned long long id = 0;
	struct bpf_link *link;
	int fd, err = event__id(name, &id);

	if (err) {
		errno = -err;
		return NULL;
	}
	attr.config = id;
	/* The program runs on every CPU, whichever is named here. */
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return NULL;
	link = bpf_program__attach_perf_event(program, fd);
	if (!link)
		close(fd);
	return link;
}

struct bpf_link *kretprobe__attach(const struct bpf_program *program, const char *function)
{
	struct bpf_link *link = NULL;
	char line[256];
	int err;

	snprintf(line, sizeof(line), "r%d:" GROUP "%d/%s %s", AT_ONCE, (int)getpid(), function,
		 function);
	err = events__write(line);
	if (!err) {
		link = event__attach(program, function);
		err = link ? 0 : -errno;
	}
	if (link)
		return link;
	log_info("the returns of %s are seen for as many threads at once as the kernel likes: %s",
		 function, strerror(-err));
	return bpf_program__attach_kprobe(program, true, function);
}

/* "r4096:cowtrace_123/do_wp_page do_wp_page": up to the blank it names the event. */
static bool is_left_over(const char *line, int *pid, char name[64])
{
	const char *group = strchr(line, ':');

	if (line[0] != 'r' || !group ||
	    sscanf(group + 1, GROUP "%d/%63[a-zA-Z0-9_]", pid, name) != 2)
		return false;
	return *pid > 0 && (*pid == getpid() || (kill(*pid, 0) && errno == ESRCH));
}

void kretprobe__remove(void)
{
	_fclose_ FILE *file = fopen(TRACEFS "/kprobe_events", "re");
	char line[512], name[64], removal[128];
	int pid;

	while (file && fgets(line, sizeof(line), file)) {
		if (!is_left_over(line, &pid, name))
			continue;
		snprintf(removal, sizeof(removal), "-:" GROUP "%d/%s", pid, name);
		events__write(removal);
	}
}
