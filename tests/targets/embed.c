// SPDX-License-Identifier: MIT
/*
 * embed [-l MS] [-f] [-s LIBRARY] LIBRARY SCRIPT [ARG...]: a program that is no Python, and runs a
 * script in a libpython, as uWSGI and mod_wsgi do. Needs no headers of Python. Built with -DLINKED
 * it is linked against libpython, and LIBRARY is left unread.
 *
 * -l MS: waits before it loads LIBRARY; -f: forks, and the child loads it; -s: initialises another
 * libpython before that one, with SECOND_HOME as its home, and leaves it idle.
 */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGES 37

struct python {
	void (*initialize)(int);
	int (*run)(const char *);
};

#ifdef LINKED
extern void Py_InitializeEx(int signals);
extern int PyRun_SimpleStringFlags(const char *code, void *flags);

static int run_linked(const char *code)
{
	return PyRun_SimpleStringFlags(code, NULL);
}

static struct python load(const char *library, int flags)
{
	(void)library;
	(void)flags;
	return (struct python){Py_InitializeEx, run_linked};
}
#else
static struct python load(const char *library, int flags)
{
	void *handle = dlopen(library, RTLD_NOW | flags);
	struct python py = {};

	if (handle) {
		*(void **)&py.initialize = dlsym(handle, "Py_InitializeEx");
		*(void **)&py.run = dlsym(handle, "PyRun_SimpleString");
	}
	if (!py.initialize || !py.run) {
		fprintf(stderr, "embed: %s: %s\n", library, dlerror());
		exit(1);
	}
	return py;
}
#endif

static void wait_ms(long ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

/* 1 in the child; the parent ends with it. */
static void go_on_in_child(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		return;
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		_exit(1);
	_exit(0);
}

/* Arguments are put into the script as they are: they come from a test. */
static int run_script(const struct python *py, char **argv)
{
	char code[8192];
	int n = snprintf(code, sizeof(code), "import sys, os\nsys.argv = [");

	for (char **arg = argv; *arg; arg++)
		n += snprintf(code + n, sizeof(code) - n, "'%s', ", *arg);
	snprintf(code + n, sizeof(code) - n,
		 "]\nsys.path.insert(0, os.path.dirname(sys.argv[0]))\n"
		 "with open(sys.argv[0]) as f:\n"
		 "    exec(compile(f.read(), sys.argv[0], 'exec'), {'__name__': '__main__'})\n");
	return py->run(code);
}

static void start_second(const char *library)
{
	char *home = getenv("PYTHONHOME"), *kept = home ? strdup(home) : NULL;

	setenv("PYTHONHOME", getenv("SECOND_HOME"), 1);
	load(library, RTLD_LOCAL).initialize(0);
	if (kept)
		setenv("PYTHONHOME", kept, 1);
	else
		unsetenv("PYTHONHOME");
	free(kept);
}

int main(int argc, char **argv)
{
	const char *second = NULL;
	struct python py;
	char *shared, place[32];
	int option, child = 0;
	long late = 0;

	while ((option = getopt(argc, argv, "+l:fs:")) != -1) {
		late = option == 'l' ? atol(optarg) : late;
		child = option == 'f' ? 1 : child;
		second = option == 's' ? optarg : second;
	}
	if (argc - optind < 2)
		return 2;
	/* Pages that a child shares, for a script that wants to write to some. */
	shared = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 1;
	memset(shared, 1, PAGES * 4096);
	snprintf(place, sizeof(place), "%lu", (unsigned long)shared);
	setenv("EMBED_PAGES", place, 1);
	if (child)
		go_on_in_child();
	wait_ms(late);
	if (second)
		start_second(second);
	py = load(argv[optind], RTLD_GLOBAL);
	py.initialize(0);
	return run_script(&py, argv + optind + 1) ? 1 : 0;
}
