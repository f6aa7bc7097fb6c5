/* SPDX-License-Identifier: MIT */
/* What the parts of the process that speaks HTTP share. Private to http*.c. */
#ifndef COWTRACE_SERVE_HTTP_PARTS_H
#define COWTRACE_SERVE_HTTP_PARTS_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "serve/protocol.h"

/* At once: connections, and questions that wait for an answer. */
#define HTTP_CONNECTIONS 64
#define HTTP_EXCHANGES	 32

/* One question to the tracer, for one connection. */
struct exchange {
	bool used;
	bool answered;
	bool abandoned; /* the connection has gone, the answer is still to come */
	uint32_t id;
	uint32_t kind;
	uint32_t status; /* enum answer_status */
	uint64_t deadline;
	struct MHD_Connection *connection;
	char *body;
	size_t size;
};

struct client {
	int fd;
	bool waiting; /* for the tracer: its exchange has the deadline */
	uint64_t deadline;
	struct client *next, **at;
};

struct http {
	struct MHD_Daemon *daemon;
	struct client *clients;
	struct exchange exchanges[HTTP_EXCHANGES];
	uint32_t last_id;
	uint64_t now; /* ms */
	/* The answer that is coming in. */
	struct answer head;
	char *body;
	size_t have;
	bool gone; /* the tracer */
};

/* http_link.c. NULL: too many. */
struct exchange *link__ask(struct http *h, struct MHD_Connection *connection, uint32_t kind,
			   uint32_t seconds);
void link__release(struct exchange *e);
/* Takes what has come; connections whose answer is there go on. */
void link__receive(struct http *h);
/* Those that have waited too long go on without an answer. */
void link__expire(struct http *h);

/* http_routes.c: MHD_AccessHandlerCallback */
enum MHD_Result http__route(void *ctx, struct MHD_Connection *connection, const char *url,
			    const char *method, const char *version, const char *upload,
			    size_t *upload_size, void **request);
/* The client has from now on so long. */
void http__allow(struct http *h, struct MHD_Connection *connection, uint64_t ms, bool waiting);

#endif
