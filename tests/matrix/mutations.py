# SPDX-License-Identifier: MIT
"""What a program changes: items of a list, values of a dict, attributes."""
import place
import truth

PER_PAGE = truth.PAGE // 8
SLOTS = 700
WRITTEN = 600  # a slot that is more than a page away from the reference count, and its neighbours empty


class Wide:
    __slots__ = ["slot_%d" % i for i in range(SLOTS)]


def set_items(numbers, items):
    for i in numbers:
        items[i] = True  # line: list item


def set_values(keys, table):
    for key in keys:
        table[key] = True  # line: dict value


def set_attributes(objects):
    for item in objects:
        item.slot_600 = True  # line: attribute


def list_items():
    items = [None] * (PER_PAGE * 32)
    numbers = [PER_PAGE * i for i in range(1, 30)]
    set_items([0], items)
    place.cell("mutation list item", lambda: set_items(numbers, items), expected=29)


def dict_values():
    """An entry is 24 bytes: 400 entries are more than two pages."""
    table = dict.fromkeys(range(400 * 25))
    keys = list(range(400, 400 * 24, 400))

    def work():
        table[0] = True  # the dict itself is written here
        set_values(keys, table)

    set_values([], table)

    place.cell("mutation dict value", work, expected=23)


def attributes():
    made = [Wide() for _ in range(200)]
    hit = 16 + 8 * sorted(Wide.__slots__).index("slot_%d" % WRITTEN)
    chosen, pages = place.choose(made, 19, (hit, hit + 24), place.REFS,
                                 [Wide, Wide.__mro__, *vars(Wide).values()],
                                 None if place.FREE_THREADED else place.covered(made))
    set_attributes([])
    place.cell("mutation attribute", lambda: set_attributes(chosen), pages)


place.main(list_items, dict_values, attributes)
