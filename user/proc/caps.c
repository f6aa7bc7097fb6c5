/* SPDX-License-Identifier: MIT */
#include "proc/caps.h"

#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t effective(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {};

	if (syscall(SYS_capget, &head, data))
		return 0;
	return (uint64_t)data[1].effective << 32 | data[0].effective;
}

bool caps__has(int cap)
{
	uint64_t caps = effective();
	bool split = cap == CAP_BPF || cap == CAP_PERFMON || cap == CAP_CHECKPOINT_RESTORE ||
		     cap == CAP_SYSLOG;

	return caps >> cap & 1 || (split && caps >> CAP_SYS_ADMIN & 1);
}

void caps__drop_ambient(void)
{
	static const int ours[] = {
		CAP_BPF,	CAP_PERFMON,
		CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH,
		CAP_SYSLOG,	CAP_CHECKPOINT_RESTORE,
	};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, ours[i], 0, 0);
}
