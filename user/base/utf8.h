/* SPDX-License-Identifier: MIT */
/* Foreign bytes to text that is safe to keep: valid UTF-8 of bounded length. Escaping for a
 * terminal, JSON or a folded line is the business of each sink. */
#ifndef COWTRACE_BASE_UTF8_H
#define COWTRACE_BASE_UTF8_H

#include <stddef.h>

/* Longest name kept, bytes, without the terminating NUL; longer ones end with "…". */
#define NAME_MAX_BYTES 512

/*
 * Copies len bytes of src to dst (size bytes, always NUL-terminated): invalid UTF-8 becomes U+FFFD,
 * NUL becomes U+FFFD, what does not fit is cut at a character boundary and ends with "…".
 * Returns the length of dst.
 */
size_t utf8__sanitize(char *dst, size_t size, const char *src, size_t len);

/* Appends one code point (surrogates and values out of range as U+FFFD); returns bytes, 1 to 4. */
size_t utf8__encode(char dst[4], unsigned int codepoint);

/* Decodes one character of valid UTF-8 (invalid: one byte, U+FFFD). Returns its length in bytes. */
size_t utf8__decode(const char *src, size_t len, unsigned int *codepoint);

/*
 * True for characters that must not reach a terminal or a page as they are: C0 and C1 controls,
 * DEL, bidirectional overrides and isolates, zero-width and line/paragraph separators.
 */
int utf8__is_control(unsigned int codepoint);

#endif
