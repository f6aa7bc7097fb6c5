/* SPDX-License-Identifier: MIT */
/* The pages of serve: what is asked for, made of what the pipeline knows. */
#ifndef COWTRACE_CMD_SERVE_ANSWERS_H
#define COWTRACE_CMD_SERVE_ANSWERS_H

#include <stdint.h>

struct answers;
struct peer;
struct pipeline;
struct question;

/* Both must outlive it. 0 or -ENOMEM. */
int answers__new(struct pipeline *pipeline, struct peer *peer, struct answers **out);
void answers__free(struct answers *answers);

/* Answers now, or when its seconds are over. now: ms. */
void answers__take(struct answers *answers, const struct question *q, uint64_t now);
/* Sends what has become due, if the peer is ready. */
void answers__step(struct answers *answers, uint64_t now);

#endif
