# SPDX-License-Identifier: MIT
"""What is asked of web.py."""
import generate

PRODUCTS = 40000


def url(number):
    """What the n-th request asks for."""
    if number % 10 == 0:
        return "/search", "word=%s&least=%d" % (generate.WORDS[number % len(generate.WORDS)], number % 7 * 100)
    if number % 10 == 5:
        return "/category/" + generate.CATEGORIES[number % 10], "first=%d" % (number * 811 % PRODUCTS)
    return "/product/%d" % (number * 7919 % PRODUCTS), ""
