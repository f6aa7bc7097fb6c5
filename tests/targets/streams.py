# SPDX-License-Identifier: MIT
"""Prints its arguments, environment variable MARK, and standard input in upper case."""
import os
import sys

sys.stdout.write(f"{sys.argv[1:]} {os.environ.get('MARK')} {sys.stdin.read().upper()}")
sys.stdout.flush()
sys.stderr.write("to standard error\n")
