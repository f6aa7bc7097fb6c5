# SPDX-License-Identifier: MIT
"""mixed.py PYTHON SCRIPT: a worker becomes another Python that runs SCRIPT; then this one runs it too."""
import os
import runpy
import sys


def main():
    other, script = sys.argv[1:]
    pid = os.fork()
    if pid == 0:
        os.execv(other, [other, script])
    if os.waitpid(pid, 0)[1]:
        sys.exit(1)
    sys.path.insert(0, os.path.dirname(script))
    sys.argv[:] = [script]
    runpy.run_path(script, run_name="__main__")


main()
