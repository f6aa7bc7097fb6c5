/* SPDX-License-Identifier: MIT */
/* Where serve listens: "ADDR:PORT" to a socket. */
#ifndef COWTRACE_SERVE_ADDRESS_H
#define COWTRACE_SERVE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define ADDRESS_DEFAULT "127.0.0.1:9748"

struct address {
	struct sockaddr_storage at;
	socklen_t size;
	bool local; /* only programs of this machine can reach it */
};

/*
 * "127.0.0.1:9748", "[::1]:9748", "localhost:9748"; ":9748" is every address of this machine. No
 * other names: what they mean is for others to say. Port 0: any free one. 0 or -EINVAL.
 */
int address__parse(const char *text, struct address *out);
/* As above, of an address. */
void address__format(const struct address *address, char *text, size_t size);

/* Returns a socket that listens, or -errno; *address then has the port that it got. */
int address__listen(struct address *address);

#endif
