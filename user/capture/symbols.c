/* SPDX-License-Identifier: MIT */
#include "capture/symbols.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>

#include <cowtrace/symbols.h>

#include "ksym.skel.h"

/* What is not of this size is no function, but what lies between two. */
#define MAX_FUNCTION_SIZE 32768

struct symbols {
	struct ksym *skel;
};

int symbols__new(struct symbols **out)
{
	struct symbols *s = calloc(1, sizeof(*s));
	libbpf_print_fn_t print = libbpf_set_print(NULL); /* there is another way */
	int err = 0;

	if (s)
		s->skel = ksym__open_and_load();
	if (!s || !s->skel)
		err = s ? -errno : -ENOMEM;
	libbpf_set_print(print);
	if (err)
		free(s);
	else
		*out = s;
	return err;
}

void symbols__free(struct symbols *symbols)
{
	if (!symbols)
		return;
	ksym__destroy(symbols->skel);
	free(symbols);
}

uint64_t symbols__size(const char *text, size_t size)
{
	const char *at = memchr(text, '/', size), *end = text + size;
	uint64_t value = 0;

	if (!at || end - at < 4 || at[1] != '0' || at[2] != 'x')
		return 0;
	for (at += 3; at < end && *at && *at != ' '; at++) {
		if (*at >= '0' && *at <= '9')
			value = value << 4 | (uint64_t)(*at - '0');
		else if (*at >= 'a' && *at <= 'f')
			value = value << 4 | (uint64_t)(*at - 'a' + 10);
		else
			return 0;
	}
	return at < end ? value : 0;
}

int symbols__range(struct symbols *symbols, const char *name, uint64_t *start, uint64_t *end)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct ct_symbol *s = &symbols->skel->data->symbol;
	size_t len = strlen(name);
	uint64_t size;
	int err;

	if (len >= sizeof(s->name))
		return -EINVAL;
	*s = (struct ct_symbol){};
	memcpy(s->name, name, len);
	err = bpf_prog_test_run_opts(bpf_program__fd(symbols->skel->progs.look_up), &opts);
	if (err || s->err)
		return err ?: (int)s->err;
	size = symbols__size(s->text, sizeof(s->text));
	if (!s->start || !size)
		return -EINVAL;
	*start = s->start;
	*end = s->start + (size < MAX_FUNCTION_SIZE ? size : MAX_FUNCTION_SIZE);
	return 0;
}
