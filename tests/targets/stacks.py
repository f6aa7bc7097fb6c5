# SPDX-License-Identifier: MIT
"""Stacks of every kind, one known copy in each. In the child each case reads an object of its own that is
alone on its page; the stack as Python has it at that moment is printed as JSON: see witnessed.py.

stacks.py DIRECTORY: modules to import are written there, in the parent.
"""
import gc
import importlib
import os
import sys
import traceback
import zipfile

import stack_cases_code  # noqa: F401: adds its cases
import truth
import witnessed
from stack_cases import CASES, DEEP, THREADS

MODULE = """
from witnessed import OBJ, seen


class Body:
    field = (seen("{name}"), OBJ["{name}"])
"""


# As real modules are: the table of lines of its body is longer than what the kernel side keeps of any code.
LARGE = "import witnessed\n" + "".join(
    "def function_{0}(a={0}, b=[{0}]):\n    return a\nvalue_{0} = (\n    {0},\n    [{0}])\n".format(i)
    for i in range(400)
) + "(witnessed.seen('import_large'), witnessed.OBJ['import_large'])\n"


def write_modules(place):
    """Modules that the child imports: from a directory, from a zip file."""
    os.makedirs(os.path.join(place, "package"))
    for path, name in (("package/__init__.py", "import_package"), ("package/inner.py", "import_file")):
        with open(os.path.join(place, path), "w", encoding="ascii") as f:
            f.write(MODULE.format(name=name))
    with open(os.path.join(place, "large.py"), "w", encoding="ascii") as f:
        f.write(LARGE)
    with zipfile.ZipFile(os.path.join(place, "archive.zip"), "w") as archive:
        archive.writestr("zipped/__init__.py", "")
        archive.writestr("zipped/inner.py", MODULE.format(name="import_zip"))
    sys.path[:0] = [place, os.path.join(place, "archive.zip")]
    importlib.invalidate_caches()


def names():
    found = [name for case in CASES for name in case.names]
    return found + ["import_package", "import_file", "import_zip", "import_large"]


def run_cases():
    skipped = []
    for case in CASES:
        try:
            why = case()
            if why:
                skipped += [(name, why) for name in case.names]
        except Exception:
            skipped.append((case.__name__, "failed: " + traceback.format_exc()))
    import large  # noqa: F401
    import package.inner  # noqa: F401
    import zipped.inner  # noqa: F401
    return skipped


def main():
    gc.disable()
    truth.own_mappings()
    write_modules(sys.argv[1])
    witnessed.prepare(names())
    sys.setrecursionlimit(5000)
    gc.freeze()  # the case in which a collection runs would copy the objects of the others

    def work():
        witnessed.tell(run_cases())
        return {"cases": names(), "deep": DEEP, "threads": THREADS}

    truth.child(work)


main()
