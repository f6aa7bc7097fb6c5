# SPDX-License-Identifier: MIT
"""Free pymalloc blocks of shared pages, handed out in the child.

The parent fills pools with blocks of 512 bytes, then frees one block in each of 54 pools: 53 blocks that
lie on another page than their pool's header, and one on the page of the header. So the child's 54
allocations write 54 + 53 = 107 pages, all of them pymalloc's. Up to 3.9 a pool is one page: 53 pools.
"""
import gc
import sys

import truth

SMALL_POOLS = sys.version_info < (3, 10)
POOL = truth.PAGE if SMALL_POOLS else 16384
POOLS = 53 if SMALL_POOLS else 54
PER_POOL = (POOL - 48) // 512
SIZE = 470  # a bytes object of 503 bytes: the largest size class


def warm_up(source, out):
    # All that allocate() does too but for the blocks that are counted: numbers, slices, inline caches.
    for i in range(POOLS):
        out[i] = source[i : i + SIZE - 300]


def allocate(source, out):
    for i in range(POOLS):
        out[i] = source[i : i + SIZE]  # line: allocate


def victims(blocks):
    """One index of blocks in each of POOLS full pools."""
    pools = {}
    for i, block in enumerate(blocks):
        pools.setdefault(id(block) // POOL, []).append(i)
    full = [members for members in pools.values() if len(members) == PER_POOL]
    chosen = []
    for members in full[:POOLS]:
        for i in members:
            in_header_page = id(blocks[i]) % POOL < truth.PAGE
            crosses = id(blocks[i]) // truth.PAGE != (id(blocks[i]) + 511) // truth.PAGE
            if (in_header_page == (not chosen) or SMALL_POOLS) and not crosses:
                chosen.append(i)
                break
    return chosen


def spare(blocks, chosen):
    """Another block on the page of blocks[chosen]."""
    page = truth.page_of(id(blocks[chosen]))
    return next(i for i, b in enumerate(blocks) if i != chosen and truth.page_of(id(b)) == page)


def main():
    gc.disable()
    source = bytes(SIZE + POOLS)
    blocks = [source[i % POOLS : i % POOLS + SIZE] for i in range(PER_POOL * 200)]
    chosen = victims(blocks)
    assert len(chosen) == POOLS, "too few full pools"
    addresses = [id(blocks[i]) for i in chosen]
    pages = sorted(
        {a // POOL * POOL // truth.PAGE for a in addresses} | {truth.page_of(a) for a in addresses}
    )
    out, small = [None] * POOLS, [None] * POOLS
    before = truth.frames(pages)
    # The pool of the first block is the last to be used again. It keeps a free block: a pool that
    # becomes full would be unlinked from its neighbour, and so write to one more page.
    blocks[spare(blocks, chosen[0])] = None
    for i in chosen:
        blocks[i] = None

    def work():
        warm_up(source, small)
        allocate(source, out)
        handed_out = {id(x) for x in out} == set(addresses)
        return {
            "expected": len(pages),
            "changed": truth.changed(before, pages),
            "handed_out": handed_out,
        }

    truth.child(work)


main()
