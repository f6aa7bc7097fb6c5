# SPDX-License-Identifier: MIT
"""junit.py LABEL FILE [AGAIN]: prints a JUnit file of pytest as the lines that scripts/test counts: status, name,
reason. AGAIN: that of a second run of what had failed; what passes then is `unsteady`."""
from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree

Results = dict[str, tuple[str, str]]


def results(label: str, path: str) -> Results:
    found: Results = {}
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = f"{label} {case.get('classname', '').rsplit('.', 1)[-1]}::{case.get('name')}"
        status, reason = "pass", ""
        for child in case:
            if child.tag in ("failure", "error"):
                status = "fail"
            elif child.tag == "skipped" and status == "pass":
                status = "skip"
            else:
                continue
            reason = (child.get("message") or "").splitlines()[0][:200] if child.get("message") else ""
        found[name] = (status, reason.replace("\t", " "))
    return found


def main() -> None:
    label, first, *second = sys.argv[1:]
    found = results(label, first)
    again = results(label, second[0]) if second else {}
    for name, (status, reason) in found.items():
        if status == "fail" and again.get(name, ("", ""))[0] == "pass":
            status = "unsteady"
        print(status, name, reason, sep="\t")


main()
