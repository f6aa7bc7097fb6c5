/* SPDX-License-Identifier: MIT */
#include "replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/intern.h"
#include "base/log.h"
#include "base/number.h"
#include "base/progress.h"
#include "model/aggregate.h"
#include "model/cause.h"
#include "model/facts.h"
#include "model/snapshot.h"
#include "store/reader.h"

struct replay {
	struct intern *pool;
	struct reader *reader;
	struct aggregate *model;
	struct verdict *verdicts; /* by evidence: each is judged once */
	struct progress progress;
	uint64_t copies; /* so far */
};

static void on_process(void *ctx, const struct process_facts *process)
{
	struct replay *replay = ctx;

	aggregate__process(replay->model, process);
}

static void on_sample(void *ctx, uint32_t pid, uint64_t time, uint64_t new_bytes)
{
	struct replay *replay = ctx;

	aggregate__sample(replay->model, pid, time, new_bytes);
}

static void say(struct replay *replay)
{
	uint64_t all = reader__recording(replay->reader)->copies;
	char line[128];

	snprintf(line, sizeof(line), "reading the recording: %s of %s copies",
		 number__count(replay->copies).s,
		 all == SNAPSHOT_UNKNOWN ? "?" : number__count(all).s);
	log__status(line);
}

/* A look at the clock for each would cost as much as the copy. */
#define COPIES_A_LOOK 8192

static void on_copy(void *ctx, const struct fault_facts *facts, size_t evidence)
{
	struct replay *replay = ctx;

	if (replay->copies++ % COPIES_A_LOOK == 0 && progress__due(&replay->progress))
		say(replay);
	aggregate__add(replay->model, facts, &replay->verdicts[evidence]);
}

static int judge(struct replay *replay)
{
	size_t n = reader__evidences(replay->reader);

	replay->verdicts = calloc(n + 1, sizeof(*replay->verdicts));
	if (!replay->verdicts)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		cause__judge(reader__evidence(replay->reader, i), &replay->verdicts[i]);
	return 0;
}

static int replay__run(struct replay *replay, char *why, size_t why_size)
{
	const struct reader_handler handler = {
		.ctx = replay, .process = on_process, .sample = on_sample, .copy = on_copy};

	int err = judge(replay) ?: reader__replay(replay->reader, &handler, why, why_size);

	log__status(NULL);
	return err;
}

static int replay__begin(struct replay **out, char *why, size_t why_size)
{
	snprintf(why, why_size, "cannot be read: out of memory");
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	return intern__new(&(*out)->pool) ?: aggregate__new((*out)->pool, &(*out)->model);
}

static int replay__end(struct replay *replay, int err, struct replay **out)
{
	if (err)
		replay__free(replay);
	else
		*out = replay;
	return err;
}

int replay__new(const char *path, struct replay **out, char *why, size_t why_size)
{
	struct replay *r;
	int err = replay__begin(&r, why, why_size);

	err = err ?: reader__open(path, r->pool, &r->reader, why, why_size);
	return replay__end(r, err ?: replay__run(r, why, why_size), out);
}

int replay__new_of_bytes(const uint8_t *bytes, size_t size, struct replay **out, char *why,
			 size_t why_size)
{
	struct replay *r;
	int err = replay__begin(&r, why, why_size);

	err = err ?: reader__open_bytes(bytes, size, r->pool, &r->reader, why, why_size);
	return replay__end(r, err ?: replay__run(r, why, why_size), out);
}

void replay__free(struct replay *replay)
{
	if (!replay)
		return;
	aggregate__free(replay->model);
	reader__free(replay->reader);
	intern__free(replay->pool);
	free(replay->verdicts);
	free(replay);
}

/* --- the snapshot ------------------------------------------------------------ */

/* Those that were seen and are not in the file are lost. */
static void fill_cut(struct replay *replay, struct snapshot_capture *capture)
{
	const struct recording *head = reader__recording(replay->reader);
	uint64_t copies = aggregate__copies(replay->model);
	char text[512];

	if (head->finished)
		return;
	if (head->copies != SNAPSHOT_UNKNOWN && head->copies > copies) {
		capture->lost_by_reason[CT_LOST_NOT_SAVED] += head->copies - copies;
		capture->lost += head->copies - copies;
	}
	snprintf(text, sizeof(text),
		 "This recording is not whole: %s. It ends after %s copies, %.1f s after the "
		 "start.",
		 head->cut ?: "cowtrace was killed, or is still at it", number__count(copies).s,
		 capture->seconds);
	capture->cut = intern__str(replay->pool, text);
	if (head->copies == SNAPSHOT_UNKNOWN)
		capture->kernel_reason = "the recording has no end";
}

/* A site has the text of its line if it had one when it was recorded. */
static void quote_sources(struct replay *replay, const struct snapshot *snap)
{
	const struct recording_source *sources;
	size_t n;

	sources = reader__sources(replay->reader, &n);
	for (size_t i = 0; i < snap->n_sites && i < SNAPSHOT_SOURCES; i++) {
		const struct snapshot_site *site = &snap->sites[i];

		for (size_t k = 0; k < n && site->file; k++)
			if (sources[k].file == site->file &&
			    sources[k].function == site->function && sources[k].line == site->line)
				aggregate__set_source(replay->model, i, sources[k].text);
	}
}

int replay__snapshot(struct replay *replay, const struct snapshot **out)
{
	const struct recording *head = reader__recording(replay->reader);
	struct snapshot_capture capture = head->capture;
	int err;

	fill_cut(replay, &capture);
	err = aggregate__snapshot(replay->model, &head->host, &capture, head->start_time, out);
	if (err)
		return err;
	quote_sources(replay, *out);
	return aggregate__advise(replay->model);
}
