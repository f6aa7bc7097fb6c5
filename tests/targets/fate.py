# SPDX-License-Identifier: MIT
"""fate.py WHAT FILE SCRIPT: runs SCRIPT, after FILE (a program or library that this process runs) was
deleted, or replaced by another program, or hidden below a mount."""
import os
import runpy
import shutil
import subprocess
import sys

OTHER = "/bin/sh"


def meet(what, path):
    if what == "deleted":
        os.unlink(path)
    elif what == "replaced":  # as package managers do it
        shutil.copy(OTHER, path + ".new")
        os.rename(path + ".new", path)
    elif what == "hidden":
        subprocess.run(["mount", "--bind", OTHER, path], check=True)
    else:
        sys.exit("no such fate: " + what)


def main():
    meet(*sys.argv[1:3])
    del sys.argv[:3]
    sys.path.insert(0, os.path.dirname(sys.argv[0]))
    runpy.run_path(sys.argv[0], run_name="__main__")


main()
