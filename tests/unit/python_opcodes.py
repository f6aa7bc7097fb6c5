# SPDX-License-Identifier: MIT
"""Prints "number name" for each bytecode instruction of this interpreter, as scripts/gen-opcodes asks for them."""
import opcode

ops = dict(opcode.opmap)
try:
    import _opcode_metadata
    ops.update(_opcode_metadata._specialized_opmap)
except ImportError:
    free = (n for n in range(1, 256) if n not in set(ops.values()) | {255})
    for name in getattr(opcode, "_specialized_instructions", ()):
        ops[name] = next(free)
for name, number in ops.items():
    if 0 < number < 256:
        print(number, name)
