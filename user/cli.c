/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <cowtrace/abi.h>

#include "base/log.h"

enum {
	OPT_JSON = 256,
	OPT_FOLDED,
	OPT_FLAMEGRAPH,
	OPT_PPROF,
	OPT_SPEEDSCOPE,
	OPT_HTML,
	OPT_SAVE,
	OPT_BASELINE,
	OPT_WITNESS,
	OPT_TOP,
	OPT_RING_SIZE,
	OPT_DELAYACCT,
	OPT_PIECES,
	OPT_PLAIN_READS,
	OPT_FOR,
	OPT_COMM,
	OPT_CGROUP,
	OPT_LISTEN,
	OPT_LISTEN_PUBLIC,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{"json", required_argument, NULL, OPT_JSON},
	{"folded", required_argument, NULL, OPT_FOLDED},
	{"flamegraph", required_argument, NULL, OPT_FLAMEGRAPH},
	{"pprof", required_argument, NULL, OPT_PPROF},
	{"speedscope", required_argument, NULL, OPT_SPEEDSCOPE},
	{"html", required_argument, NULL, OPT_HTML},
	{"save", required_argument, NULL, OPT_SAVE},
	{"baseline", required_argument, NULL, OPT_BASELINE},
	{"witness", required_argument, NULL, OPT_WITNESS},
	{"top", required_argument, NULL, OPT_TOP},
	{"ring-size", required_argument, NULL, OPT_RING_SIZE},
	{"delayacct", no_argument, NULL, OPT_DELAYACCT},
	{"pieces", required_argument, NULL, OPT_PIECES},     /* not in the help: CONTRIBUTING.md */
	{"plain-reads", no_argument, NULL, OPT_PLAIN_READS}, /* the same */
	{"for", required_argument, NULL, OPT_FOR},
	{"comm", required_argument, NULL, OPT_COMM},
	{"cgroup", required_argument, NULL, OPT_CGROUP},
	{"listen", required_argument, NULL, OPT_LISTEN},
	{"listen-public", no_argument, NULL, OPT_LISTEN_PUBLIC},
	{"pid", required_argument, NULL, 'p'},
	{"user", required_argument, NULL, 'u'},
	{"quiet", no_argument, NULL, 'q'},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPT_VERSION},
	{},
};

