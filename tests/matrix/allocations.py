# SPDX-License-Identifier: MIT
"""Free memory of shared pages that is handed out, and memory of shared pages that is given back."""
import place
import truth

POOL = truth.PAGE if place.SMALL_POOLS else 16384
BLOCK = 320  # of a size class of pymalloc that no frame of 3.8 to 3.10 has here
PER_POOL = (POOL - 48) // BLOCK
POOLS = 53 if place.SMALL_POOLS else 54  # 53 pages, or 54 + 53
SIZE = BLOCK - 42 - (24 if place.DEBUG else 0)  # bytes(SIZE) fills such a block; debug builds put 24 bytes around


def hand_out(source, out):
    for i in range(POOLS):
        out[i] = source[i : i + SIZE]  # line: pymalloc


def give_back(held):
    held.clear()  # line: free


def victims(blocks):
    """One index of blocks in each of POOLS full pools: of a block that does not share the page of the
    pool's header, but for the first (where a pool is one page, all do)."""
    pools = {}
    for i, block in enumerate(blocks):
        pools.setdefault(id(block) // POOL, []).append(i)
    full = [members for members in pools.values() if len(members) == PER_POOL]
    chosen = []
    for members in full[len(full) - POOLS - 20 :][:POOLS]:
        for i in members:
            in_header_page = id(blocks[i]) % POOL < truth.PAGE
            crosses = len(place.pages_of(id(blocks[i]), (-16, BLOCK))) > 1
            if (in_header_page == (not chosen) or POOL == truth.PAGE) and not crosses:
                chosen.append(i)
                break
    return chosen


def spare(blocks, chosen):
    """Another block on the page of blocks[chosen]."""
    page = truth.page_of(id(blocks[chosen]))
    return next(i for i, b in enumerate(blocks) if i != chosen and truth.page_of(id(b)) == page)


def pymalloc():
    source = bytes(SIZE + POOLS)
    blocks = [source[i % POOLS : i % POOLS + SIZE] for i in range(PER_POOL * 200)]
    chosen = victims(blocks)
    assert len(chosen) == POOLS, "too few full pools"
    addresses = [id(blocks[i]) for i in chosen]
    headers = {a // POOL * POOL // truth.PAGE for a in addresses}
    pages = sorted(headers | {truth.page_of(a) for a in addresses})
    out, small = [None] * POOLS, [None] * POOLS
    # The pool of the first block is the last to be used again. It keeps a free block: a pool that
    # becomes full would be unlinked from its neighbour, and so write to one more page.
    blocks[spare(blocks, chosen[0])] = None
    for i in chosen:
        blocks[i] = None
    place.keep(blocks)

    def work():
        for i in range(POOLS):  # numbers and slices, which are not counted
            small[i] = source[i : i + SIZE - 150]
        hand_out(source, out)
        assert {id(x) for x in out} == set(addresses), "other blocks were handed out"

    place.cell("allocator pymalloc", work, pages)


def malloc():
    """23 chunks of 8 kB, each with neighbours that stay: freeing one marks it so in the chunk behind it,
    which begins on another page than its own reference count."""
    made = [bytes(8000) for _ in range(400)]
    step = min(id(b) - id(a) for a, b in zip(made, made[1:]) if id(b) > id(a))
    # Between two others; no two of them are neighbours.
    inner = [i for i in range(1, 399, 2) if id(made[i + 1]) - id(made[i - 1]) == 2 * step]
    held, pages = place.choose([made[i] for i in inner], 23, (step - 16, step), place.REFS)
    chosen = {id(x) for x in held}
    truth.MISFITS.pop()  # else they would not be free when the list is emptied
    place.keep([x for x in made if id(x) not in chosen])
    del made
    give_back([])
    place.cell("allocator malloc", lambda: give_back(held), pages)


def hand_out_blocks(source, parts, numbers, out):
    for i in numbers:  # slices and numbers that are there already: these are blocks too
        out[i] = source[parts[i]]  # line: mimalloc


def mimalloc():
    """53 free blocks of as many pages, which the heap of the thread hands out one after the other."""
    source = bytes(SIZE + POOLS)
    blocks = [source[i % POOLS : i % POOLS + SIZE] for i in range(20_000)]
    chosen, _ = place.choose(blocks, 59, (0, BLOCK))
    addresses = {id(x) for x in chosen}
    truth.MISFITS.pop()
    place.keep([x for x in blocks if id(x) not in addresses])
    out = [None] * 53
    numbers = list(range(53))
    parts = [slice(i, i + SIZE) for i in numbers]
    hand_out_blocks(source, parts, numbers[:1], [None])
    del blocks, chosen
    used = [None]  # what was free before is handed out first
    while used[-1] is None or id(used[-1]) not in addresses:
        used.append(source[1 : 1 + SIZE])

    def work():
        hand_out_blocks(source, parts, numbers, out)
        assert all(id(x) in addresses for x in out), "other blocks were handed out"

    place.cell("allocator mimalloc", work, expected=53)


place.main(*([mimalloc] if place.FREE_THREADED else [pymalloc, malloc]))
