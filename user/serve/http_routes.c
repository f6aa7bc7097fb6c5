/* SPDX-License-Identifier: MIT */
/* Which page is what. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "serve/http_parts.h"

/* To take a page that is ready. */
#define SEND_MS 60000

#define TEXT "text/plain; charset=utf-8"
#define HTML "text/html; charset=utf-8"

#define ROW(url, words) "<dt><a href=\"" url "\">" url "</a></dt>\n<dd>" words "</dd>\n"

static const char index_page[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\n"
	"<title>cowtrace</title>\n"
	"<meta name=\"viewport\" content=\"width=device-width\">\n"
	"<style>\n"
	":root { color-scheme: light dark; }\n"
	"body { font: 16px/1.6 sans-serif; max-width: 46em; margin: 3em auto; padding: 0 1em; }\n"
	"dt { font-family: monospace; margin-top: .8em; }\n"
	"</style>\n</head>\n<body>\n<h1>cowtrace " COWTRACE_VERSION "</h1>\n"
	"<p>Which writes break the memory sharing of forked Python processes on this host.</p>\n"
	"<dl>\n"
	/* It takes lines of macros for one expression: */
	/* clang-format off */
	ROW("/report", "charts and tables since the start")
	ROW("/flamegraph.svg", "who copied, and at which lines of Python, since the start")
	ROW("/metrics", "for Prometheus")
	ROW("/debug/pprof/copies", "a profile since the start, for go tool pprof")
	ROW("/debug/pprof/copies?seconds=10",
	    "a profile of the next 10 seconds, as Pyroscope and Parca ask for it")
	ROW("/healthz", "says ok while it traces")
	/* clang-format on */
	"</dl>\n</body>\n</html>\n";

static const char *const types[QUESTION_MAX] = {
	[QUESTION_METRICS] = "text/plain; version=0.0.4; charset=utf-8",
	[QUESTION_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
	[QUESTION_PPROF] = "application/octet-stream",
	[QUESTION_FLAMEGRAPH] = "image/svg+xml",
	[QUESTION_REPORT] = HTML,
	[QUESTION_HEALTH] = TEXT,
};

/* What is drawn holds its own scripts and styles, and needs nothing else, from nowhere. */
#define POLICY                                                                                     \
	"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src "      \
	"data:; "                                                                                  \
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned int status,
			     const char *type, struct MHD_Response *response)
{
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Content-Security-Policy", POLICY);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result reply_text(struct MHD_Connection *connection, unsigned int status,
				  const char *type, const char *text)
{
	return reply(connection, status, type,
		     MHD_create_response_from_buffer(strlen(text), (void *)text,
						     MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result reply_exchange(struct MHD_Connection *connection, struct exchange *e)
{
	struct MHD_Response *response;

	if (e->status == ANSWER_BUSY)
		return reply_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, TEXT,
				  "busy: too much is asked for at once; try again in a second\n");
	if (e->status != ANSWER_OK || !e->body)
		return reply_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, TEXT,
				  "cowtrace cannot answer: out of memory or of time\n");
	response = MHD_create_response_from_buffer(e->size, e->body, MHD_RESPMEM_MUST_FREE);
	if (response)
		e->body = NULL;
	return reply(connection, MHD_HTTP_OK, types[e->kind], response);
}

/* ?seconds=N, 0 without; -EINVAL. */
static int seconds_of(struct MHD_Connection *connection)
{
	const char *text =
		MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "seconds");
	unsigned long n;
	char *end;

	if (!text)
		return 0;
	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	n = strtoul(text, &end, 10);
	return *end || n < 1 || n > PROTOCOL_MAX_SECONDS ? -EINVAL : (int)n;
}

static uint32_t metrics_kind(struct MHD_Connection *connection)
{
	const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept");

	return accept && strstr(accept, "application/openmetrics-text") ? QUESTION_OPENMETRICS
									: QUESTION_METRICS;
}

/* 0: no such page */
static uint32_t kind_of(struct MHD_Connection *connection, const char *url)
{
	static const struct {
		const char *url;
		uint32_t kind;
	} pages[] = {
		{"/metrics", QUESTION_METRICS},
		{"/debug/pprof/copies", QUESTION_PPROF},
		{"/flamegraph.svg", QUESTION_FLAMEGRAPH},
		{"/report", QUESTION_REPORT},
		{"/healthz", QUESTION_HEALTH},
	};

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (strcmp(url, pages[i].url) != 0)
			continue;
		return pages[i].kind == QUESTION_METRICS ? metrics_kind(connection) : pages[i].kind;
	}
	return 0;
}

static enum MHD_Result ask(struct http *h, struct MHD_Connection *connection, uint32_t kind,
			   void **request)
{
	int seconds = kind == QUESTION_PPROF ? seconds_of(connection) : 0;
	struct exchange *e;

	if (seconds < 0)
		return reply_text(connection, MHD_HTTP_BAD_REQUEST, TEXT,
				  "seconds: a whole number from 1 to 600\n");
	e = link__ask(h, connection, kind, (uint32_t)seconds);
	if (!e)
		return reply_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, TEXT,
				  "busy: too many requests wait already\n");
	*request = e;
	http__allow(h, connection, 0, true);
	MHD_suspend_connection(connection);
	return MHD_YES;
}

/* MHD calls when the headers are there, and again when the connection has been resumed. */
enum MHD_Result http__route(void *ctx, struct MHD_Connection *connection, const char *url,
			    const char *method, const char *version, const char *upload,
			    size_t *upload_size, void **request)
{
	struct http *h = ctx;
	uint32_t kind;

	(void)version;
	(void)upload;
	(void)upload_size;
	http__allow(h, connection, SEND_MS, false);
	if (*request)
		return reply_exchange(connection, *request);
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return reply_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, TEXT,
				  "there is nothing here to be changed\n");
	if (strcmp(url, "/") == 0)
		return reply_text(connection, MHD_HTTP_OK, HTML, index_page);
	kind = kind_of(connection, url);
	if (!kind)
		return reply_text(connection, MHD_HTTP_NOT_FOUND, TEXT,
				  "no such page; / lists those that are there\n");
	return ask(h, connection, kind, request);
}
