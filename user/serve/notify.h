/* SPDX-License-Identifier: MIT */
/* Tells systemd how the service is doing: sd_notify(3), of which this is all that is needed. */
#ifndef COWTRACE_SERVE_NOTIFY_H
#define COWTRACE_SERVE_NOTIFY_H

/* "READY=1". Does nothing if nobody has asked (NOTIFY_SOCKET). */
void notify__say(const char *state);

#endif
