# SPDX-License-Identifier: MIT
"""A real Prometheus scrapes serve: its answers, next to what was written and to what the kernel says."""
from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.error
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cow import PAGE, ROOT, Report, environment, target, wait_for
from serving import OPENER, Prometheus, Serving, free_port
from test_serve import GROUP, Forker, wait_for_buffers

DEPLOY = ROOT / "scripts" / "deploy"
RULES = DEPLOY / "prometheus-rules.yml"
DASHBOARD = DEPLOY / "grafana-dashboard.json"


def smaps(pid: int) -> dict[str, int]:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {key: int(kib) * 1024 for key, kib in re.findall(r"^(\w+): +(\d+) kB", text, re.M)}


def private_dirty(pid: int) -> int:
    return smaps(pid)["Private_Dirty"]


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


class Gunicorn:
    """tests/targets/flask_app.py behind gunicorn --preload."""

    def __init__(self, place: Path, workers: int = 3):
        program = shutil.which("gunicorn", path="/usr/bin")
        assert program, "gunicorn is missing; scripts/setup test installs it"
        for name in ("flask_app.py", "truth.py"):
            shutil.copy(target(name), place)
        self.port = free_port()
        self.process = subprocess.Popen(
            ["/usr/bin/python3", program, "--preload", "-w", str(workers), "--log-level", "critical",
             "-b", f"127.0.0.1:{self.port}", "--chdir", str(place), "flask_app:app"],
            env=environment({"BIG_N": "400009"}))
        self.pid = self.process.pid
        self.n = workers
        wait_for("gunicorn answers", lambda: self.process.poll() is None and self.ask("/pid"))

    def __enter__(self) -> Gunicorn:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)

    @property
    def workers(self) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def ask(self, path: str) -> Report | None:
        try:
            with OPENER.open(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
                return json.load(answer)
        except urllib.error.URLError:
            return None

    def everybody(self, path: str, until: Callable[[set[int]], bool]) -> set[int]:
        """Asks at once as many as there are workers, until that is so for the pids of those who have answered."""
        pids: set[int] = set()
        with ThreadPoolExecutor(self.n) as pool:
            while not until(pids):
                pids |= {a["pid"] for a in pool.map(self.ask, [path] * self.n) if a}
        return pids


def test_promql_agrees_with_smaps_of_gunicorn(tmp_path: Path) -> None:
    """A page that is copied was anonymous before and is so after; it becomes private. A new one adds to both. So what
    the workers have more of private memory than of anonymous memory is what they have copied."""
    copied_so_far = 'sum(cowtrace_copied_bytes_total{group="gunicorn"})'
    with Gunicorn(tmp_path) as service, Serving(["-p", str(service.pid)]) as server, \
            Prometheus([server.port], RULES) as prometheus:
        service.everybody("/pid", lambda pids: len(pids) == service.n)  # each has warmed up
        wait_for("it is scraped", lambda: sum(prometheus.query(copied_so_far).values()) > 0)
        workers = service.workers
        assert len(workers) == service.n
        before = [smaps(pid) for pid in workers]
        begin = server.metrics().sum("cowtrace_copied_bytes_total", group="gunicorn")
        service.everybody("/sum", lambda pids: len(pids) == service.n)
        after = [smaps(pid) for pid in workers]
        assert service.workers == workers
        private = sum(a["Private_Dirty"] - b["Private_Dirty"] for a, b in zip(after, before))
        fresh = sum(a["Anonymous"] - b["Anonymous"] for a, b in zip(after, before))
        # The list, and 32 bytes for each number but the first few.
        assert private - fresh > service.n * 400009 * 32

        def copied() -> float:
            return sum(prometheus.query(copied_so_far).values()) - begin

        wait_for("it is scraped", lambda: abs(copied() - (private - fresh)) <= service.n * 32 * PAGE)
        # Nearly all of it is what the article is about; and the rate and the ratio of the rules show it.
        assert sum(prometheus.query('sum(cowtrace_copied_bytes_total{group="gunicorn",cause="refcount"})').values()) \
            > 0.95 * (private - fresh)
        wait_for("the rule has it", lambda: sum(prometheus.query(
            'sum(cowtrace:copied_bytes:rate5m{group="gunicorn",cause="refcount"})').values()) > 0)
        # What is left, with the master's, at most: pages that are the master's alone since all workers have copied
        # them still count.
        still = sum(s["Anonymous"] - s["Private_Dirty"] for s in map(smaps, [service.pid, *workers]))
        shared = sum(prometheus.query('cowtrace_shared_bytes{group="gunicorn"}').values())
        at_fork = sum(prometheus.query('cowtrace_shared_at_fork_bytes{group="gunicorn"}').values())
        slack = service.n * 32 * PAGE
        assert still - slack <= shared <= at_fork - (private - fresh) + slack, (still, shared, at_fork)


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
            # A reset is no negative rate, and what came after it is in the increase.
            assert sum(prometheus.query(
                f'increase(cowtrace_copies_total{{group="{GROUP}",cause="buffer"}}[5m])').values()) >= 600
            rates = f'rate(cowtrace_copies_total{{group="{GROUP}",cause="buffer"}}[5s])[1m:1s]'
            for series in prometheus.api("query", query=rates)["result"]:
                assert all(float(value) >= 0 for _, value in series["values"]), series


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
