# SPDX-License-Identifier: MIT
"""A crowd of workers, of lines and of types: serve stays small, and what finds no room is counted as `other`."""
from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

from attached import Pipes
from cow import target, wait_for
from serving import MEMORY_MAX, Serving
from taskstats import Taskstats, delay_accounting
from test_serve import go_pprof

WORKERS, LINES, TYPES = 200, 100, 5000
GROUP = "crowd.py"


def processes(pid: int) -> list[int]:
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def test_two_hundred_workers_at_twenty_thousand_lines(any_python: str) -> None:
    with delay_accounting(), Taskstats() as kernel, \
            Pipes([any_python, target("crowd.py"), str(WORKERS), str(LINES), str(TYPES)]) as service:
        service.answer(120)
        everybody = processes(service.pid)
        assert len(everybody) == WORKERS + 1
        earlier = kernel.processes(everybody)
        with Serving(["-p", str(service.pid)]) as server:
            before = kernel.processes(everybody)  # somewhere between these two it began to count
            assert service.ask("go")["read"] == WORKERS * LINES
            after = kernel.processes(everybody)
            written = after - before
            assert written >= WORKERS * LINES

            def all_there():
                page = server.metrics()
                assert page.value("process_resident_memory_bytes") <= MEMORY_MAX
                counted = (page.sum("cowtrace_copies_total") - page.sum("cowtrace_copies_uncounted_by_kernel_total"))
                return page if counted + page.sum("cowtrace_lost_events_total") >= written else None

            page = wait_for("all copies are counted", all_there)
            lost = page.sum("cowtrace_lost_events_total")
            copies = page.sum("cowtrace_copies_total")
            later = kernel.processes(everybody)  # they write a little when they have answered, too
            assert copies - page.sum("cowtrace_copies_uncounted_by_kernel_total") <= later - earlier
            assert page.value("cowtrace_processes", group=GROUP) == WORKERS + 1
            assert page.sum("cowtrace_copies_total", cause="refcount") >= WORKERS * LINES - lost

            # Types: those with most copies, and the rest as `other`.
            types = page.all("cowtrace_type_copies_total")
            assert len(types) <= 33
            assert page.value("cowtrace_type_copies_total", type="other") > WORKERS * LINES / 2
            assert sum(n for _, n in types) >= WORKERS * LINES - lost

            # Sites: as many rows as there is room for; the sums have all of them.
            folded = page.value("cowtrace_folded_copies_total")
            assert 0 < folded < copies
            profile = Path(server.place.name, "profile.pb.gz")
            profile.write_bytes(server.drawn("/debug/pprof/copies"))
            top = go_pprof("-top", "-sample_index=copies", "-nodecount=100000", str(profile))
            found = re.search(r"(\d+) total", top.replace("accounting for", ""))
            assert found and int(found[1]) == copies, top[:500]
            lines = go_pprof("-top", "-lines", "-sample_index=copies", "-nodecount=100000", "-nodefraction=0",
                             str(profile))
            assert len(re.findall(r" /srv/shop/page_\d+\.py:\d+$", lines, re.M)) > 4000
            assert re.search(rf"^ +{folded:.0f} .* \[other sites\]$", lines, re.M), lines[:500]
            assert len(gzip.decompress(profile.read_bytes())) < 32 << 20
            html = server.drawn("/report").decode()
            data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)[1])
            assert sum(site["copies"] for site in data["sites"]) <= copies
            assert data["capture"]["copies"] == copies
            server.drawn("/flamegraph.svg")
            page = server.metrics()
            assert page.value("process_resident_memory_bytes") <= MEMORY_MAX, page.value("process_resident_memory_bytes")
            print(f"{page.value('process_resident_memory_bytes') / (1 << 20):.1f} MiB, {copies:.0f} copies, "
                  f"{folded:.0f} folded, {lost:.0f} lost")
            assert server.stop() == 0
