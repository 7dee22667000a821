#!/usr/bin/env python3
"""Counts the instructions that the service executes for each request, with callgrind: `make instructions`.

For each kind of request the service is started twice, with one worker and a new SQLite file. The client sends its requests one after
the other on one connection, and more of them in the second run. The difference between the two runs belongs to the requests that only
the second run sends: the start, the creation of the counters and the end are in both. "GET hold" includes a connection for each
request, as the service ends the connection behind a request that a proxy has signed.

Counts repeat within 1 %, also on a busy machine; those of "POST spread" within 4 %, as timers of the announcer take part.

"POST body" says in a body what is added; "entity" adds 1 to a field of one entity or of many, "drop" by the resource of that name; "feed" appends an
event.

"hit" is a page that is counted: its answer as digits, and as a badge ("tag") of one page or of many; with "visitors" each request is
that of a new visitor, who is counted once in a minute; with "uniques" the different visitors of the site are counted, too: the same
visitor each time, or a new one each time ("new").

"tally" is no request: it is what a second with requests costs more where the service records its own traffic (`admin.tally`), at
40 POSTs a second, as the seconds of a run at full speed depend on the machine.

Usage: instructions.py [BINARY...]

Without BINARY, the release binary is built and measured. With several, for example of the versions before and after a change, each
gets a column. Environment: BENCH_REQUESTS, how many requests the second run sends in addition [2000]; BENCH_KINDS, only kinds whose
names contain one of these words, separated by commas.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEY = "bench-0123456789-bench-0123456789"
COUNTERS = 500
# Every counter of "POST spread" is created and changed once more before the requests that count.
BEFORE = 2 * COUNTERS
# The pace of "tally", and how many seconds its two runs take.
PER_SECOND = 40
SECONDS = (2, 22)
# The service needs about 2 s under callgrind; the rest is for a busy machine.
START_SECONDS = 60


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def signature():
    """A value of Grip-Sig as Pushpin signs it, valid for an hour."""
    header = encoded(json.dumps({"typ": "JWT", "alg": "HS256"}).encode())
    claims = encoded(json.dumps({"iss": "pushpin", "exp": int(time.time()) + 3600}).encode())
    signed = header + b"." + claims
    return (signed + b"." + encoded(hmac.digest(KEY.encode(), signed, hashlib.sha256))).decode()


def request(method, target, *fields, body=""):
    length = [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: localhost", *fields, *length, "", body]).encode()


def message(method, counter, *fields, body=""):
    return request(method, f"/counters/{counter}/", *fields, body=body)


def hit(path, page):
    return request("GET", f"{path}?url=www.example.com/{page}")


def drop(**members):
    """One field is added to of an entity, or an event is appended to a feed."""
    return request("POST", "/drop", "Content-Type: application/json", body=json.dumps(members))


def kinds():
    """Each kind of request: name, settings of the service, messages that are sent in turn, a part that each answer contains."""
    # A GET publishes nothing, so that no proxy needs to listen at this address.
    proxy = {"GRIP_URL": f"http://127.0.0.1:9/?verify-iss=pushpin&verify-key={KEY}"}
    every_hit = {"LIVECOUNTER__HITS__WINDOW": "0s"}
    uniques = {**every_hit, "LIVECOUNTER__HITS__UNIQUES": "true"}
    uniques["LIVECOUNTER__TRUSTED_PROXIES"] = "127.0.0.1"
    addresses = [f"X-Forwarded-For: 10.0.{number // 200}.{number % 200}" for number in range(10000)]
    visitors = [request("GET", "/count?url=www.example.com/hot", address) for address in addresses]
    held = ["Accept: text/event-stream", f"Grip-Sig: {signature()}"]
    return [
        ("POST hot", {}, [message("POST", "hot")], b"HTTP/1.1 200 OK\r\n"),
        ("POST spread", {}, [message("POST", f"c{number}") for number in range(COUNTERS)], b"HTTP/1.1 200 OK\r\n"),
        ("POST body", {}, [message("POST", "hot", body='{"by":1}')], b"HTTP/1.1 200 OK\r\n"),
        ("entity", {}, [request("POST", "/entity/bench/daily/hot", body='{"+views":1}')], b"HTTP/1.1 200 OK\r\n"),
        ("entity, drop", {}, [drop(route="bench/daily", key="hot", payload={"+views": 1})], b"HTTP/1.1 200 OK\r\n"),
        ("entity, spread", {}, [request("POST", f"/entity/bench/daily/k{number}", body='{"+views":1}') for number in range(COUNTERS)], b"HTTP/1.1 200 OK\r\n"),
        ("feed", {}, [drop(route="bench/events", payload={"page": "/pricing", "from": "www.example.com"})], b"HTTP/1.1 200 OK\r\n"),
        ("GET plain", {}, [message("GET", "hot")], b"\r\n\r\n0\n"),
        ("GET hold", proxy, [message("GET", "hot", *held)], b"\r\ngrip-hold: stream\r\n"),
        ("hit", every_hit, [hit("/count", "hot")], b"HTTP/1.1 200 OK\r\n"),
        ("hit, tag", every_hit, [hit("/count/tag.svg", "hot")], b"HTTP/1.1 200 OK\r\n"),
        ("hit, tag, spread", every_hit, [hit("/count/tag.svg", number) for number in range(COUNTERS)], b"HTTP/1.1 200 OK\r\n"),
        ("hit, tag, visitors", {}, [hit("/count/tag.svg", "hot")], b"\r\nset-cookie: "),
        ("hit, uniques", uniques, [hit("/count", "hot")], b"HTTP/1.1 200 OK\r\n"),
        ("hit, uniques, new", uniques, visitors, b"HTTP/1.1 200 OK\r\n"),
        ("tag", {}, [hit("/nocount/tag.svg", "hot")], b"HTTP/1.1 200 OK\r\n"),
        ("home", {}, [request("GET", "/")], b"HTTP/1.1 200 OK\r\n"),
    ]


def start(binary, directory, settings):
    """Starts the service under callgrind; returns the process and the address where it serves."""
    environment = {
        "PATH": os.environ["PATH"],
        "RUST_LOG": "info",
        "LIVECOUNTER__WORKERS": "1",
        **settings,
    }
    callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=counts", binary, "serve", "--listen", "127.0.0.1:0"]
    log = directory / "log"
    with log.open("w") as output:
        process = subprocess.Popen(callgrind, cwd=directory, env=environment, stdout=output, stderr=output)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        serving = re.search(r"serving http://([0-9.]+):(\d+)/", log.read_text())
        if serving:
            return process, (serving[1], int(serving[2]))
        time.sleep(0.1)
    process.kill()
    process.wait()
    sys.exit(f"instructions: the service did not start:\n{log.read_text()}")


def send(address, messages, expected, count, per_second=None):
    """Sends so many requests, each when the one before has been answered, and no faster than `per_second`; connects anew when the service
    ends the connection."""
    connection, begin = None, time.monotonic()
    for number in range(count):
        if per_second:
            time.sleep(max(0, begin + number / per_second - time.monotonic()))
        connection = connection or socket.create_connection(address, timeout=30)
        connection.sendall(messages[number % len(messages)])
        answer = read(connection)
        if expected not in answer:
            sys.exit(f"instructions: an answer is not as expected: {answer}")
        if b"\r\nconnection: close\r\n" in answer.lower():
            connection.close()
            connection = None
    if connection:
        connection.close()


def read(connection):
    """One answer, head and body."""
    answer = b""
    while True:
        head, end, body = answer.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if end and len(body) >= (int(length[1]) if length else 0):
            return answer
        received = connection.recv(65536)
        if not received:
            sys.exit(f"instructions: the service ended the connection after {answer}")
        answer += received


def run(binary, settings, messages, expected, count, per_second=None):
    """The instructions of a whole run of the service, from its start to its end."""
    # On the disk that the build uses: a temporary directory may be in memory.
    with tempfile.TemporaryDirectory(dir=ROOT / "target") as name:
        directory = Path(name)
        process, address = start(binary, directory, settings)
        try:
            send(address, messages, expected, count, per_second)
            process.terminate()
            process.wait(timeout=60)
        finally:
            process.kill()
            process.wait()
        counts = (directory / "counts").read_text()
        return int(re.search(r"^(?:summary|totals): (\d+)", counts, re.MULTILINE)[1])


def tally(binary):
    """The instructions of the tally in each second that has requests."""

    def second(tally):
        kind = {"LIVECOUNTER__ADMIN__TALLY": tally}, [message("POST", "hot")], b"HTTP/1.1 200 OK\r\n"
        few, many = (run(binary, *kind, PER_SECOND * seconds, PER_SECOND) for seconds in SECONDS)
        return (many - few) // (SECONDS[1] - SECONDS[0])

    return second("true") - second("false")


def build():
    """Builds the release binary of this directory, and returns its path."""
    subprocess.run(["cargo", "build", "--locked", "--release", "--bin", "livecounter"], cwd=ROOT, check=True)
    metadata = ["cargo", "metadata", "--format-version", "1", "--no-deps", "--offline"]
    metadata = subprocess.run(metadata, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    return Path(json.loads(metadata)["target_directory"]) / "release" / "livecounter"


def main():
    if not shutil.which("valgrind"):
        sys.exit("instructions: valgrind is not installed: apt-get install valgrind")
    requests = int(os.environ.get("BENCH_REQUESTS") or 2000)
    binaries = [Path(name).resolve() for name in sys.argv[1:]] or [build()]
    (ROOT / "target").mkdir(exist_ok=True)
    words = (os.environ.get("BENCH_KINDS") or "").split(",")
    print("| instructions per request |" + "".join(f" {binary.name} |" for binary in binaries))
    print("|---|" + "---|" * len(binaries))
    for name, *kind in kinds():
        if not any(word in name for word in words):
            continue
        print(f"| {name} |", end="", flush=True)
        for binary in binaries:
            additional = run(binary, *kind, BEFORE + requests) - run(binary, *kind, BEFORE)
            print(f" {additional // requests:,} |", end="", flush=True)
        print()
    if any(word in "tally" for word in words):
        print("| tally, a second |" + "".join(f" {tally(binary):,} |" for binary in binaries))


if __name__ == "__main__":
    main()
