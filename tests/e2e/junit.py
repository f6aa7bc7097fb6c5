# SPDX-License-Identifier: MIT
"""junit.py LABEL FILE: prints a JUnit file of pytest as the lines that scripts/test counts: status, name,
reason."""
from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree


def main() -> None:
    for case in ElementTree.parse(sys.argv[2]).getroot().iter("testcase"):
        name = f"{sys.argv[1]} {case.get('classname', '').rsplit('.', 1)[-1]}::{case.get('name')}"
        status, reason = "pass", ""
        for child in case:
            if child.tag in ("failure", "error"):
                status = "fail"
            elif child.tag == "skipped" and status == "pass":
                status = "skip"
            else:
                continue
            reason = (child.get("message") or "").splitlines()[0][:200] if child.get("message") else ""
        print(status, name, reason.replace("\t", " "), sep="\t")


main()
