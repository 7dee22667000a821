#!/usr/bin/env python3
"""Measures the lists of pages and sites with the most hits, on Redis and on SQLite: `tests/bench/top_hits.py target/release/livecounter`.

Each store imports pages with values of their own, on a tenth as many sites. Then the service is started, announces them all where a proxy is, and
each list is read several times from the store: the script waits until the service has dropped its kept answer. The least and the
greatest time are printed. Bytes of Redis are those of `used_memory` for each page with its address, and its part of its site.

Environment: BENCH_PAGES, how many pages [100000].
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import lists

PAGES = int(os.environ.get("BENCH_PAGES", "100000"))


def lines():
    sites = PAGES // 10
    for number in range(PAGES):
        # A different value for most pages, in no order.
        yield f'{{"page":"site{number % sites}.example/articles/{number}","value":{number * 7919 % 100003 + 1}}}\n'


def fill(binary, directory, environment):
    (directory / "pages.ndjson").write_text("".join(lines()))
    began = time.monotonic()
    subprocess.run([binary, "import", "--add", "pages.ndjson"], cwd=directory, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def measure(binary, name):
    with tempfile.TemporaryDirectory() as place:
        directory, redis, server = Path(place), None, None
        environment = {"PATH": os.environ["PATH"]}
        if name == "Redis":
            redis = lists.free_port()
            server = subprocess.Popen(["redis-server", "--port", str(redis), "--save", ""], cwd=place, stdout=subprocess.DEVNULL)
            lists.connect(redis).close()
            empty = lists.redis_memory(redis)
            environment |= {"REDIS_URL": f"redis://127.0.0.1:{redis}", "GRIP_URL": f"http://127.0.0.1:{lists.proxy()}/"}
        process = None
        try:
            print(f"{name}: imported in {fill(binary, directory, environment):.0f} s", flush=True)
            if not redis:
                size = sum(file.stat().st_size for file in directory.iterdir() if ".db" in file.name)
                print(f"{name}: {size / PAGES:.0f} bytes for each page")
            process, port, key = lists.start(binary, directory, redis)
            time.sleep(60 if redis else 5)
            if redis:
                print(f"{name}: {(lists.redis_memory(redis) - empty) / PAGES:.0f} bytes for each page")
            for path in ["/nocount/top?of=pages", "/nocount/top?of=sites"]:
                print(f"{name}: {path}: {lists.timed(port, key, path, pause=15 if redis else 2)}", flush=True)
                print(f"{name}: {path}, kept: {lists.timed(port, key, path)}", flush=True)
        finally:
            if process:
                process.terminate()
                process.wait()
            if server:
                server.terminate()


if __name__ == "__main__":
    for store in ["Redis", "SQLite"]:
        measure(str(Path(sys.argv[1]).resolve()), store)
