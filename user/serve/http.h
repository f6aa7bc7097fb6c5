/* SPDX-License-Identifier: MIT */
/*
 * The process that speaks HTTP. It is started by peer.c with a socket that listens and one end of
 * the pair; it parses what strangers send, and therefore holds nothing: see jail.h.
 */
#ifndef COWTRACE_SERVE_HTTP_H
#define COWTRACE_SERVE_HTTP_H

#include <stdbool.h>

/* The name that it is started by, and where it finds its descriptors. */
#define HTTP_PROCESS   "cowtrace-http"
#define HTTP_LISTEN_FD 3
#define HTTP_LINK_FD   4

/* Is there such a process in this program? */
bool http__is_built(void);

/* Until the tracer has gone. Returns the exit status. */
int http__main(void);

#endif
