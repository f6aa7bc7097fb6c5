/* SPDX-License-Identifier: MIT */
/*
 * The tracer's end of the pair: starts the process that speaks HTTP, starts it anew when it has
 * died, takes questions and sends answers. Nothing here waits: tracing goes on.
 */
#ifndef COWTRACE_SERVE_PEER_H
#define COWTRACE_SERVE_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "serve/protocol.h"

struct peer;

/* Starts the process. listen_fd stays the caller's. 0 or -errno. */
int peer__new(int listen_fd, struct peer **out);
/* Ends the process. */
void peer__free(struct peer *peer);

/* To wait for, and for which events of poll(2); -1: nothing now. */
int peer__fd(const struct peer *peer, short *events);

/*
 * Reads, writes, and looks after the process; now: ms. True: there is a question, to be answered
 * some time. None is taken while an answer is on its way. A process that says what makes no sense,
 * or does not take its answers, is ended.
 */
bool peer__step(struct peer *peer, uint64_t now, struct question *out);

/* Can an answer be sent now? */
bool peer__ready(const struct peer *peer);
/* Takes over body, of at most PROTOCOL_MAX_BODY bytes. generation: of the process that asked; an
 * answer for one that has gone is dropped. */
void peer__answer(struct peer *peer, uint64_t generation, uint32_t id, enum answer_status status,
		  char *body, size_t size);

/* How many processes there have been. */
uint64_t peer__generation(const struct peer *peer);

#endif