static const char help_text[] =
	"Usage: cowtrace run [OPTIONS] [OUTPUTS] -- COMMAND [ARG...]\n"
	"       cowtrace attach [OPTIONS] [OUTPUTS] -p PID[,PID...] [--for SECONDS]\n"
	"       cowtrace check [--json FILE]\n"
	"       cowtrace report [--top N] [OUTPUTS] FILE.cow [--baseline OLDER.cow]\n"
	"       cowtrace serve [OPTIONS] [-p PID[,PID...] | --comm NAME | --cgroup PATH]...\n"
	"                      [--listen ADDR:PORT]\n"
	"       cowtrace top [OPTIONS] [-p PID[,PID...]]\n"
	"\n"
	"Runs COMMAND and says which writes break the memory sharing of the processes it forks:\n"
	"which process, at which line of Python, to which kind of object, how many pages. The "
	"report\n"
	"goes to standard error when COMMAND ends. Needs root, or some capabilities; COMMAND is "
	"never\n"
	"written to or stopped. attach does the same for processes that run, with all below them,\n"
	"until Ctrl-C, until SECONDS are over or until the last of them ends. check says what "
	"this\n"
	"machine offers to cowtrace, and what to do about what is missing. report makes the report "
	"and\n"
	"the outputs anew from a recording of --save; it goes to standard output, if no output "
	"does.\n"
	"With --baseline it says what changed since an older recording of the same program, in "
	"bytes\n"
	"per worker. top shows in the terminal what happens now, in these processes, or in every\n"
	"Python that forks: who copies, where and why; ? names its keys. serve watches for as long "
	"as\n"
	"it runs, and tells Prometheus, Pyroscope, Parca and browsers: metrics and profiles by "
	"service,\n"
	"at /metrics and others.\n"
	"\n"
	"Outputs (FILE may be - for standard output):\n"
	"  --json FILE         everything, as JSON\n"
	"  --folded FILE       folded stacks for flame graphs, weighted by copied bytes\n"
	"  --flamegraph FILE.svg\n"
	"                      a flame graph for any browser, with zoom and search\n"
	"  --pprof FILE.pb.gz  for go tool pprof, Pyroscope and Parca\n"
	"  --speedscope FILE   for speedscope, a profile for each process\n"
	"  --html FILE         one page with charts, flame graph, map and tables\n"
	"  --save FILE.cow     a recording of every copy, for report; an SQLite database\n"
	"\n"
	"Options:\n"
	"  -p, --pid PID[,PID...]\n"
	"                      attach, top, serve: these processes, their threads, and all they "
	"have "
	"forked\n"
	"                      or will fork\n"
	"  --comm NAME         serve: processes of this name (ps -o comm), now and later\n"
	"  --cgroup PATH       serve: processes in this cgroup or below it: /proc/PID/cgroup\n"
	"  --listen ADDR:PORT  serve: where to listen (127.0.0.1:9748)\n"
	"  --listen-public     serve: also where other machines can ask. Anybody there learns "
	"names of\n"
	"                      files and functions; for TLS and passwords, take a reverse proxy\n"
	"  --for SECONDS       attach: so long\n"
	"  --baseline OLDER.cow\n"
	"                      report: what changed since this recording, in all outputs but\n"
	"                      --speedscope\n"
	"  -u, --user USER     run: COMMAND as this user\n"
	"  --delayacct         also have the kernel count copies (switches the sysctl\n"
	"                      kernel.task_delayacct on while tracing), to check cowtrace's "
	"number\n"
	"  --witness NAME      force how copies are proven: fexit, kprobe, tracepoints or\n"
	"                      wp_page_copy (default: the most exact that this kernel allows)\n"
	"  --top N             rows per table of the report (10); top: at most so many\n"
	"  --ring-size BYTES   size of the buffer between kernel and cowtrace (4M for each CPU,\n"
	"                      8M to 16M; serve: 16M); K, M and G suffixes\n"
	"  -q, --quiet         no text report\n"
	"  -v, --verbose       say more while working; twice: even more\n"
	"  -h, --help          this text\n"
	"  --version           the version of cowtrace\n"
	"\n"
	"Exit status: that of COMMAND (128+N if signal N ended it); 125 if cowtrace itself "
	"failed,\n"
	"126 if COMMAND cannot be executed, 127 if it is not found; 2 for a wrong command line.\n"
	"Of attach, top and serve: 0; 1 if it failed, 2 for a wrong command line, 3 if this "
	"system\n"
	"cannot do it.\n"
	"Of check: 0 if tracing works here, 3 if it does not, 1 if check itself failed.\n"
	"Of report: 0, or 1 if the recording cannot be read or an output not written.\n"
	"Ctrl-C reaches COMMAND as usual and the report follows; a second one does not wait for "
	"it.\n";

void cli__help(FILE *out)
{
	fputs(help_text, out);
}

static int usage(const char *message, const char *what)
{
	log_error("%s%s%s; see cowtrace --help", message, what ? ": " : "", what ?: "");
	return STATUS_USAGE;
}

static int parse_number(const char *text, unsigned long max, unsigned long *out)
{
	char *end;

	errno = 0;
	*out = strtoul(text, &end, 10);
	if (errno || end == text || text[0] == '-')
		return -EINVAL;
	if (*end && end[1] == '\0') {
		unsigned int shift = strchr("kK", *end)	  ? 10
				     : strchr("mM", *end) ? 20
				     : strchr("gG", *end) ? 30
							  : 64;

		if (shift == 64 || *out > ULONG_MAX >> shift)
			return -EINVAL;
		*out <<= shift;
		end++;
	}
	return *end || *out == 0 || *out > max ? -EINVAL : 0;
}

/* A year is more than anybody waits for. */
static int parse_seconds(const char *text, uint64_t *ms)
{
	char *end;
	double seconds = strtod(text, &end);

	if (text[strspn(text, "0123456789.")] || *end || end == text ||
	    !(seconds >= 0.001 && seconds <= 31536000))
		return -EINVAL;
	*ms = (uint64_t)(seconds * 1000 + 0.5);
	return 0;
}

static bool has_pid(const struct options *opt, pid_t pid)
{
	for (size_t i = 0; i < opt->n_pids; i++)
		if (opt->pids[i] == pid)
			return true;
	return false;
}

/* "PID[,PID...]". -1, or a status. */
static int take_pids(char *list, struct options *opt)
{
	for (char *text = strsep(&list, ","); text; text = strsep(&list, ",")) {
		char *end;
		long pid = strtol(text, &end, 10);

		/* PID_MAX_LIMIT of include/linux/threads.h */
		if (!isdigit((unsigned char)text[0]) || *end || pid < 1 || pid > 4194304)
			return usage("-p takes numbers of processes, not", *text ? text : "''");
		if (has_pid(opt, (pid_t)pid)) {
			log_warn("process %ld is named twice", pid);
			continue;
		}
		if (opt->n_pids == CLI_MAX_PIDS)
			return usage("-p: too many processes; name their parent", NULL);
		opt->pids[opt->n_pids++] = (pid_t)pid;
	}
	return -1;
}

