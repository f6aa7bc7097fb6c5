# SPDX-License-Identifier: MIT
"""A real Prometheus scrapes serve: its answers, next to what was written and to what the kernel says."""
from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from cow import PAGE, ROOT, wait_for
from serving import Prometheus, Serving, free_port
from test_serve import GROUP, Forker, wait_for_buffers

DEPLOY = ROOT / "scripts" / "deploy"
RULES = DEPLOY / "prometheus-rules.yml"
DASHBOARD = DEPLOY / "grafana-dashboard.json"


def private_dirty(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Private_Dirty: +(\d+) kB", text, re.M)[1]) * 1024


def test_promql_agrees_with_the_workers(any_python: str) -> None:
    with Forker(any_python) as service, Serving(["-p", str(service.pid)]) as server, \
            Prometheus([server.port], RULES) as prometheus:
        prometheus.wait_for('up{job="cowtrace"}', 1)
        prometheus.wait_for(f'sum(cowtrace_copies_total{{group="{GROUP}",cause="buffer"}})', 0)
        before = sum(private_dirty(pid) for pid in service.workers)
        service.write(2003)
        wait_for_buffers(server, 3 * 2003)
        grown = sum(private_dirty(pid) for pid in service.workers) - before

        def copied() -> float:
            return sum(prometheus.query(f'sum(cowtrace_copied_bytes_total{{group="{GROUP}"}})').values())

        wait_for("it is scraped", lambda: copied() >= 3 * 2003 * PAGE)
        # What Python itself had written to before the first look is small.
        assert abs(copied() - grown) <= 3 * 64 * PAGE, (copied(), grown)
        wait_for("there is a rate", lambda: sum(prometheus.query(
            f'sum(increase(cowtrace_copies_total{{group="{GROUP}"}}[1m]))').values()) > 0)
        prometheus.wait_for(f'cowtrace_processes{{group="{GROUP}"}}', 4)
        for group in prometheus.api("rules")["groups"]:
            for rule in group["rules"]:
                assert rule["health"] in ("ok", "unknown"), rule


def test_the_counters_of_a_restarted_daemon(any_python: str) -> None:
    """Prometheus takes counters that begin at 0 again for a reset: increase() goes on."""
    port = free_port()
    with Forker(any_python) as service, Prometheus([port]) as prometheus:
        with Serving(["-p", str(service.pid)], port) as server:
            prometheus.wait_for(f'cowtrace_copies_total{{group="{GROUP}",cause="buffer"}}', 0)
            service.write(503)
            wait_for_buffers(server, 1509)
            wait_for("it is scraped", lambda: sum(prometheus.query(
                f'cowtrace_copies_total{{group="{GROUP}",cause="buffer"}}').values()) >= 1509)
            server.process.kill()  # as hard as can be
            server.process.wait()
        with Serving(["-p", str(service.pid)], port) as server:
            prometheus.wait_for(f'cowtrace_copies_total{{group="{GROUP}",cause="buffer"}}', 0)
            service.write(211)
            wait_for_buffers(server, 633)
            wait_for("it is scraped", lambda: sum(prometheus.query(
                f'cowtrace_copies_total{{group="{GROUP}",cause="buffer"}}').values()) >= 633)
            assert sum(prometheus.query(
                f'resets(cowtrace_copies_total{{group="{GROUP}",cause="buffer"}}[5m])').values()) == 1


def queries() -> list[str]:
    found = []
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        found += [t["expr"] for t in panel.get("targets", [])]
    return found


def test_the_queries_of_the_dashboard(any_python: str) -> None:
    with Forker(any_python) as service, Serving(["-p", str(service.pid)]) as server, \
            Prometheus([server.port]) as prometheus:
        prometheus.wait_for('up{job="cowtrace"}', 1)
        service.write(503)
        wait_for_buffers(server, 1509)
        assert len(queries()) >= 8
        for query in queries():
            query = query.replace("$group", ".*").replace("$instance", ".*").replace("$__rate_interval", "1m")
            assert "$" not in query, query
            wait_for(f"an answer to {query}", lambda q=query: prometheus.query(q))


def test_the_alert_rules() -> None:
    done = subprocess.run(["promtool", "check", "rules", str(RULES)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run(["promtool", "test", "rules", str(DEPLOY / "prometheus-rules-test.yml")],
                          capture_output=True, text=True, timeout=60, cwd=DEPLOY)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_unit_of_systemd() -> None:
    """Below 4.0: what is not granted, and why the rest is, stands in the unit."""
    unit = DEPLOY / "cowtrace.service"
    try:
        done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", str(unit)],
                              capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("systemd-analyze is missing")
    found = re.search(r"exposure level for cowtrace\.service: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) < 4.0, done.stdout


def test_the_privileges_of_what_is_deployed() -> None:
    """Those that the documents name, no more; root in a container has to be able to become nobody."""
    needed = set(re.findall(r"^PRIVILEGE\((\w+),", (ROOT / "user" / "model" / "privileges.def").read_text(), re.M))
    unit = (DEPLOY / "cowtrace.service").read_text()
    for setting in ("AmbientCapabilities", "CapabilityBoundingSet"):
        assert set(re.search(rf"^{setting}=(.*)", unit, re.M)[1].split()) == {f"CAP_{cap}" for cap in needed}
    added = set(re.findall(r"^ +- ([A-Z_]+)$", (DEPLOY / "daemonset.yaml").read_text(), re.M))
    assert added == needed | {"SETUID", "SETGID", "SETPCAP"}
