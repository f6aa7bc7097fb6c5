/* SPDX-License-Identifier: MIT */
#include "proc/caps.h"

#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proc/kernel_file.h"

struct caps {
	struct __user_cap_header_struct head;
	struct __user_cap_data_struct data[2]; /* 32 capabilities each */
};

static int caps__get(struct caps *caps)
{
	*caps = (struct caps){.head.version = _LINUX_CAPABILITY_VERSION_3};
	return syscall(SYS_capget, &caps->head, caps->data);
}

bool caps__has(int cap)
{
	bool split = cap == CAP_BPF || cap == CAP_PERFMON || cap == CAP_CHECKPOINT_RESTORE ||
		     cap == CAP_SYSLOG;
	struct caps caps;

	if (!kernel_file__first_namespace("user") || caps__get(&caps))
		return false;
	return caps.data[cap / 32].effective >> cap % 32 & 1 ||
	       (split && caps.data[0].effective >> CAP_SYS_ADMIN & 1);
}

void caps__drop(void)
{
	static const int ours[] = {
		CAP_BPF,	CAP_PERFMON,
		CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH,
		CAP_SYSLOG,	CAP_CHECKPOINT_RESTORE,
	};
	struct caps caps;

	if (geteuid() == 0 || caps__get(&caps))
		return;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		struct __user_cap_data_struct *data = &caps.data[ours[i] / 32];
		uint32_t others = ~(1u << ours[i] % 32);

		data->effective &= others;
		data->permitted &= others;
		data->inheritable &= others;
	}
	syscall(SYS_capset, &caps.head, caps.data); /* the ambient ones go with them */
}
