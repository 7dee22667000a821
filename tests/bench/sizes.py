#!/usr/bin/env python3
"""Measures what one counter, page, entity and event takes, on Redis and on SQLite: `tests/bench/sizes.py target/release/livecounter`.

Each kind is imported into an empty store, and a service announces all of it. Bytes of Redis are those of `used_memory`; bytes of SQLite are those of
the file, once the service has ended.

Environment: BENCH_COUNT, how many of each kind [20000].
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lists import connect, free_port, proxy, redis_memory

COUNT = int(os.environ.get("BENCH_COUNT", "20000"))
HOUR = int(time.time()) // 3600


def past(value):
    """Every hour and day that the defaults keep, each with a value of its own."""
    hours = [[HOUR - 47 + step, value + step] for step in range(48)]
    days = [[HOUR // 24 - 59 + step, value - 12 + step] for step in range(60)]
    return {"value": value + 47, "hours": [[0, 0], *hours], "days": [[0, 0], *days]}


def counter(number):
    return {"id": f"counter-{number:07}", "value": 1000 + number}


def counter_with_past(number):
    return counter(number) | past(1000 + number)


def page(number):
    return {"page": f"www.example.com/2026/11/a-page-{number:07}", "value": 1}


def entity(fields):
    return lambda number: {
        "route": "bench/daily", "key": f"key-{number:07}", "payload": {f"field_{field}": 1000 + field for field in range(fields)}
    }


def event(number):
    # A feed keeps 1,000 events by default.
    return {"route": f"bench/log-{number // 1000:04}", "at": 1000 * int(time.time()) + number, "event": {"text": "x" * 89}}


KINDS = {
    "counter": counter,
    "counter with 48 hours and 60 days": counter_with_past,
    "page with an address of 39 bytes": page,
    "entity with one field": entity(1),
    "entity with 20 fields": entity(20),
    "event of 100 bytes": event,
}


def outbox(port):
    with connect(port) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        text = connection.makefile("rb").read().decode()
    return float(text.split("\nlivecounter_outbox_topics ")[1].split()[0])


def announce_all(binary, environment, directory):
    port = free_port()
    with (directory / "log").open("a") as log:
        command = [binary, "serve", "--listen", f"127.0.0.1:{port}"]
        process = subprocess.Popen(command, cwd=directory, env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 300
        # The first number is asked for before the service has taken up what was imported.
        time.sleep(3)
        while outbox(port) != 0:
            if time.monotonic() > deadline:
                raise SystemExit("what was imported is not announced")
            time.sleep(0.5)
    finally:
        process.terminate()
        process.wait()


def measure(binary, kind, line, redis):
    with tempfile.TemporaryDirectory() as place:
        directory, server = Path(place), None
        environment = {"PATH": os.environ["PATH"], "LIVECOUNTER__ADMIN__TALLY": "false"}
        if redis:
            port = free_port()
            command = ["redis-server", "--port", str(port), "--save", ""]
            server = subprocess.Popen(command, cwd=place, stdout=subprocess.DEVNULL)
            connect(port).close()
            environment |= {"REDIS_URL": f"redis://127.0.0.1:{port}", "GRIP_URL": f"http://127.0.0.1:{proxy()}/"}
        try:
            # What an empty service needs, its scripts among it, does not count.
            announce_all(binary, environment, directory)
            empty = redis_memory(port) if redis else 0
            lines = "".join(json.dumps(line(number)) + "\n" for number in range(COUNT))
            command = [binary, "import", "--set" if "page" not in kind else "--add"]
            subprocess.run(command, input=lines, cwd=directory, env=environment, text=True, check=True, capture_output=True)
            if redis and "page" in kind:
                # The keys by which an import is added once end after a day.
                client = f"redis-cli -p {port}"
                delete = f"{client} --scan --pattern 'lc:*:i:*' | xargs -n 500 {client} DEL"
                subprocess.run(delete, shell=True, capture_output=True, check=True)
            announce_all(binary, environment, directory)
            if redis:
                return (redis_memory(port) - empty) / COUNT
            return (directory / "livecounter.db").stat().st_size / COUNT
        finally:
            if server:
                server.terminate()
                server.wait()


if __name__ == "__main__":
    binary = str(Path(sys.argv[1]).resolve())
    for kind, line in KINDS.items():
        redis, sqlite = (measure(binary, kind, line, redis) for redis in (True, False))
        print(f"{kind}: {redis:.0f} bytes of Redis, {sqlite:.0f} of SQLite", flush=True)
