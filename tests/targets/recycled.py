# SPDX-License-Identifier: MIT
"""Code that is made, run and freed, over and over: the next one takes the address of the last one, and has
another name. Each function reads one object that is alone on its page, as the leaf or through a helper that
never changes. Prints what Python says of each stack, and how often an address came back.

Two workers do the same, one after the other, with names of their own: they find the same memory.
"""
import gc
import os

import truth
import witnessed
from witnessed import OBJ, told

COUNT = 211
WORKERS = ("ab", "cd")
# Everything the same but the name; the lines differ; the function is not the leaf; a module body of its own.
FORMS = {
    "leaf": "def {name}(which):\n    return (told(which), OBJ[which])\n",
    "line": "{lines}def {name}(which):\n    return (told(which), OBJ[which])\n",
    "outer": "def {name}(which):\n    return helper(which)\n",
}


def helper(which):
    return (told(which), OBJ[which])


def rounds():
    return [(form, i) for form in FORMS for i in range(COUNT)]


def run(worker):
    """Returns the addresses at which the functions' code was."""
    codes = []
    for form, i in rounds():
        name = "fn_{}_{:03d}".format(worker, i)
        source = FORMS[form].format(name=name, lines="\n" * (i % 13))
        space = {"told": told, "OBJ": OBJ, "helper": helper}
        exec(compile(source, "<made>", "exec"), space)
        function = space.pop(name)  # else both would live on in a cycle
        codes.append(id(function.__code__))
        function("{}_{:03d}".format(form, i))
        del function
    return codes


def main():
    gc.disable()
    truth.own_mappings()
    witnessed.prepare("{}_{:03d}".format(form, i) for form, i in rounds())
    gc.freeze()
    for worker in WORKERS:
        pid = os.fork()
        if pid == 0:
            codes = run(worker)
            truth.say(pid=os.getpid(), worker=worker, codes=codes)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0


main()