static int take_name(const char *name, const char **names, size_t *n)
{
	if (!*name)
		return usage("--comm and --cgroup take a name", NULL);
	if (*n == CLI_MAX_NAMES)
		return usage("too many names; what shall be done with", name);
	names[(*n)++] = name;
	return -1;
}

/* The last piece of the programs that is switched on, in the order of enum ct_piece. */
static int take_pieces(const char *last, unsigned int *off)
{
	static const char *const names[] = {"empty", "witness", "record", "evidence", "stack"};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(last, names[i]) != 0)
			continue;
		*off = CT_PIECES_ALL & ~((1u << i) - 1);
		return -1;
	}
	return usage("--pieces takes empty, witness, record, evidence or stack, not", last);
}

/* Where the path of an output goes; NULL: c is no output. */
static const char **output_path(int c, struct options *opt)
{
	switch (c) {
	case OPT_JSON:
		return &opt->json;
	case OPT_FOLDED:
		return &opt->folded;
	case OPT_FLAMEGRAPH:
		return &opt->flamegraph;
	case OPT_PPROF:
		return &opt->pprof;
	case OPT_SPEEDSCOPE:
		return &opt->speedscope;
	case OPT_HTML:
		return &opt->html;
	default:
		return NULL;
	}
}

/* -1: go on; else an exit status. */
static int take_option(int c, struct options *opt)
{
	const char **path = output_path(c, opt);
	unsigned long n;

	if (path) {
		*path = optarg;
		return -1;
	}
	switch (c) {
	case OPT_SAVE:
		if (!*optarg || strcmp(optarg, "-") == 0)
			return usage("--save takes the name of a file", NULL);
		opt->save = optarg;
		return -1;
	case OPT_BASELINE:
		opt->baseline = optarg;
		return -1;
	case OPT_WITNESS:
		opt->witness = optarg;
		return -1;
	case OPT_TOP:
		if (parse_number(optarg, 100000, &n))
			return usage("--top takes a whole number from 1 to 100000, not", optarg);
		opt->top = n;
		return -1;
	case OPT_RING_SIZE:
		if (parse_number(optarg, 1ul << 30, &n))
			return usage("--ring-size takes 1 to 1G bytes, not", optarg);
		opt->ring_size = n;
		return -1;
	case OPT_DELAYACCT:
		opt->delayacct = true;
		return -1;
	case OPT_PIECES:
		return take_pieces(optarg, &opt->off);
	case OPT_PLAIN_READS:
		opt->plain_reads = true;
		return -1;
	case OPT_FOR:
		if (parse_seconds(optarg, &opt->for_ms))
			return usage("--for takes a number of seconds, such as 30 or 0.5, not",
				     optarg);
		return -1;
	case OPT_COMM:
		return take_name(optarg, opt->names, &opt->n_names);
	case OPT_CGROUP:
		return take_name(optarg, opt->cgroups, &opt->n_cgroups);
	case OPT_LISTEN:
		opt->listen = optarg;
		return -1;
	case OPT_LISTEN_PUBLIC:
		opt->listen_public = true;
		return -1;
	case 'p':
		return take_pids(optarg, opt);
	case 'u':
		opt->user = optarg;
		return -1;
	case 'q':
		opt->quiet = true;
		return -1;
	case 'v':
		opt->verbose++;
		return -1;
	case 'h':
		cli__help(stdout);
		return STATUS_OK;
	case OPT_VERSION:
		printf("cowtrace %s\n", COWTRACE_VERSION);
		return STATUS_OK;
	default: /* getopt has said what is wrong */
		return usage("the command line was not understood", NULL);
	}
}

static const char no_tracing[] = "check: traces nothing, and takes --json, -q and -v only";

/* check takes few options; whatever getopt does not know is said elsewhere. */
static bool fits_command(int c, const struct options *opt)
{
	return !opt->command || strcmp(opt->command, "check") != 0 || c == OPT_JSON || c == '?' ||
	       strchr("qvh", c);
}

static int take_options(int argc, char **argv, struct options *opt)
{
	bool permute = opt->command && strcmp(opt->command, "report") == 0;
	int c, status = -1;

	optind = 0; /* begins anew, also after a call that has put words in order */
	/* "+": options end at the first other word, which belongs to the traced command */
	while (status < 0 &&
	       (c = getopt_long(argc, argv, "+p:u:qvh" + permute, long_options, NULL)) != -1)
		status = fits_command(c, opt) ? take_option(c, opt) : usage(no_tracing, NULL);
	return status;
}

