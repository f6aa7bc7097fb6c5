/* SPDX-License-Identifier: MIT */
#include "serve/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 64

static int parse_port(const char *text, in_port_t *out)
{
	char *end;
	unsigned long port;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	port = strtoul(text, &end, 10);
	if (*end || port > UINT16_MAX)
		return -EINVAL;
	*out = htons((in_port_t)port);
	return 0;
}

static int fill_v4(const char *host, in_port_t port, struct address *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&out->at;

	*in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (*host && inet_pton(AF_INET, host, &in->sin_addr) != 1)
		return -EINVAL;
	out->size = sizeof(*in);
	out->local = ntohl(in->sin_addr.s_addr) >> 24 == 127;
	return 0;
}

/* "[ADDR]" */
static int fill_v6(char *host, in_port_t port, struct address *out)
{
	struct sockaddr_in6 *in = (struct sockaddr_in6 *)&out->at;
	char *end = strchr(host, ']');

	if (!end || end[1])
		return -EINVAL;
	*end = '\0';
	*in = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
	if (inet_pton(AF_INET6, host + 1, &in->sin6_addr) != 1)
		return -EINVAL;
	out->size = sizeof(*in);
	out->local = IN6_IS_ADDR_LOOPBACK(&in->sin6_addr);
	return 0;
}

int address__parse(const char *text, struct address *out)
{
	const char *colon = strrchr(text, ':');
	struct address address = {};
	char host[INET6_ADDRSTRLEN + 3];
	in_port_t port;
	int err;

	if (!colon || (size_t)(colon - text) >= sizeof(host) || parse_port(colon + 1, &port))
		return -EINVAL;
	memcpy(host, text, colon - text);
	host[colon - text] = '\0';
	err = host[0] == '[' ? fill_v6(host, port, &address) : fill_v4(host, port, &address);
	if (!err)
		*out = address;
	return err;
}

void address__format(const struct address *address, char *text, size_t size)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->at;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->at;
	char host[INET6_ADDRSTRLEN] = "?";

	if (address->at.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		snprintf(text, size, "[%s]:%u", host, ntohs(v6->sin6_port));
	} else {
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		snprintf(text, size, "%s:%u", host, ntohs(v4->sin_port));
	}
}

static int listen_at(int fd, struct address *address)
{
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, (const struct sockaddr *)&address->at, address->size) || listen(fd, BACKLOG) ||
	    getsockname(fd, (struct sockaddr *)&address->at, &address->size))
		return -errno;
	return 0;
}

int address__listen(struct address *address)
{
	int fd = socket(address->at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err = fd < 0 ? -errno : listen_at(fd, address);

	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	return err;
}
