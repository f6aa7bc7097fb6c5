/* SPDX-License-Identifier: MIT */
/* Questions to the tracer, and its answers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "serve/http.h"
#include "serve/http_parts.h"

/* The tracer answers within milliseconds. */
#define PATIENCE_MS 15000

static struct exchange *find(struct http *h, uint32_t id)
{
	for (size_t i = 0; i < HTTP_EXCHANGES; i++)
		if (h->exchanges[i].used && h->exchanges[i].id == id)
			return &h->exchanges[i];
	return NULL;
}

static struct exchange *find_free(struct http *h)
{
	for (size_t i = 0; i < HTTP_EXCHANGES; i++)
		if (!h->exchanges[i].used)
			return &h->exchanges[i];
	return NULL;
}

struct exchange *link__ask(struct http *h, struct MHD_Connection *connection, uint32_t kind,
			   uint32_t seconds)
{
	struct question q = {.magic = PROTOCOL_MAGIC, .kind = kind, .seconds = seconds};
	struct exchange *e = find_free(h);

	if (!e)
		return NULL;
	q.id = ++h->last_id;
	/* There is room for all that HTTP_EXCHANGES can ask: a part is never sent. */
	if (send(HTTP_LINK_FD, &q, sizeof(q), MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof(q))
		return NULL;
	*e = (struct exchange){
		.used = true,
		.id = q.id,
		.kind = kind,
		.status = ANSWER_FAILED,
		.connection = connection,
		.deadline = h->now + seconds * 1000 + PATIENCE_MS,
	};
	return e;
}

void link__release(struct exchange *e)
{
	free(e->body);
	e->body = NULL;
	if (e->answered)
		e->used = false;
	else
		e->abandoned = true;
}

static void go_on(struct exchange *e)
{
	e->answered = true;
	if (e->abandoned)
		link__release(e);
	else
		MHD_resume_connection(e->connection);
}

static void deliver(struct http *h)
{
	struct exchange *e = find(h, h->head.id);

	/* Not there: it has expired meanwhile. */
	if (e && !e->answered) {
		e->status = h->head.status;
		e->body = h->body;
		e->size = h->head.size;
		h->body = NULL;
		go_on(e);
	}
	free(h->body);
	h->body = NULL;
	h->have = 0;
}

/* The head of an answer is there: room for its body. */
static bool begin_body(struct http *h)
{
	if (!answer__is_valid(&h->head))
		return false;
	h->body = malloc(h->head.size + 1);
	return h->body;
}

void link__receive(struct http *h)
{
	const size_t head = sizeof(h->head);

	for (;;) {
		char *to = h->have < head ? (char *)&h->head + h->have : h->body + h->have - head;
		size_t want = h->have < head ? head - h->have : head + h->head.size - h->have;
		ssize_t n = recv(HTTP_LINK_FD, to, want, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		h->have += n > 0 ? (size_t)n : 0;
		h->gone = n <= 0 || (h->have == head && !h->body && !begin_body(h));
		if (h->gone)
			return;
		if (h->have >= head && h->have == head + h->head.size)
			deliver(h);
	}
}

void link__expire(struct http *h)
{
	for (size_t i = 0; i < HTTP_EXCHANGES; i++) {
		struct exchange *e = &h->exchanges[i];

		if (e->used && !e->answered && h->now >= e->deadline)
			go_on(e);
	}
}
