/* SPDX-License-Identifier: MIT */
#include "sink/gzip.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* zlib.h: + 16 writes a gzip header */
#define MEM_LEVEL   8	      /* zlib's default */

struct gzip {
	FILE *out;
	z_stream stream;
	unsigned char buffer[16384];
};

int gzip__new(FILE *out, struct gzip **gzip)
{
	struct gzip *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->out = out;
	if (deflateInit2(&g->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, MEM_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK) {
		free(g);
		return -ENOMEM;
	}
	*gzip = g;
	return 0;
}

/* Deflates what stream has, until it gives no more. */
static int pump(struct gzip *g, int flush)
{
	size_t n;

	do {
		g->stream.next_out = g->buffer;
		g->stream.avail_out = sizeof(g->buffer);
		if (deflate(&g->stream, flush) == Z_STREAM_ERROR)
			return -EIO;
		n = sizeof(g->buffer) - g->stream.avail_out;
		if (fwrite(g->buffer, 1, n, g->out) != n)
			return -EIO;
	} while (!g->stream.avail_out);
	return 0;
}

int gzip__write(struct gzip *g, const void *data, size_t size)
{
	const unsigned char *at = data;
	int err = 0;

	while (size && !err) {
		g->stream.next_in = (unsigned char *)at;
		g->stream.avail_in = size < UINT_MAX ? (unsigned int)size : UINT_MAX;
		at += g->stream.avail_in;
		size -= g->stream.avail_in;
		err = pump(g, Z_NO_FLUSH);
	}
	return err;
}

int gzip__finish(struct gzip *g)
{
	return pump(g, Z_FINISH);
}

void gzip__free(struct gzip *g)
{
	if (!g)
		return;
	deflateEnd(&g->stream);
	free(g);
}
