#!/usr/bin/env python3
"""Measures statements in SQL over entities of 20 fields, on Redis and on SQLite: `tests/bench/sql.py target/release/livecounter`.

Each store gets days with counts by POSTs. Then each statement is sent many times over one connection, one after the other; the median and the 95th
percentile are printed, each with the bytes of the answer.

Environment: BENCH_ENTITIES, how many entities [400 and then 10000]; BENCH_STATEMENTS, how often each statement is sent [200].
"""

import datetime
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import lists

SIZES = [int(os.environ["BENCH_ENTITIES"])] if "BENCH_ENTITIES" in os.environ else [400, 10_000]
STATEMENTS = int(os.environ.get("BENCH_STATEMENTS", "200"))
CONNECTIONS = 32

TUTORIAL = 'SELECT key AS date, page_views, requests FROM "analytics/daily" ORDER BY key DESC LIMIT 7'
ASKED = [
    ("the tutorial's", TUTORIAL),
    ("a sum over all", 'SELECT sum(page_views) AS views, max(requests) AS most FROM "analytics/daily"'),
    ("a month by its keys", 'SELECT key, page_views FROM "analytics/daily" WHERE key >= \'2025-03-01\' AND key < \'2025-04-01\''),
    ("all fields, first 100", 'SELECT * FROM "analytics/daily" LIMIT 100'),
]


def days(count):
    first = datetime.date(2025, 1, 1)
    return [(first + datetime.timedelta(days=number)).isoformat() for number in range(count)]


def fill(port, names, thread):
    with lists.connect(port) as connection:
        answers = connection.makefile("rb")
        for number in range(thread, len(names), CONNECTIONS):
            fields = {"+page_views": number, "+requests": 2 * number, "title": "a day"} | {f"+field_{other}": other for other in range(17)}
            body = json.dumps(fields).encode()
            head = f"POST /entity/analytics/daily/{names[number]} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            lists.read_answer(answers)


def ask(port, statement):
    times, body = [], b""
    with lists.connect(port) as connection:
        answers = connection.makefile("rb")
        text = statement.encode()
        head = f"POST /sql HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n\r\n".encode()
        for _ in range(STATEMENTS):
            began = time.perf_counter()
            connection.sendall(head + text)
            body = lists.read_answer(answers)
            times.append(1000 * (time.perf_counter() - began))
    times.sort()
    return f"{times[len(times) // 2]:.2f} ms, 95 % {times[len(times) * 95 // 100]:.2f} ms, {len(json.loads(body)['rows'])} rows"


def start(binary, directory, redis):
    port = lists.free_port()
    environment = {"PATH": os.environ["PATH"]}
    if redis:
        environment |= {"REDIS_URL": f"redis://127.0.0.1:{redis}", "GRIP_URL": f"http://127.0.0.1:{lists.proxy()}/"}
    log = (directory / "log").open("a")
    process = subprocess.Popen([binary, "serve", "--listen", f"127.0.0.1:{port}"], cwd=directory, env=environment, stdout=log, stderr=log)
    lists.connect(port).close()
    return process, port


def measure(binary, store, size):
    with tempfile.TemporaryDirectory() as place:
        directory, redis, server = Path(place), None, None
        if store == "Redis":
            redis = lists.free_port()
            server = subprocess.Popen(["redis-server", "--port", str(redis), "--save", ""], cwd=place, stdout=subprocess.DEVNULL)
            lists.connect(redis).close()
        process, port = start(binary, directory, redis)
        try:
            names = days(size)
            threads = [threading.Thread(target=fill, args=(port, names, thread)) for thread in range(CONNECTIONS)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            for name, statement in ASKED:
                print(f"{store}, {size} entities, {name}: {ask(port, statement)}", flush=True)
        finally:
            process.terminate()
            process.wait()
            if server:
                server.terminate()


if __name__ == "__main__":
    for entities in SIZES:
        for chosen in ["Redis", "SQLite"]:
            measure(str(Path(sys.argv[1]).resolve()), chosen, entities)
