/* SPDX-License-Identifier: MIT */
/*
 * What the process that speaks HTTP and the one that traces say to each other, over a pair of
 * sockets: questions of fixed size in one direction, answers with a length in the other. The tracer
 * takes nothing on trust that it is asked.
 */
#ifndef COWTRACE_SERVE_PROTOCOL_H
#define COWTRACE_SERVE_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#define PROTOCOL_MAGIC	     0x636f7774u /* "cowt" */
#define PROTOCOL_MAX_SECONDS 600
#define PROTOCOL_MAX_BODY    (32u << 20)

enum question_kind {
	QUESTION_METRICS = 1,
	QUESTION_OPENMETRICS,
	QUESTION_PPROF, /* seconds: of the next ones; 0: since the start */
	QUESTION_FLAMEGRAPH,
	QUESTION_REPORT,
	QUESTION_HEALTH,
	QUESTION_MAX,
};

struct question {
	uint32_t magic;
	uint32_t id; /* comes back with the answer; answers may overtake each other */
	uint32_t kind;
	uint32_t seconds;
};

enum answer_status {
	ANSWER_OK,
	ANSWER_BUSY,   /* too much is asked at once: later */
	ANSWER_FAILED, /* no memory, or too large */
	ANSWER_MAX,
};

/* Followed by size bytes. */
struct answer {
	uint32_t magic;
	uint32_t id;
	uint32_t status;
	uint32_t size;
};

_Static_assert(sizeof(struct question) == 16 && sizeof(struct answer) == 16, "no padding");

static inline bool question__is_valid(const struct question *q)
{
	return q->magic == PROTOCOL_MAGIC && q->kind > 0 && q->kind < QUESTION_MAX &&
	       q->seconds <= (q->kind == QUESTION_PPROF ? PROTOCOL_MAX_SECONDS : 0);
}

static inline bool answer__is_valid(const struct answer *a)
{
	return a->magic == PROTOCOL_MAGIC && a->status < ANSWER_MAX && a->size <= PROTOCOL_MAX_BODY;
}

#endif
