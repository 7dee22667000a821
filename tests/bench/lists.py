#!/usr/bin/env python3
"""Measures lists and rankings of many counters, on Redis and on SQLite: `tests/bench/lists.py target/release/livecounter`.

Each store gets new counters by PUTs, with values of their own. Then the service is started again, and each page is read several times; the least
and the greatest time are printed. "top 10" is read each time from the store: the script waits until the service has dropped its
kept answer. Bytes of Redis are those of `used_memory` for each counter, with the names, once all changes are announced.

Environment: BENCH_COUNTERS, how many counters [100000].
"""

import http.server
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

COUNTERS = int(os.environ.get("BENCH_COUNTERS", "100000"))
CONNECTIONS = 64
READS = 7


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def connect(port):
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=60)
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server does not answer")


def set_all(port, key, thread):
    with connect(port) as connection:
        answers = connection.makefile("rb")
        for number in range(thread, COUNTERS, CONNECTIONS):
            # A different value for most counters, in no order.
            body = b'{"value":%d}' % (number * 7919 % 100003)
            head = f"PUT /counters/n{number}/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            read_answer(answers)


def read_answer(answers):
    status, length = answers.readline(), 0
    while (line := answers.readline()) != b"\r\n":
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    body = answers.read(length)
    if b" 200 " not in status:
        raise SystemExit(f"{status} {body}")
    return body


class Proxy(http.server.BaseHTTPRequestHandler):
    """A proxy without listeners: it takes what is published."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


def proxy():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def start(binary, directory, redis):
    secret = subprocess.run([binary, "key", "new", "bench", "--scope", "manage:"], check=True, capture_output=True, text=True)
    key = next(word for word in (secret.stdout + secret.stderr).split() if word.startswith("lc_"))
    keys = next(text[text.index("[[keys]]"):] for text in (secret.stdout, secret.stderr) if "[[keys]]" in text)
    keys = keys.replace(key, "")
    port = free_port()
    environment = {"PATH": os.environ["PATH"], "LIVECOUNTER__KEYS": keys}
    if redis:
        environment |= {"REDIS_URL": f"redis://127.0.0.1:{redis}", "GRIP_URL": f"http://127.0.0.1:{proxy()}/"}
    log = (directory / "log").open("a")
    process = subprocess.Popen([binary, "serve", "--listen", f"127.0.0.1:{port}"], cwd=directory, env=environment, stdout=log, stderr=log)
    connect(port).close()
    return process, port, key


def timed(port, key, path, pause=0.0):
    times = []
    for _ in range(READS):
        time.sleep(pause)
        with connect(port) as connection:
            began = time.monotonic()
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
            body = read_answer(connection.makefile("rb"))
            times.append(1000 * (time.monotonic() - began))
    return f"{min(times):.1f} to {max(times):.1f} ms, {len(body):,} bytes"


def redis_memory(port):
    answer = subprocess.run(["redis-cli", "-p", str(port), "INFO", "memory"], check=True, capture_output=True, text=True).stdout
    return int(answer.split("used_memory:")[1].split()[0])


def measure(binary, name):
    with tempfile.TemporaryDirectory() as place:
        directory, redis, server = Path(place), None, None
        if name == "Redis":
            redis = free_port()
            server = subprocess.Popen(["redis-server", "--port", str(redis), "--save", ""], cwd=place, stdout=subprocess.DEVNULL)
            connect(redis).close()
            empty = redis_memory(redis)
        process, port, key = start(binary, directory, redis)
        try:
            threads = [threading.Thread(target=set_all, args=(port, key, thread)) for thread in range(CONNECTIONS)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            time.sleep(30 if redis else 5)
            if redis:
                print(f"{name}: {(redis_memory(redis) - empty) / COUNTERS:.0f} bytes for each counter")
            process.terminate()
            process.wait()
            if not redis:
                size = sum(file.stat().st_size for file in directory.iterdir() if ".db" in file.name)
                print(f"{name}: {size / COUNTERS:.0f} bytes for each counter")
            process, port, key = start(binary, directory, redis)
            for path in ["/counters/?limit=100", "/counters/?limit=1000", "/counters/?limit=100&after=n5", "/counters/?prefix=n99&limit=100"]:
                print(f"{name}: {path}: {timed(port, key, path)}")
            for path in ["/counters/?sort=-value&limit=10", "/counters/?sort=-value&limit=1000"]:
                print(f"{name}: {path}: {timed(port, key, path, pause=8)}")
            print(f"{name}: kept: {timed(port, key, '/counters/?sort=-value&limit=10')}")
        finally:
            process.terminate()
            if server:
                server.terminate()


if __name__ == "__main__":
    for store in ["Redis", "SQLite"]:
        measure(str(Path(sys.argv[1]).resolve()), store)
