# SPDX-License-Identifier: MIT
"""`cowtrace serve`, and a Prometheus that scrapes it."""
from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cow import COWTRACE, Report, environment, wait_for

# With sanitizers it takes more.
MEMORY_MAX = (192 if "san" in COWTRACE.parts else 64) << 20
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
SAMPLE = re.compile(r'([a-zA-Z_:][\w:]*)(?:\{((?:\w+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Page:
    """A page of metrics."""

    def __init__(self, text: str):
        self.text = text
        self.samples: list[tuple[str, dict[str, str], float]] = []
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            match = SAMPLE.fullmatch(line)
            assert match, f"no sample: {line!r}"
            self.samples.append((match[1], dict(LABEL.findall(match[2] or "")), float(match[3])))

    def all(self, name: str, **labels: str) -> list[tuple[dict[str, str], float]]:
        return [(has, value) for sample, has, value in self.samples
                if sample == name and all(has.get(k) == v for k, v in labels.items())]

    def value(self, name: str, **labels: str) -> float:
        found = self.all(name, **labels)
        assert len(found) == 1, f"{name} {labels}: {found}"
        return found[0][1]

    def sum(self, name: str, **labels: str) -> float:
        return sum(value for _, value in self.all(name, **labels))

    def groups(self) -> set[str]:
        return {labels["group"] for labels, _ in self.all("cowtrace_processes")}


class Serving:
    """A `cowtrace serve` that answers. silent: its standard error is elsewhere."""

    def __init__(self, args: Sequence[str] = (), port: int = 0, env: dict[str, str] | None = None,
                 prefix: Sequence[str] = (), silent: bool = False):
        self.place = tempfile.TemporaryDirectory(prefix="cowtrace-")
        self.err = open(Path(self.place.name, "stderr"), "w+b")  # noqa: SIM115
        self.process = subprocess.Popen([*prefix, str(COWTRACE), "serve", "--listen", f"127.0.0.1:{port}", *args],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.err,
                                        env=environment(env))
        if silent:
            self.port = port
        try:
            if silent:  # what it says goes elsewhere: it answers
                wait_for("it serves", self.answers)
                return
            wait_for("it serves", lambda: self.process.poll() is not None or "serving at" in self.stderr())
            assert self.process.poll() is None, self.stderr()
        except BaseException:
            self.__exit__()
            raise
        self.port = int(re.search(r"serving at http://127\.0\.0\.1:(\d+)/", self.stderr())[1])

    def __enter__(self) -> Serving:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.err.close()
        self.place.cleanup()

    def stderr(self) -> str:
        return Path(self.place.name, "stderr").read_text("utf-8", "replace")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, accept: str | None = None, timeout: float = 60) -> tuple[int, Any, bytes]:
        request = urllib.request.Request(self.url + path, headers={"Accept": accept} if accept else {})
        try:
            with OPENER.open(request, timeout=timeout) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def answers(self) -> bool:
        """Whether it does."""
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False

    def drawn(self, path: str) -> bytes:
        """A page that is drawn at most once a second."""
        def ask() -> tuple[Any, bytes] | None:
            status, headers, body = self.get(path)
            assert status in (200, 503), (path, status, body)
            return (headers, body) if status == 200 else None

        return wait_for(f"{path} is drawn", ask)[1]

    def metrics(self) -> Page:
        status, _, body = self.get("/metrics")
        assert status == 200, (status, body)
        return Page(body.decode())

    def wait_for(self, name: str, value: float, **labels: str) -> Page:
        """Until the sum of these samples is that; more is an error."""
        def look() -> Page | None:
            page = self.metrics()
            now = page.sum(name, **labels)
            assert now <= value, f"{name} {labels} is {now}, not {value}\n{self.stderr()}"
            return page if now == value else None

        return wait_for(f"{name} {labels} is {value}", look)

    def http_process(self) -> int | None:
        found = [int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
                 .read_text().split()]
        assert len(found) <= 1, found
        # A moment after the fork it is still the other program.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, IndexError):
            if Path(f"/proc/{found[0]}/comm").read_text().strip() == "cowtrace-http":
                return found[0]
        return None

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(sig)
        return self.process.wait(30)


class Prometheus:
    """The real one, which scrapes every second. client: how, if not in the clear."""

    def __init__(self, ports: Sequence[int], rules: Path | None = None, client: Report | None = None):
        program = shutil.which("prometheus")
        assert program, "prometheus is missing; scripts/setup test installs it"
        self.place = tempfile.TemporaryDirectory(prefix="cowtrace-prometheus-")
        self.port = free_port()
        config: Report = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "scrape_configs": [{"job_name": "cowtrace", **(client or {}),
                                "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}]}],
        }
        if rules:
            config["rule_files"] = [str(rules)]
        path = Path(self.place.name, "prometheus.yml")
        path.write_text(json.dumps(config))  # JSON is YAML
        self.log = open(Path(self.place.name, "log"), "wb")  # noqa: SIM115
        self.process = subprocess.Popen(
            [program, f"--config.file={path}", f"--storage.tsdb.path={self.place.name}/data",
             f"--web.listen-address=127.0.0.1:{self.port}"], stdout=self.log, stderr=self.log)

    def __enter__(self) -> Prometheus:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.log.close()
        self.place.cleanup()

    def api(self, path: str, **args: str) -> Any:
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(args)}"
        with OPENER.open(url, timeout=30) as answer:
            return json.load(answer)["data"]

    def query(self, promql: str) -> dict[tuple[str, ...], float]:
        """The values, by the values of their labels in the order of the labels' names."""
        try:
            result = self.api("query", query=promql)["result"]
        except urllib.error.HTTPError as error:
            if error.code == 503:  # it is starting
                return {}
            raise AssertionError(f"{promql}: {error.read().decode()}") from error
        except OSError:
            return {}
        return {tuple(v for k, v in sorted(row["metric"].items())): float(row["value"][1]) for row in result}

    def wait_for(self, promql: str, value: float) -> None:
        wait_for(f"{promql} is {value}", lambda: list(self.query(promql).values()) == [value])
