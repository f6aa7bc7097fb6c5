/* SPDX-License-Identifier: MIT */
#include "cmd_serve_answers.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cmd_tracing.h"
#include "base/clock.h"
#include "model/metrics.h"
#include "model/snapshot.h"
#include "pipeline.h"
#include "serve/peer.h"
#include "sink/prometheus.h"
#include "sink/sink.h"

/* A page that is drawn costs tens of milliseconds, in which nothing is read from the kernel: not
 * more often than this, whoever asks. */
#define DRAW_PAUSE_MS 1000
/* Looking at the processes takes 20 us each. */
#define LOOK_PAUSE_MS 500

struct window {
	struct question question;
	uint64_t generation, due;
	int at; /* of the pipeline; -1: free */
};

struct answers {
	struct pipeline *pipeline;
	struct peer *peer;
	struct window windows[PIPELINE_WINDOWS];
	uint64_t next_draw, next_look; /* ms */
	uint64_t scrapes;
	double scrape_seconds, started;
};

static double clock_seconds(clockid_t clock)
{
	return (double)clock__read(clock) / 1e9;
}

int answers__new(struct pipeline *pipeline, struct peer *peer, struct answers **out)
{
	struct answers *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->pipeline = pipeline;
	a->peer = peer;
	a->started = clock_seconds(CLOCK_REALTIME);
	for (int i = 0; i < PIPELINE_WINDOWS; i++)
		a->windows[i].at = -1;
	*out = a;
	return 0;
}

void answers__free(struct answers *answers)
{
	free(answers);
}

/* --- cowtrace itself --------------------------------------------------------- */

static uint64_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint64_t n = 0;

	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n > 3 ? n - 3 : 0; /* ".", ".." and this one */
}

static uint64_t resident(void)
{
	_fclose_ FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (!f || fscanf(f, "%*u %lu", &pages) != 1)
		return 0;
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void fill_itself(const struct answers *a, struct metrics *m)
{
	struct rlimit files = {};
	struct rusage use = {};

	getrusage(RUSAGE_SELF, &use);
	getrlimit(RLIMIT_NOFILE, &files);
	m->cpu_seconds = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
			 (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
	m->start_time = a->started;
	m->resident_bytes = resident();
	m->open_fds = count_fds();
	m->max_fds = files.rlim_cur;
	m->http_starts = peer__generation(a->peer);
	m->scrapes = a->scrapes;
	m->scrape_seconds = a->scrape_seconds;
}

/* --- pages ------------------------------------------------------------------- */

static int put_metrics(struct answers *a, bool openmetrics, uint64_t now, FILE *out)
{
	double begin = clock_seconds(CLOCK_MONOTONIC);
	struct metrics m;
	int err;

	if (now >= a->next_look) {
		pipeline__look(a->pipeline);
		a->next_look = now + LOOK_PAUSE_MS;
	}
	pipeline__metrics(a->pipeline, &m);
	fill_itself(a, &m);
	err = prometheus__write(&m, openmetrics, out);
	a->scrapes++;
	a->scrape_seconds += clock_seconds(CLOCK_MONOTONIC) - begin;
	return err;
}

static int put_drawing(struct answers *a, const struct sink *sink, int window, FILE *out)
{
	const struct sink_options opt = {};
	const struct snapshot *snap;
	int err = window < 0 ? pipeline__services(a->pipeline, &snap)
			     : pipeline__window(a->pipeline, window, &snap);

	return err ?: sink->write(snap, &opt, out);
}

static int put_page(struct answers *a, const struct question *q, int window, uint64_t now,
		    FILE *out)
{
	switch (q->kind) {
	case QUESTION_METRICS:
	case QUESTION_OPENMETRICS:
		return put_metrics(a, q->kind == QUESTION_OPENMETRICS, now, out);
	case QUESTION_PPROF:
		return put_drawing(a, &sink_pprof, window, out);
	case QUESTION_FLAMEGRAPH:
		return put_drawing(a, &sink_flamegraph, window, out);
	case QUESTION_REPORT:
		return put_drawing(a, &sink_html, window, out);
	default:
		return fputs("ok\n", out) < 0 ? -EIO : 0;
	}
}

static void answer(struct answers *a, const struct question *q, uint64_t generation, int window,
		   uint64_t now)
{
	char *body = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&body, &size);
	int err = out ? put_page(a, q, window, now, out) : -ENOMEM;

	if (out && fclose(out))
		err = -ENOMEM;
	if (size > PROTOCOL_MAX_BODY)
		err = -EFBIG;
	peer__answer(a->peer, generation, q->id, err ? ANSWER_FAILED : ANSWER_OK, body, size);
}

static bool is_drawn(uint32_t kind)
{
	return kind == QUESTION_PPROF || kind == QUESTION_FLAMEGRAPH || kind == QUESTION_REPORT;
}

static void refuse(struct answers *a, const struct question *q)
{
	peer__answer(a->peer, peer__generation(a->peer), q->id, ANSWER_BUSY, NULL, 0);
}

static void open_window(struct answers *a, const struct question *q, uint64_t now)
{
	int at = pipeline__window_open(a->pipeline);

	if (at < 0) {
		refuse(a, q);
		return;
	}
	a->windows[at] = (struct window){
		.question = *q,
		.generation = peer__generation(a->peer),
		.due = now + q->seconds * 1000,
		.at = at,
	};
}

void answers__take(struct answers *a, const struct question *q, uint64_t now)
{
	if (q->seconds) {
		open_window(a, q, now);
		return;
	}
	if (is_drawn(q->kind) && now < a->next_draw) {
		refuse(a, q);
		return;
	}
	if (is_drawn(q->kind))
		a->next_draw = now + DRAW_PAUSE_MS;
	answer(a, q, peer__generation(a->peer), -1, now);
}

void answers__step(struct answers *a, uint64_t now)
{
	for (int i = 0; i < PIPELINE_WINDOWS; i++) {
		struct window *w = &a->windows[i];

		if (w->at < 0 || now < w->due || !peer__ready(a->peer))
			continue;
		answer(a, &w->question, w->generation, w->at, now);
		pipeline__window_close(a->pipeline, w->at);
		w->at = -1;
	}
}
