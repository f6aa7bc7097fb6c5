# SPDX-License-Identifier: MIT
"""Modules that the workers import, or that are there when they are forked."""
import workers


def work():
    import asyncio
    import email.message
    import http.server
    import unittest.mock
    import xml.dom.minidom

    modules = (asyncio, email.message, http.server, unittest.mock, xml.dom.minidom)
    return [module.__name__ for module in modules]


if workers.AFTER:
    work()
workers.fork(work)
