/* SPDX-License-Identifier: MIT */
#include "serve/http.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/http_parts.h"
#include "serve/jail.h"

/* To send a whole request. libmicrohttpd's own limit begins anew with each byte. */
#define REQUEST_MS 10000
#define IDLE_S	   10
/* For each connection, with headers and all. */
#define CONNECTION_MEMORY (32 * 1024)

/* The standard ones, the listening one, the link, epoll and what libmicrohttpd has of its own. */
#define OTHER_FDS 16

/* --- clients ----------------------------------------------------------------- */

static void client__add(struct http *h, struct MHD_Connection *connection, void **slot)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct client *c = info ? calloc(1, sizeof(*c)) : NULL;

	*slot = c;
	if (!c)
		return; /* libmicrohttpd's limits hold all the same */
	c->fd = info->connect_fd;
	c->deadline = h->now + REQUEST_MS;
	c->next = h->clients;
	c->at = &h->clients;
	if (c->next)
		c->next->at = &c->next;
	h->clients = c;
}

static void client__remove(struct client *c)
{
	if (!c)
		return;
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	free(c);
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **slot,
			  enum MHD_ConnectionNotificationCode what)
{
	struct http *h = ctx;

	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		client__add(h, connection, slot);
	else
		client__remove(*slot);
}

void http__allow(struct http *h, struct MHD_Connection *connection, uint64_t ms, bool waiting)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct client *c = info ? info->socket_context : NULL;

	if (!c)
		return;
	c->waiting = waiting;
	c->deadline = h->now + ms;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **request,
			 enum MHD_RequestTerminationCode why)
{
	struct exchange *e = *request;

	(void)why;
	if (e)
		link__release(e);
	*request = NULL;
	http__allow(ctx, connection, REQUEST_MS, false);
}

/* Who sends a byte now and then would keep its place for ever. */
static void end_slow(struct http *h)
{
	for (struct client *c = h->clients; c; c = c->next)
		if (!c->waiting && h->now >= c->deadline)
			shutdown(c->fd, SHUT_RDWR);
}

/* --- the process ------------------------------------------------------------- */

static void ignore_signals(void)
{
	static const int ignored[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	/* The tracer ends in order, and then so does this. */
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
}

static struct MHD_Daemon *start(struct http *h)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
				http__route, h, MHD_OPTION_LISTEN_SOCKET, HTTP_LISTEN_FD,
				MHD_OPTION_CONNECTION_LIMIT, (unsigned int)HTTP_CONNECTIONS,
				MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_S,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
				MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_END);
}

static void loop(struct http *h)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	struct pollfd fds[2] = {
		{.fd = info ? info->epoll_fd : -1, .events = POLLIN},
		{.fd = HTTP_LINK_FD, .events = POLLIN},
	};

	while (!h->gone) {
		MHD_UNSIGNED_LONG_LONG due = 1000;
		int wait =
			MHD_get_timeout(h->daemon, &due) == MHD_YES && due < 1000 ? (int)due : 1000;

		poll(fds, 2, wait);
		h->now = clock__now_ms();
		link__receive(h);
		link__expire(h);
		end_slow(h);
		MHD_run(h->daemon);
	}
}

bool http__is_built(void)
{
	return true;
}

int http__main(void)
{
	struct http h = {.now = clock__now_ms()};
	int err;

	prctl(PR_SET_NAME, HTTP_PROCESS, 0, 0, 0);
	ignore_signals();
	err = jail__drop(HTTP_CONNECTIONS + OTHER_FDS);
	if (err)
		return log_err_r(1, "serve: the HTTP process cannot give up what it may: %s",
				 strerror(-err));
	h.daemon = start(&h);
	if (!h.daemon)
		return log_err_r(1, "serve: libmicrohttpd does not start");
	err = jail__seal();
	if (err)
		return log_err_r(1, "serve: no seccomp for the HTTP process: %s", strerror(-err));
	loop(&h);
	/* No MHD_stop_daemon: it waits for connections that are suspended. */
	return 0;
}
