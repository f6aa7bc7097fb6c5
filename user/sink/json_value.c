/* SPDX-License-Identifier: MIT */
#include "sink/json_value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "model/snapshot.h"

/* jansson takes valid UTF-8 only; who calls promises it, a file from elsewhere may not keep it. */
json_t *json__text(const char *s)
{
	json_t *value = s ? json_string(s) : json_null();
	_free_ char *valid = NULL;
	size_t size;

	if (value)
		return value;
	size = 3 * strlen(s) + 1;
	valid = malloc(size);
	if (!valid)
		return NULL;
	utf8__sanitize(valid, size, s, strlen(s));
	return json_string(valid);
}

json_t *json__count(uint64_t n)
{
	return n == SNAPSHOT_UNKNOWN ? json_null() : json_integer((json_int_t)n);
}

/* jansson escapes control characters and, when told, all that is not ASCII, but not DEL. In JSON it
 * can only stand inside a string, so it can be replaced wherever it is. */
static int put(const char *buffer, size_t size, void *data)
{
	FILE *out = data;
	const char *del;

	while ((del = memchr(buffer, 0x7f, size))) {
		fwrite(buffer, 1, (size_t)(del - buffer), out);
		fputs("\\u007f", out);
		size -= (size_t)(del + 1 - buffer);
		buffer = del + 1;
	}
	fwrite(buffer, 1, size, out);
	return ferror(out) ? -1 : 0;
}

int json__finish(json_t *root, FILE *out)
{
	int err;

	if (!root)
		return -ENOMEM;
	err = json_dump_callback(root, put, out,
				 JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12));
	json_decref(root);
	if (err)
		return -EIO;
	fputc('\n', out);
	return fflush(out) || ferror(out) ? -EIO : 0;
}