static const char no_baseline[] =
	"--baseline is an option of report (cowtrace report FILE.cow --baseline OLDER.cow)";

/* What belongs to one command only. -1, or a status. */
static int check_run(const struct options *opt)
{
	if (opt->baseline)
		return usage(no_baseline, NULL);
	if (opt->n_pids || opt->for_ms)
		return usage("run: -p and --for are options of attach", NULL);
	if (!opt->argv[0])
		return usage("run: nothing to run (cowtrace run -- COMMAND [ARG...])", NULL);
	return -1;
}

static int check_attach(const struct options *opt)
{
	if (opt->argv[0])
		return usage("attach: runs nothing; the processes are named with -p, not",
			     opt->argv[0]);
	if (opt->baseline)
		return usage(no_baseline, NULL);
	if (opt->user)
		return usage("attach: -u is an option of run", NULL);
	if (!opt->n_pids)
		return usage("attach: to which process? (cowtrace attach -p PID[,PID...])", NULL);
	return -1;
}

static int check_check(const struct options *opt)
{
	if (opt->argv[0])
		return usage("check: takes no arguments; what shall be done with", opt->argv[0]);
	return -1;
}

static int check_report(const struct options *opt)
{
	if (!opt->argv[0])
		return usage("report: of which recording? (cowtrace report FILE.cow)", NULL);
	if (opt->argv[1])
		return usage("report: one recording at a time; what shall be done with",
			     opt->argv[1]);
	if (opt->save || opt->witness || opt->ring_size || opt->delayacct || opt->user)
		return usage("report: takes outputs, --top, -q and -v, no option that is for "
			     "tracing",
			     NULL);
	if (opt->baseline && opt->speedscope)
		return usage("report: speedscope's format can not show a difference; leave out "
			     "--speedscope or --baseline",
			     NULL);
	return -1;
}

static bool has_outputs(const struct options *opt)
{
	return opt->json || opt->folded || opt->flamegraph || opt->pprof || opt->speedscope ||
	       opt->html || opt->save;
}

static int check_top(const struct options *opt)
{
	if (opt->argv[0])
		return usage("top: processes are named with -p, not", opt->argv[0]);
	if (has_outputs(opt))
		return usage("top: writes no outputs (attach does)", NULL);
	if (opt->baseline)
		return usage(no_baseline, NULL);
	if (opt->user || opt->delayacct || opt->for_ms)
		return usage("top: takes -p, --witness, --top, --ring-size, -q and -v", NULL);
	return -1;
}

static int check_serve(const struct options *opt)
{
	if (opt->argv[0])
		return usage("serve: processes are named with -p, --comm or --cgroup, not",
			     opt->argv[0]);
	if (has_outputs(opt))
		return usage("serve: writes no outputs; its pages have them", NULL);
	if (opt->user || opt->delayacct || opt->for_ms || opt->top)
		return usage("serve: takes -p, --comm, --cgroup, --listen, --listen-public, "
			     "--witness, --ring-size, -q and -v",
			     NULL);
	return -1;
}

static const struct {
	const char *name;
	int (*check)(const struct options *opt);
} commands[] = {
	{"run", check_run},	  {"attach", check_attach}, {"check", check_check},
	{"report", check_report}, {"serve", check_serve},   {"top", check_top},
};

static int find_command(const char *name)
{
	int n = sizeof(commands) / sizeof(commands[0]), i = 0;

	while (i < n && strcmp(name, commands[i].name) != 0)
		i++;
	return i < n ? i : -1;
}

int cli__parse(int argc, char **argv, struct options *opt)
{
	int status, command;

	*opt = (struct options){};
	if (argc < 2)
		return usage("no command given", NULL);
	if (argv[1][0] == '-') { /* --help, --version */
		status = take_options(argc, argv, opt);
		return status >= 0 ? status : usage("no command given", NULL);
	}
	command = find_command(argv[1]);
	if (command < 0)
		return usage("unknown command", argv[1]);
	opt->command = argv[1];
	argv[1] = argv[0]; /* the name getopt shows in its messages */
	status = take_options(argc - 1, argv + 1, opt);
	if (status >= 0)
		return status;
	opt->argv = argv + 1 + optind;
	if (strcmp(opt->command, "serve") != 0 &&
	    (opt->n_names || opt->n_cgroups || opt->listen || opt->listen_public))
		return usage("--comm, --cgroup, --listen and --listen-public are options of serve",
			     NULL);
	return commands[command].check(opt);
}
