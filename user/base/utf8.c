/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define REPLACEMENT 0xfffdu

static const char ellipsis[] = "\xe2\x80\xa6";
#define ELLIPSIS_LEN (sizeof(ellipsis) - 1)

static bool is_surrogate(unsigned int codepoint)
{
	return codepoint >= 0xd800 && codepoint <= 0xdfff;
}

size_t utf8__encode(char dst[4], unsigned int codepoint)
{
	if (is_surrogate(codepoint) || codepoint > 0x10ffff)
		codepoint = REPLACEMENT;
	if (codepoint < 0x80) {
		dst[0] = (char)codepoint;
		return 1;
	}
	if (codepoint < 0x800) {
		dst[0] = (char)(0xc0 | codepoint >> 6);
		dst[1] = (char)(0x80 | (codepoint & 0x3f));
		return 2;
	}
	if (codepoint < 0x10000) {
		dst[0] = (char)(0xe0 | codepoint >> 12);
		dst[1] = (char)(0x80 | (codepoint >> 6 & 0x3f));
		dst[2] = (char)(0x80 | (codepoint & 0x3f));
		return 3;
	}
	dst[0] = (char)(0xf0 | codepoint >> 18);
	dst[1] = (char)(0x80 | (codepoint >> 12 & 0x3f));
	dst[2] = (char)(0x80 | (codepoint >> 6 & 0x3f));
	dst[3] = (char)(0x80 | (codepoint & 0x3f));
	return 4;
}

/* Length that the first byte promises, 0 if no character begins with it. */
static size_t sequence_length(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2)
		return 0;
	if (first < 0xe0)
		return 2;
	if (first < 0xf0)
		return 3;
	return first < 0xf5 ? 4 : 0;
}

size_t utf8__decode(const char *src, size_t len, unsigned int *codepoint)
{
	static const unsigned int smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const uint8_t *s = (const uint8_t *)src;
	unsigned int value;
	size_t n;

	*codepoint = REPLACEMENT;
	if (!len)
		return 0;
	n = sequence_length(s[0]);
	if (!n || n > len)
		return 1;
	value = n == 1 ? s[0] : s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 1;
		value = value << 6 | (s[i] & 0x3f);
	}
	if (value < smallest[n] || value > 0x10ffff || is_surrogate(value))
		return 1;
	*codepoint = value;
	return n;
}

size_t utf8__sanitize(char *dst, size_t size, const char *src, size_t len)
{
	/* cut: the last character boundary that still leaves room for the ellipsis. */
	size_t out = 0, cut = 0, taken, n, mark;
	unsigned int codepoint;
	char encoded[4];

	if (!size)
		return 0;
	mark = size > ELLIPSIS_LEN ? ELLIPSIS_LEN : 0;
	for (size_t i = 0; i < len; i += taken) {
		taken = utf8__decode(src + i, len - i, &codepoint);
		n = utf8__encode(encoded, codepoint ? codepoint : REPLACEMENT);
		if (out + n > size - 1) {
			memcpy(dst + cut, ellipsis, mark);
			out = cut + mark;
			break;
		}
		memcpy(dst + out, encoded, n);
		out += n;
		if (out + mark <= size - 1)
			cut = out;
	}
	dst[out] = '\0';
	return out;
}

int utf8__is_control(unsigned int codepoint)
{
	static const struct {
		unsigned int first, last;
	} ranges[] = {
		{0x00, 0x1f},	  {0x7f, 0x9f},	    {0xad, 0xad},	{0x61c, 0x61c},
		{0x180e, 0x180e}, {0x200b, 0x200f}, /* zero width, direction marks */
		{0x2028, 0x202e}, /* line and paragraph separator, embeddings, overrides */
		{0x2060, 0x206f}, /* word joiner, isolates */
		{0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f}, /* invisible tags */
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (codepoint >= ranges[i].first && codepoint <= ranges[i].last)
			return 1;
	return 0;
}
