/* SPDX-License-Identifier: MIT */
#include "cmd_report.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "cli.h"
#include "outputs.h"
#include "replay.h"

static int report(const struct options *opt, struct replay *replay)
{
	struct outputs *outputs;
	const struct snapshot *snap;
	int err = outputs__open(opt, &outputs);

	if (err)
		return err; /* has been said */
	if (replay__snapshot(replay, &snap))
		err = log_err_r(-ENOMEM, "out of memory: no report");
	else
		err = outputs__write(outputs, opt, stdout, snap);
	outputs__free(outputs);
	return err;
}

int cmd_report(const struct options *opt)
{
	struct replay *replay;
	char why[512];
	int err = replay__new(opt->argv[0], &replay, why, sizeof(why));

	if (err) {
		log_error("%s %s", opt->argv[0], why);
		return STATUS_FAILURE;
	}
	err = report(opt, replay);
	replay__free(replay);
	return err ? STATUS_FAILURE : STATUS_OK;
}
