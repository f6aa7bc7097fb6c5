/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/log.h"
#include "cli.h"
#include "cmd_report.h"
#include "cmd_run.h"

int main(int argc, char **argv)
{
	struct options opt;
	int status = cli__parse(argc, argv, &opt);

	if (status >= 0)
		return status;
	log__set_level(opt.verbose > 1 ? LOG_DEBUG : opt.verbose ? LOG_INFO : LOG_WARN);
	return strcmp(opt.command, "report") == 0 ? cmd_report(&opt) : cmd_run(&opt);
}
