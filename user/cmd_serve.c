/* SPDX-License-Identifier: MIT */
#include "cmd_serve.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli.h"
#include "cmd_serve_answers.h"
#include "cmd_tracing.h"
#include "pipeline.h"
#include "serve/address.h"
#include "serve/http.h"
#include "serve/notify.h"
#include "serve/peer.h"
#include "targets/finder.h"
#include "targets/group_name.h"

/*
 * A part of the 64 MiB. What a master has copied is explained with its memory, and while it forks
 * it holds the lock of that memory (dup_mmap, kernel/fork.c): on two CPUs that 64 workers keep busy
 * for 100 to 200 ms, as it waits for its turn in between. The buffer holds what the others copy
 * meanwhile: of nine million copies 250,000 were lost with 4 MiB, 5,000 with 8; with this none, or
 * 12,000 while others kept the CPUs busy, too.
 */
#define RING_SIZE (16u << 20)
/* Services load for longer before they fork. */
#define FIND_MS 2000
#define LOOK_MS 15000

/* What is allocated; with the buffers, programs and libraries that is less than 64 MiB. */
#define MEMORY_MAX (32u << 20)
#define RENEW_MS   60000
/* To count it takes as long as to explain fifty copies. */
#define COUNT_MS 1000

/* SIGUSR1: forgets what it knows, as it does when it has grown. */
static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1};

struct server {
	struct options opt;
	struct tracing tracing;
	struct finder_choice choice;
	struct finder *finder; /* NULL: processes were named */
	struct peer *peer;
	struct answers *answers;
	struct address address;
	int listen_fd;
	uint64_t next_find, next_look, next_renewal; /* ms */
};

/* --- targets ----------------------------------------------------------------- */

/* As /proc/PID/cgroup has it: without the place where the file system is mounted. */
static const char *cgroup_path(char *path)
{
	static const char mounted[] = "/sys/fs/cgroup/";
	size_t len;

	if (strncmp(path, mounted, sizeof(mounted) - 1) == 0)
		path += sizeof(mounted) - 2;
	len = strlen(path);
	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	return path;
}

static int choose_targets(struct server *s)
{
	struct options *opt = &s->opt;

	for (size_t i = 0; i < opt->n_cgroups; i++)
		opt->cgroups[i] = cgroup_path((char *)opt->cgroups[i]); /* one of argv */
	s->choice = (struct finder_choice){opt->names, opt->n_names, opt->cgroups, opt->n_cgroups};
	if (opt->n_pids && !opt->n_names && !opt->n_cgroups)
		return 0;
	return finder__new(&s->choice, &s->finder);
}

/* --- the loop ---------------------------------------------------------------- */

static bool has_grown(void)
{
	struct mallinfo2 used = mallinfo2();

	return used.uordblks + used.hblkhd > MEMORY_MAX;
}

static void renew(struct server *s)
{
	int err = pipeline__renew(s->tracing.pipeline);

	if (err)
		log_info("what is known is not forgotten now: %s", strerror(-err));
	else
		malloc_trim(0);
}

static void now_and_then(struct server *s, uint64_t now)
{
	if (s->finder && now >= s->next_find) {
		tracing__find(&s->tracing, s->finder);
		s->next_find = now + FIND_MS;
	}
	if (now >= s->next_look) {
		pipeline__look(s->tracing.pipeline);
		s->next_look = now + LOOK_MS;
	}
	if (now >= s->next_renewal) {
		bool grown = has_grown();

		if (grown)
			renew(s);
		s->next_renewal = now + (grown ? RENEW_MS : COUNT_MS);
	}
}

static void serve(struct server *s)
{
	struct signalfd_siginfo info;
	struct question question;
	bool ended = false;
	short events;

	while (!ended) {
		int wait = pipeline__step(s->tracing.pipeline);
		uint64_t now = clock__now_ms();
		int fd;

		now_and_then(s, now);
		if (peer__step(s->peer, now, &question))
			answers__take(s->answers, &question, now);
		answers__step(s->answers, now);
		fd = peer__fd(s->peer, &events);
		/* To write, it need not be waited for: there is more to do soon enough. */
		if (!tracing__wait(&s->tracing, wait, peer__ready(s->peer) ? fd : -1, &info))
			continue;
		if (info.ssi_signo == SIGUSR1)
			renew(s);
		else
			ended = true;
	}
}

/* --- beginning and end ------------------------------------------------------- */

static int open_address(struct server *s)
{
	const char *text = s->opt.listen ?: ADDRESS_DEFAULT;
	int err = address__parse(text, &s->address);

	if (err)
		return log_err_r(err,
				 "--listen %s: an address and a port are needed, such as "
				 "127.0.0.1:9748 or [::1]:9748",
				 text);
	if (!s->address.local && !s->opt.listen_public)
		return log_err_r(-EINVAL,
				 "--listen %s: other machines could ask there, without a password: "
				 "add --listen-public if that is meant, or put a reverse proxy in "
				 "front of 127.0.0.1",
				 text);
	s->listen_fd = address__listen(&s->address);
	if (s->listen_fd < 0)
		return log_err_r(-EADDRINUSE, "cannot listen at %s: %s", text,
				 strerror(-s->listen_fd));
	return 0;
}

static int open_tracing(struct server *s)
{
	int err = tracing__open(&s->tracing, &s->opt, caught, sizeof(caught) / sizeof(caught[0]));

	if (err)
		return err;
	tracing__raise_limits();
	tracing__hurry();
	err = pipeline__group(s->tracing.pipeline, group_name__of) ?: choose_targets(s);
	if (err)
		return log_err_r(err, "out of memory");
	pipeline__begin(s->tracing.pipeline);
	return s->opt.n_pids ? tracing__take(&s->tracing, &s->opt) : 0;
}

static int open_pages(struct server *s)
{
	char at[64];
	int err = peer__new(s->listen_fd, &s->peer);

	if (err)
		return log_err_r(err, "cannot start the HTTP process: %s", strerror(-err));
	err = answers__new(s->tracing.pipeline, s->peer, &s->answers);
	if (err)
		return log_err_r(err, "out of memory");
	address__format(&s->address, at, sizeof(at));
	if (!s->opt.quiet)
		fprintf(stderr, "cowtrace: serving at http://%s/\n", at);
	notify__say("READY=1");
	return 0;
}

static void close_all(struct server *s)
{
	answers__free(s->answers);
	peer__free(s->peer);
	finder__free(s->finder);
	tracing__close(&s->tracing);
	if (s->listen_fd >= 0)
		close(s->listen_fd);
}

int cmd_serve(const struct options *opt)
{
	struct server s = {
		.opt = *opt,
		.tracing = {.signal_fd = -1, .delayacct = -1},
		.listen_fd = -1,
	};
	int err;

	if (!http__is_built()) {
		log_error("serve: this cowtrace was built without HTTP (libmicrohttpd)");
		return STATUS_UNSUPPORTED;
	}
	signal(SIGPIPE, SIG_IGN); /* of whoever reads what it says */
	err = tracing__check_targets(opt);
	if (err)
		return err == -EINVAL ? STATUS_USAGE : STATUS_FAILURE;
	s.opt.ring_size = s.opt.ring_size ?: RING_SIZE;
	err = open_address(&s);
	err = err ?: open_tracing(&s) ?: open_pages(&s);
	if (!err) {
		serve(&s);
		notify__say("STOPPING=1");
	}
	close_all(&s);
	return tracing__status(&s.tracing, err);
}
