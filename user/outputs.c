/* SPDX-License-Identifier: MIT */
#include "outputs.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli.h"
#include "sink/sink.h"

struct output {
	const struct sink *sink;
	const char *path;
	FILE *file;
};

struct outputs {
	struct output at[CLI_OUTPUTS];
};

static int output__open(struct output *o, const struct sink *sink, const char *path)
{
	o->sink = sink;
	o->path = path;
	if (!path)
		return 0;
	if (strcmp(path, "-") == 0) {
		o->file = stdout;
		return 0;
	}
	o->file = fopen(path, "we");
	if (!o->file)
		return log_err_r(-errno, "cannot write --%s %s: %s", sink->name, path,
				 strerror(errno));
	return 0;
}

static int output__write(struct output *o, const struct snapshot *snap,
			 const struct sink_options *sopt)
{
	char what[512];
	int err;

	if (!o->file)
		return 0;
	snprintf(what, sizeof(what), "writing --%s %s", o->sink->name, o->path);
	if (o->file != stdout)
		log__status(what);
	errno = 0;
	err = o->sink->write(snap, sopt, o->file);
	if (!err && fflush(o->file))
		err = -errno;
	log__status(NULL);
	if (err)
		log_error("--%s %s is not complete: %s", o->sink->name, o->path,
			  strerror(errno ?: -err));
	return err;
}

int outputs__open(const struct options *opt, struct outputs **out)
{
	const struct {
		const struct sink *sink;
		const char *path;
	} wanted[CLI_OUTPUTS] = {
		{&sink_json, opt->json},
		{&sink_folded, opt->folded},
		{&sink_flamegraph, opt->flamegraph},
		{&sink_pprof, opt->pprof},
		{&sink_speedscope, opt->speedscope},
		{&sink_html, opt->html},
	};
	struct outputs *o = calloc(1, sizeof(*o));
	int err = 0;

	if (!o)
		return -ENOMEM;
	for (int i = 0; i < CLI_OUTPUTS && !err; i++)
		err = output__open(&o->at[i], wanted[i].sink, wanted[i].path);
	if (err) {
		outputs__free(o);
		return err;
	}
	*out = o;
	return 0;
}

/* Nobody could read both from one stream. */
static bool outputs__use(const struct outputs *o, const FILE *text)
{
	for (int i = 0; i < CLI_OUTPUTS; i++)
		if (o->at[i].file == text)
			return true;
	return false;
}

int outputs__write(struct outputs *outputs, const struct options *opt, FILE *text,
		   const struct snapshot *snap)
{
	struct sink_options sopt = {
		.top = opt->top,
		.color = isatty(fileno(text)) && !getenv("NO_COLOR"),
	};
	int err = 0;

	for (int i = 0; i < CLI_OUTPUTS; i++)
		err = output__write(&outputs->at[i], snap, &sopt) ?: err;
	if (!opt->quiet && !outputs__use(outputs, text))
		err = sink_text.write(snap, &sopt, text) ?: err;
	return err;
}

void outputs__free(struct outputs *outputs)
{
	if (!outputs)
		return;
	for (int i = 0; i < CLI_OUTPUTS; i++)
		if (outputs->at[i].file && outputs->at[i].file != stdout)
			fclose(outputs->at[i].file);
	free(outputs);
}
