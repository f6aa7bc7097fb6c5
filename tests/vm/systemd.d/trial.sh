#!/bin/sh
# SPDX-License-Identifier: MIT
# What tests/vm/systemd judges, into /out: the unit of scripts/deploy is started, asked, killed, started again, starved
# and stopped, while a service works. Each wait has an end.
say() {
	echo "vm: $*" >/dev/console
}

show() {
	systemctl show "$1" -p ActiveState -p SubState -p Result -p MainPID -p NRestarts -p StatusText \
		-p ExecMainStatus >"/out/$2"
}

pid_of() {
	systemctl show -P MainPID "$1"
}

# copies: those of the service, until there are more than so many; the page is left in /out/NAME.
copies() {
	for _ in $(seq 120); do
		if busybox wget -q -O "/out/$2" http://127.0.0.1:9748/metrics &&
			[ "$(awk '/^cowtrace_copies_total.group="shop.service"/ { n += $2 } END { print n + 0 }' "/out/$2")" -gt "$1" ]; then
			return
		fi
		sleep 0.5
	done
}

# another PID: waits for it to be started again, as another process.
another() {
	for _ in $(seq 120); do
		sleep 0.5
		[ "$(pid_of cowtrace)" = "$1" ] || [ "$(systemctl is-active cowtrace)" != active ] || break
	done
}

say up
echo 4 >/proc/sys/kernel/printk
systemctl start shop
pid_of shop >/out/shop.before
say start
systemctl start cowtrace
echo $? >/out/start.status
show cowtrace started
copies 500 metrics.first
pid=$(pid_of cowtrace)
cat "/proc/$pid/status" >/out/tracer
read -r http <"/proc/$pid/task/$pid/children"
cat "/proc/$http/status" >/out/http
cat /sys/fs/cgroup/system.slice/cowtrace.service/memory.peak >/out/memory.peak
busybox wget -q -O /out/report.html http://127.0.0.1:9748/report
say killed
kill -9 "$pid"
another "$pid"
copies 100 metrics.second
show cowtrace restarted
say restart
systemctl restart cowtrace
echo $? >/out/restart.status
copies 100 metrics.third
say starved
pid=$(pid_of cowtrace)
echo 4M >/sys/fs/cgroup/system.slice/cowtrace.service/memory.max
another "$pid"
copies 100 metrics.fourth
show cowtrace starved
say stop
systemctl stop cowtrace
show cowtrace stopped
pid_of shop >/out/shop.after
show shop shop
journalctl --no-pager -o cat -u cowtrace >/out/journal
systemctl list-units --failed --no-pager --plain >/out/failed
dmesg >/out/dmesg
sync
say "done"
systemctl poweroff -ff
