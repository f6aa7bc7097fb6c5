/* SPDX-License-Identifier: MIT */
/* Finds the interpreters of this machine and runs python_live.py under one of them, for tests. */
#ifndef COWTRACE_TESTS_PYTHON_PROCESS_H
#define COWTRACE_TESTS_PYTHON_PROCESS_H

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_PYTHONS 32

struct pythons {
	unsigned int n;
	char *paths[MAX_PYTHONS]; /* real paths, each once */
};

struct python_process {
	pid_t pid;
	FILE *out;
	int in;
};

/* pyenv's shims and other wrappers are scripts. */
static inline bool is_program(const char *path)
{
	char magic[4] = "";
	FILE *f = fopen(path, "r");
	bool elf = f && fread(magic, 1, 4, f) == 4 && !memcmp(magic, "\177ELF", 4);

	if (f)
		fclose(f);
	return elf;
}

static inline void pythons__add(struct pythons *all, const char *path, unsigned int minor)
{
	const char *base = strrchr(path, '/');
	char name[32], *real;

	/* Exactly "python3.11", with a suffix for the free-threaded and debug builds. */
	snprintf(name, sizeof(name), "/python3.%u", minor);
	if (!base || strncmp(base, name, strlen(name)) ||
	    strspn(base + strlen(name), "td") != strlen(base + strlen(name)))
		return;
	real = realpath(path, NULL);
	for (unsigned int i = 0; real && i < all->n; i++) {
		if (!strcmp(all->paths[i], real)) {
			free(real);
			real = NULL;
		}
	}
	if (real && all->n < MAX_PYTHONS && is_program(real))
		all->paths[all->n++] = real;
	else
		free(real);
}

static inline void pythons__glob(struct pythons *all, const char *dir, const char *rest,
				 unsigned int minor)
{
	char pattern[PATH_MAX];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s%s/python3.*", dir, rest);
	if (glob(pattern, 0, NULL, &found))
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		pythons__add(all, found.gl_pathv[i], minor);
	globfree(&found);
}

/* Looks in $PATH, /usr/bin, /usr/local/bin and pyenv's versions. */
static inline struct pythons pythons__find(unsigned int minor)
{
	struct pythons all = {};
	const char *home = getenv("HOME"), *root = getenv("PYENV_ROOT"), *env = getenv("PATH");
	char *path = strdup(env ? env : ""), *save = NULL;

	for (char *dir = strtok_r(path, ":", &save); dir; dir = strtok_r(NULL, ":", &save))
		pythons__glob(&all, dir, "", minor);
	free(path);
	pythons__glob(&all, "/usr/bin", "", minor);
	pythons__glob(&all, "/usr/local/bin", "", minor);
	if (root)
		pythons__glob(&all, root, "/versions/*/bin", minor);
	if (home)
		pythons__glob(&all, home, "/.pyenv/versions/*/bin", minor);
	return all;
}

static inline void pythons__free(struct pythons *all)
{
	while (all->n)
		free(all->paths[--all->n]);
}

/* Runs a script that lies beside the source file `beside`. Returns false if it could not. */
static inline bool python_process__start(struct python_process *p, const char *python,
					 const char *beside, const char *script)
{
	int in[2], out[2];
	char path[PATH_MAX];
	const char *slash = strrchr(beside, '/');

	snprintf(path, sizeof(path), "%.*s/%s", slash ? (int)(slash - beside) : 1,
		 slash ? beside : ".", script);
	if (access(path, R_OK) || pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return false;
	p->pid = fork();
	if (p->pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl(python, python, "-I", path, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	p->in = in[1];
	p->out = fdopen(out[0], "r");
	return p->pid > 0 && p->out;
}

/* Lets it go on after a stop. */
static inline bool python_process__go(struct python_process *p)
{
	return write(p->in, "x", 1) == 1;
}

/* Returns its exit status, -1 if it was killed by a signal. */
static inline int python_process__end(struct python_process *p)
{
	int status = 0;

	close(p->in);
	fclose(p->out);
	waitpid(p->pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
