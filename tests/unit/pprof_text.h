/* SPDX-License-Identifier: MIT */
/* A profile of pprof as text, a line for each of its fields: for golden files that can be read.
 * Knows the numbers of proto/profile.proto by itself. */
#ifndef COWTRACE_TEST_PPROF_TEXT_H
#define COWTRACE_TEST_PPROF_TEXT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

struct pprof_bytes {
	const uint8_t *at, *end;
};

enum pprof_kind {
	PPROF_NUMBER,
	PPROF_STRING_NUMBER,
	PPROF_PACKED,
	PPROF_TEXT,
	PPROF_MESSAGE,
};

struct pprof_field {
	const char *name;
	enum pprof_kind kind;
	const struct pprof_field *message; /* by field number, up to 16 */
};

static const struct pprof_field pprof_value_type[16] = {
	[1] = {"type", PPROF_STRING_NUMBER, NULL},
	[2] = {"unit", PPROF_STRING_NUMBER, NULL},
};
static const struct pprof_field pprof_label[16] = {
	[1] = {"key", PPROF_STRING_NUMBER, NULL},
	[2] = {"str", PPROF_STRING_NUMBER, NULL},
	[3] = {"num", PPROF_NUMBER, NULL},
};
static const struct pprof_field pprof_sample[16] = {
	[1] = {"location_id", PPROF_PACKED, NULL},
	[2] = {"value", PPROF_PACKED, NULL},
	[3] = {"label", PPROF_MESSAGE, pprof_label},
};
static const struct pprof_field pprof_mapping[16] = {
	[1] = {"id", PPROF_NUMBER, NULL},
	[5] = {"filename", PPROF_STRING_NUMBER, NULL},
	[7] = {"has_functions", PPROF_NUMBER, NULL},
	[8] = {"has_filenames", PPROF_NUMBER, NULL},
	[9] = {"has_line_numbers", PPROF_NUMBER, NULL},
	[10] = {"has_inline_frames", PPROF_NUMBER, NULL},
};
static const struct pprof_field pprof_line[16] = {
	[1] = {"function_id", PPROF_NUMBER, NULL},
	[2] = {"line", PPROF_NUMBER, NULL},
};
static const struct pprof_field pprof_location[16] = {
	[1] = {"id", PPROF_NUMBER, NULL},
	[2] = {"mapping_id", PPROF_NUMBER, NULL},
	[4] = {"line", PPROF_MESSAGE, pprof_line},
};
static const struct pprof_field pprof_function[16] = {
	[1] = {"id", PPROF_NUMBER, NULL},
	[2] = {"name", PPROF_STRING_NUMBER, NULL},
	[4] = {"filename", PPROF_STRING_NUMBER, NULL},
};
static const struct pprof_field pprof_profile[16] = {
	[1] = {"sample_type", PPROF_MESSAGE, pprof_value_type},
	[2] = {"sample", PPROF_MESSAGE, pprof_sample},
	[3] = {"mapping", PPROF_MESSAGE, pprof_mapping},
	[4] = {"location", PPROF_MESSAGE, pprof_location},
	[5] = {"function", PPROF_MESSAGE, pprof_function},
	[6] = {"string_table", PPROF_TEXT, NULL},
	[9] = {"time_nanos", PPROF_NUMBER, NULL},
	[10] = {"duration_nanos", PPROF_NUMBER, NULL},
	[11] = {"period_type", PPROF_MESSAGE, pprof_value_type},
	[12] = {"period", PPROF_NUMBER, NULL},
	[13] = {"comment", PPROF_STRING_NUMBER, NULL},
	[14] = {"default_sample_type", PPROF_STRING_NUMBER, NULL},
};

static inline uint64_t pprof__varint(struct pprof_bytes *b)
{
	uint64_t value = 0;

	for (unsigned int shift = 0;; shift += 7) {
		assert_true(b->at < b->end && shift < 64);
		value |= (uint64_t)(*b->at & 0x7f) << shift;
		if (!(*b->at++ & 0x80))
			return value;
	}
}

static inline struct pprof_bytes pprof__block(struct pprof_bytes *b)
{
	uint64_t size = pprof__varint(b);
	struct pprof_bytes block = {b->at, b->at + size};

	assert_true(size <= (uint64_t)(b->end - b->at));
	b->at += size;
	return block;
}

/* The string of this number; strings: all of the profile. */
static inline void pprof__print_string(FILE *out, struct pprof_bytes profile, uint64_t number)
{
	while (profile.at < profile.end) {
		uint64_t tag = pprof__varint(&profile);
		struct pprof_bytes block;

		if ((tag & 7) == 0) {
			pprof__varint(&profile);
			continue;
		}
		block = pprof__block(&profile);
		if (tag >> 3 == 6 && number-- == 0) {
			fprintf(out, "\"%.*s\"", (int)(block.end - block.at),
				(const char *)block.at);
			return;
		}
	}
	fail_msg("a string that is not in the table");
}

static inline void pprof__print(FILE *out, struct pprof_bytes profile, struct pprof_bytes b,
				const struct pprof_field *fields, const char *end)
{
	while (b.at < b.end) {
		uint64_t tag = pprof__varint(&b);
		const struct pprof_field *field = &fields[tag >> 3];
		struct pprof_bytes block = {};
		uint64_t number = 0;

		assert_true(tag >> 3 < 16 && field->name);
		assert_int_equal(tag & 7, field->kind <= PPROF_STRING_NUMBER ? 0 : 2);
		if (field->kind <= PPROF_STRING_NUMBER)
			number = pprof__varint(&b);
		else
			block = pprof__block(&b);
		fprintf(out, "%s", field->name);
		if (field->kind == PPROF_NUMBER)
			fprintf(out, " %llu", (unsigned long long)number);
		fputc(' ', out);
		if (field->kind == PPROF_STRING_NUMBER)
			pprof__print_string(out, profile, number);
		if (field->kind == PPROF_TEXT)
			fprintf(out, "\"%.*s\"", (int)(block.end - block.at),
				(const char *)block.at);
		while (field->kind == PPROF_PACKED && block.at < block.end)
			fprintf(out, "%llu ", (unsigned long long)pprof__varint(&block));
		if (field->kind == PPROF_MESSAGE) {
			fputs("{ ", out);
			pprof__print(out, profile, block, field->message, " ");
			fputc('}', out);
		}
		fputs(end, out);
	}
}

/* What gzip -d gives. */
static inline uint8_t *pprof__gunzip(const char *data, size_t size, size_t *out_size)
{
	size_t room = 1u << 24;
	uint8_t *out = malloc(room);
	z_stream stream = {.next_in = (uint8_t *)data, .avail_in = (unsigned int)size};

	assert_non_null(out);
	stream.next_out = out;
	stream.avail_out = (unsigned int)room;
	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	assert_int_equal(stream.avail_in, 0);
	*out_size = room - stream.avail_out;
	inflateEnd(&stream);
	return out;
}

/* gzipped profile to text; frees data. */
static inline char *pprof__text(char *data, size_t *size)
{
	static const uint8_t head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0}; /* no name, no time */
	struct pprof_bytes profile;
	size_t raw_size;
	uint8_t *raw;
	char *text;
	FILE *out;

	assert_true(*size > sizeof(head));
	assert_memory_equal(data, head, sizeof(head));
	raw = pprof__gunzip(data, *size, &raw_size);
	profile = (struct pprof_bytes){raw, raw + raw_size};
	out = open_memstream(&text, size);
	assert_non_null(out);
	pprof__print(out, profile, profile, pprof_profile, "\n");
	fclose(out);
	free(raw);
	free(data);
	return text;
}

#endif
