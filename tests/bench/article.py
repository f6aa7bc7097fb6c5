# SPDX-License-Identifier: MIT
"""article.py ITEMS CHILDREN: the article's list, looped over once by each of some forked children, one after the other.
Prints, as JSON, how many seconds each loop took."""
import gc
import json
import os
import sys
import time


class BigApp:
    def __init__(self, items):
        self.big_data = [item for item in range(items)]

    def loop(self):
        start = time.perf_counter()
        for _ in self.big_data:
            pass
        return time.perf_counter() - start


gc.disable()
app = BigApp(int(sys.argv[1]))
seconds = []
for _ in range(int(sys.argv[2])):
    back, out = os.pipe()
    if os.fork() == 0:
        os.write(out, json.dumps(app.loop()).encode())
        os._exit(0)
    os.close(out)
    seconds.append(json.loads(os.read(back, 100).decode()))
    os.close(back)
    os.wait()
print(json.dumps({"seconds": seconds}))
