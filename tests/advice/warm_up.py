# SPDX-License-Identifier: MIT
"""Large functions, each first run in a worker, or in the parent before."""
import workers

FUNCTIONS, LINES = 120, 700
source = "\n".join(
    f"def f{n}(x):\n" + "".join(f"    y{i % 9} = x * {i} + x\n" for i in range(LINES)) + "    return y0"
    for n in range(FUNCTIONS)
)


space = {}
exec(compile(source, "large.py", "exec"), space)
functions = [space[f"f{n}"] for n in range(FUNCTIONS)]


def run(some):
    total = 0
    for _ in range(12):
        for function in some:
            total += function(3)
    return total


run([abs])  # the loop itself is not what this is about
if workers.AFTER:
    run(functions)
workers.fork(lambda: run(functions))
