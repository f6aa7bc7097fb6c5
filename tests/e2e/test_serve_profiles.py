# SPDX-License-Identifier: MIT
"""Profiles, as Pyroscope's collector (Alloy) and Parca scrape them. Neither can be installed here; what they do is: GET with
`seconds` (Parca: the interval; Alloy: the interval less one) for profiles that are a delta, as Go's HTTP client asks; each
answer is a profile, which may not be empty as a file even if nothing has happened, with a time, a duration and a type of
period."""
from __future__ import annotations

import gzip
import re
import threading
import urllib.request
from pathlib import Path

from serving import OPENER, Serving
from test_serve import Forker, go_pprof, wait_for_buffers


class Scraper:
    """A target that is scraped at an interval."""

    def __init__(self, server: Serving, seconds: int, place: Path):
        self.url, self.place = f"{server.url}/debug/pprof/copies?seconds={seconds}", place
        self.done: list[tuple[dict[str, str], bytes]] = []

    def scrape(self) -> None:
        request = urllib.request.Request(self.url, headers={"Accept-Encoding": "gzip"})
        with OPENER.open(request, timeout=60) as answer:
            assert answer.status == 200
            # The body is compressed by itself: a client that undoes an encoding finds none.
            assert answer.headers["Content-Encoding"] is None
            assert answer.headers["Content-Type"] == "application/octet-stream"
            self.done.append((dict(answer.headers), answer.read()))

    def raw(self, at: int) -> str:
        file = self.place / f"{at}.pb.gz"
        file.write_bytes(self.done[at][1])
        return go_pprof("-raw", str(file))


def buffers(raw: str) -> int:
    return sum(int(n) for n, _ in re.findall(r"^ +(\d+) +(\d+): .*\n +.*cause:\[buffer\]", raw, re.M))


def test_scraped_at_an_interval(any_python: str, tmp_path: Path) -> None:
    with Forker(any_python) as service, Serving(["-p", str(service.pid)]) as server:
        service.write(101)
        wait_for_buffers(server, 303)
        scraper = Scraper(server, 3, tmp_path)
        begun = threading.Event()
        for pages in (211, 0):
            begun.clear()
            thread = threading.Thread(target=lambda: (begun.set(), scraper.scrape()))
            thread.start()
            begun.wait()
            # When its request has arrived, the window is open; it asks for nothing before that.
            wait_until_open(server)
            if pages:
                service.write(pages)
            thread.join()
        written = [buffers(scraper.raw(at)) for at in range(2)]
        for got, pages in zip(written, (211, 0)):
            assert abs(got - 3 * pages) <= 7, written
        for at, (_, body) in enumerate(scraper.done):
            assert gzip.decompress(body)
            raw = scraper.raw(at)
            assert "PeriodType: copies count\n" in raw and re.search(r"^Duration: 3", raw, re.M), raw[:300]
            assert "copies/count copied/bytes" in raw


def wait_until_open(server: Serving) -> None:
    """A question that came later is answered when the ones before have been taken."""
    for _ in range(5):
        assert server.get("/healthz")[0] == 200
