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
	char copy[PATH_MAX]; /* of the script; "" */
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

/* A tree that is still being made has no mark beside it (scripts/fetch-python). */
static inline bool is_being_made(const char *path)
{
	const char *tree = strstr(path, "/tree/");
	char mark[PATH_MAX];

	if (!tree)
		return false;
	snprintf(mark, sizeof(mark), "%.*s/.complete", (int)(tree - path), path);
	return access(mark, F_OK) != 0;
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
		if (!is_being_made(found.gl_pathv[i]))
			pythons__add(all, found.gl_pathv[i], minor);
	globfree(&found);
}

static inline void pythons__trees(struct pythons *all, const char *dir, unsigned int minor)
{
	pythons__glob(all, dir, "/*/tree/usr/bin", minor);
	pythons__glob(all, dir, "/*/usr/bin", minor);
	pythons__glob(all, dir, "/*/bin", minor);
}

/*
 * Looks in $PATH, /usr/bin, /usr/local/bin, pyenv's versions, and what scripts/fetch-python and
 * scripts/build-python made in build/ or in $COWTRACE_PYTHONS: trees that are a root each.
 */
static inline struct pythons pythons__find(unsigned int minor)
{
	struct pythons all = {};
	const char *home = getenv("HOME"), *root = getenv("PYENV_ROOT"), *env = getenv("PATH");
	const char *trees = getenv("COWTRACE_PYTHONS");
	char *path = strdup(env ? env : ""), *save = NULL;

	for (char *dir = strtok_r(path, ":", &save); dir; dir = strtok_r(NULL, ":", &save))
		pythons__glob(&all, dir, "", minor);
	free(path);
	if (trees)
		pythons__trees(&all, trees, minor);
	pythons__trees(&all, "build/chroot", minor);
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

/* Length of the path of the root tree that holds a program; 0: it runs in this one. */
static inline int root_tree(const char *python)
{
	const char *bin = strstr(python, "/usr/bin/");
	char path[PATH_MAX];

	if (!bin || bin == python)
		return 0;
	snprintf(path, sizeof(path), "%.*s/lib64/ld-linux-x86-64.so.2", (int)(bin - python),
		 python);
	/* The link itself: where it leads to is seen from inside. */
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) ? 0 : (int)(bin - python);
}

static inline bool copy_file(const char *from, const char *to)
{
	char buf[1 << 16];
	FILE *in = fopen(from, "r"), *out = fopen(to, "w");
	size_t n = in && out ? fread(buf, 1, sizeof(buf), in) : 0;
	bool ok = n && n < sizeof(buf) && fwrite(buf, 1, n, out) == n;

	if (in)
		fclose(in);
	return out && !fclose(out) && ok;
}

/* In a root tree, the script runs as a copy in its /tmp. */
static inline void python__exec(const char *python, const char *path, const char *copy, int tree)
{
	char root[PATH_MAX];

	snprintf(root, sizeof(root), "%.*s", tree, python);
	if (tree && (chroot(root) || chdir("/")))
		_exit(126);
	execl(python + tree, python + tree, "-I", tree ? copy + tree : path, NULL);
	_exit(127);
}

/* Runs a script that lies beside the source file `beside`. Returns false if it could not. */
static inline bool python_process__start(struct python_process *p, const char *python,
					 const char *beside, const char *script)
{
	int in[2], out[2];
	char path[PATH_MAX];
	const char *slash = strrchr(beside, '/');
	int tree = root_tree(python);

	snprintf(path, sizeof(path), "%.*s/%s", slash ? (int)(slash - beside) : 1,
		 slash ? beside : ".", script);
	snprintf(p->copy, sizeof(p->copy), "%.*s/tmp/%d-%s", tree, python, getpid(), script);
	if (!tree)
		p->copy[0] = '\0';
	if ((tree && !copy_file(path, p->copy)) || access(path, R_OK) || pipe2(in, O_CLOEXEC) ||
	    pipe2(out, O_CLOEXEC))
		return false;
	p->pid = fork();
	if (p->pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		python__exec(python, path, p->copy, tree);
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
	if (p->copy[0])
		unlink(p->copy);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
