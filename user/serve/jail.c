/* SPDX-License-Identifier: MIT */
#include "serve/jail.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The user and group nobody, of every Linux: those that the kernel shows for users it cannot name.
 */
#define NOBODY 65534

/* More than a body and all connections take. */
#define MAX_MEMORY (512ul << 20)

static int drop_bounding(void)
{
	/* The first one that the kernel does not know ends the set. */
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) && errno != EPERM)
			return -errno; /* EPERM: it lacks CAP_SETPCAP, and an exec is denied anyway
					*/
	return 0;
}

static int drop_user(void)
{
	if (geteuid() != 0)
		return 0; /* no root that could become another */
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return -errno;
	return 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) && errno != EINVAL)
		return -errno;
	return syscall(SYS_capset, &head, none) ? -errno : 0;
}

static int limit(__rlimit_resource_t what, rlim_t most)
{
	struct rlimit now;

	if (getrlimit(what, &now))
		return -errno;
	if (now.rlim_max < most)
		most = now.rlim_max;
	now.rlim_cur = now.rlim_max = most;
	return setrlimit(what, &now) ? -errno : 0;
}

int jail__drop(unsigned int max_fds)
{
	int err = limit(RLIMIT_NOFILE, max_fds) ?: limit(RLIMIT_CORE, 0);

	err = err ?: limit(RLIMIT_FSIZE, 0);
	/* The tracer hurries (tracing__hurry); whoever asks for pages does not. */
	if (!err && getpriority(PRIO_PROCESS, 0) < 0 && setpriority(PRIO_PROCESS, 0, 0))
		err = -errno;
#ifndef __SANITIZE_ADDRESS__ /* that maps terabytes */
	err = err ?: limit(RLIMIT_DATA, MAX_MEMORY);
#endif
	err = err ?: drop_bounding() ?: drop_user() ?: drop_capabilities();
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	if (!err && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		err = -errno;
	/* After setuid: it counts against what nobody may have, of which there may be many. */
	return err ?: limit(RLIMIT_NPROC, 0);
}

/* No open, no socket, no exec, no fork; nothing that takes the number of another process. */
static const int allowed[] = {
	SCMP_SYS(read),		  SCMP_SYS(write),
	SCMP_SYS(readv),	  SCMP_SYS(writev),
	SCMP_SYS(recvfrom),	  SCMP_SYS(sendto),
	SCMP_SYS(recvmsg),	  SCMP_SYS(sendmsg),
	SCMP_SYS(sendfile),	  SCMP_SYS(accept),
	SCMP_SYS(accept4),	  SCMP_SYS(shutdown),
	SCMP_SYS(close),	  SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),	  SCMP_SYS(epoll_pwait),
	SCMP_SYS(poll),		  SCMP_SYS(ppoll),
	SCMP_SYS(setsockopt),	  SCMP_SYS(getsockopt),
	SCMP_SYS(getsockname),	  SCMP_SYS(getpeername),
	SCMP_SYS(fcntl),	  SCMP_SYS(munmap),
	SCMP_SYS(mremap),	  SCMP_SYS(brk),
	SCMP_SYS(madvise),	  SCMP_SYS(futex),
	SCMP_SYS(clock_gettime),  SCMP_SYS(gettimeofday),
	SCMP_SYS(time),		  SCMP_SYS(getrandom),
	SCMP_SYS(getpid),	  SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(restart_syscall),
	SCMP_SYS(exit),		  SCMP_SYS(exit_group),
#ifdef __SANITIZE_ADDRESS__ /* which looks at the stack before it lets go of it */
	SCMP_SYS(sigaltstack),	  SCMP_SYS(gettid),
#endif
};

/* Memory, but none that can be executed. */
static int allow_memory(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	int err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, no_exec);

	return err ?: seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, no_exec);
}

int jail__seal(void)
{
	/* Refused, not killed: a C library that tries something newer first goes on with what is
	 * left. */
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = ctx ? allow_memory(ctx) : -ENOMEM;

	for (size_t i = 0; !err && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	err = err ?: seccomp_load(ctx);
	seccomp_release(ctx);
	return err;
}
