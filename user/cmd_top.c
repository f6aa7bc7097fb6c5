/* SPDX-License-Identifier: MIT */
#include "cmd_top.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli.h"
#include "cmd_tracing.h"
#include "model/live.h"
#include "model/snapshot.h"
#include "pipeline.h"
#include "targets/finder.h"
#include "term/screen.h"
#include "top/canvas.h"
#include "top/top.h"

#define TICK_MS	   1000
#define MESSAGE_MS 10000

/* SIGTSTP: Ctrl-Z */
static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT};

struct session_of_top {
	struct tracing tracing;
	struct live *live;
	struct finder *finder; /* NULL: processes were named */
	struct top *top;
	struct screen *screen;
	struct canvas canvas;
	struct top_data data;
	struct snapshot_capture capture;
	struct utsname uts;
	char message[256];
	uint64_t message_until, next_tick; /* ms */
	bool changed, quit;
};

/* --- messages ---------------------------------------------------------------- */

static void on_message(void *ctx, enum log_level level, const char *text)
{
	struct session_of_top *s = ctx;

	snprintf(s->message, sizeof(s->message), "%s", text);
	s->message_until = clock__now_ms() + MESSAGE_MS;
	if (level == LOG_ERROR)
		screen__last_words(text);
	s->changed = true;
}

/* --- targets ----------------------------------------------------------------- */

static void find_targets(struct session_of_top *s)
{
	tracing__find(&s->tracing, s->finder);
	s->data.closed = finder__closed(s->finder);
}

/* --- drawing ----------------------------------------------------------------- */

static int resize(struct session_of_top *s)
{
	int width, height;

	screen__size(s->screen, &width, &height);
	s->changed = true;
	return canvas__resize(&s->canvas, width, height);
}

static int draw(struct session_of_top *s)
{
	int err;

	if (clock__now_ms() >= s->message_until)
		s->message[0] = '\0';
	s->data.message = s->message[0] ? s->message : NULL;
	err = top__draw(s->top, &s->data, &s->canvas);
	if (!err)
		screen__draw(s->screen, &s->canvas);
	s->changed = false;
	return err;
}

static int look(struct session_of_top *s)
{
	if (top__paused(s->top))
		return 0;
	pipeline__capture(s->tracing.pipeline, &s->capture);
	s->changed = true;
	return live__view(s->live, top__window(s->top), &s->data.live);
}

/* --- what comes in ----------------------------------------------------------- */

static int on_signal(struct session_of_top *s, int sig)
{
	switch (sig) {
	case SIGWINCH:
		screen__resized(s->screen);
		return resize(s);
	case SIGTSTP:
		screen__stop(s->screen); /* SIGCONT comes next */
		return 0;
	case SIGCONT:
		screen__continued(s->screen);
		return resize(s);
	default:
		s->quit = true;
		return 0;
	}
}

static int on_keys(struct session_of_top *s)
{
	int key, err = 0;

	while (!err && (key = screen__key(s->screen))) {
		unsigned int window = top__window(s->top);
		enum top_action action = top__key(s->top, key);

		s->quit |= action == TOP_QUIT;
		s->changed |= action != TOP_NOTHING;
		if (action == TOP_RENEW)
			screen__renew(s->screen);
		if (top__window(s->top) != window)
			err = look(s);
	}
	s->quit |= screen__gone(s->screen);
	return err;
}

static int tick(struct session_of_top *s)
{
	uint64_t now = clock__now_ms();

	if (now < s->next_tick)
		return 0;
	s->next_tick += TICK_MS;
	if (s->next_tick <= now) /* it was stopped, or has had much to do */
		s->next_tick = now + TICK_MS;
	if (s->finder)
		find_targets(s);
	pipeline__tick(s->tracing.pipeline);
	return look(s);
}

static int watch(struct session_of_top *s)
{
	struct signalfd_siginfo info;
	int err = resize(s) ?: look(s);

	while (!err && !s->quit) {
		int wait = pipeline__step(s->tracing.pipeline);

		err = tick(s);
		if (!err && s->changed)
			err = draw(s);
		if (!err && tracing__wait(&s->tracing, wait, screen__fd(s->screen), &info))
			err = on_signal(s, (int)info.ssi_signo);
		if (!err)
			err = on_keys(s);
	}
	return err;
}

/* --- beginning and end ------------------------------------------------------- */

static int open_tracing(struct session_of_top *s, const struct options *opt)
{
	struct pipeline *pipeline;
	int err;

	err = tracing__open(&s->tracing, opt, caught, sizeof(caught) / sizeof(caught[0]));
	if (err)
		return err;
	tracing__raise_limits();
	tracing__hurry();
	pipeline = s->tracing.pipeline;
	err = pipeline__watch(pipeline, &s->live) ?: top__new(opt->top, &s->top);
	if (!err && !opt->n_pids)
		err = finder__new(NULL, &s->finder);
	if (err)
		return log_err_r(err, "out of memory");
	pipeline__begin(pipeline);
	uname(&s->uts);
	s->data = (struct top_data){
		.capture = &s->capture,
		.kernel = s->uts.release,
		.page_size = (uint32_t)sysconf(_SC_PAGESIZE),
		.searching = s->finder,
	};
	return opt->n_pids ? tracing__take(&s->tracing, opt) : 0;
}

static int run(struct session_of_top *s)
{
	char why[256];
	int err = screen__open(&s->screen, why, sizeof(why));

	if (err)
		return log_err_r(err, "top: %s", why);
	log__redirect(on_message, s);
	err = watch(s);
	log__redirect(NULL, NULL);
	screen__close(s->screen);
	return err ? log_err_r(err, "top: %s", strerror(-err)) : 0;
}

static void close_all(struct session_of_top *s)
{
	canvas__free(&s->canvas);
	top__free(s->top);
	finder__free(s->finder);
	tracing__close(&s->tracing);
}

int cmd_top(const struct options *opt)
{
	struct session_of_top s = {.tracing = {.signal_fd = -1, .delayacct = -1}};
	int err;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		log_error(
			"top needs a terminal, for keys and the screen; `cowtrace attach` makes a "
			"report");
		return STATUS_USAGE;
	}
	err = tracing__check_targets(opt);
	if (err)
		return err == -EINVAL ? STATUS_USAGE : STATUS_FAILURE;
	err = open_tracing(&s, opt) ?: run(&s);
	close_all(&s);
	return tracing__status(&s.tracing, err);
}
