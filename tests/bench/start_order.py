#!/usr/bin/env python3
"""Writes src/start.ld, the list of functions that an idle process has run: `make start-order`.

The linker puts these functions beside each other (build.rs), so that an idle process maps few pages of the program. The service is
built with the names of its functions and started under callgrind, with a new SQLite file. It answers POST and GET of a counter, holds
a stream, and is idle for two seconds. Each function that ran until then is in the list. The list has no hashes in its names, so that it outlives changes of the functions; a
name that the program does not have any more does no harm, and a function that is missing costs up to 64 KiB of an idle process.

Where most of a module runs at the start, its prefix stands for all of its functions: a line may cost LINE bytes of functions that do
not run. SQLite and mimalloc are in the list as a whole, as their functions have no prefixes.

Usage: start_order.py [BINARY]

BINARY is a release binary with symbols; without it, one is built in target/symbols.
"""

import bisect
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIST = ROOT / "src" / "start.ld"
LINE = 2000
# At how many places the name of an implementation may be cut.
SPLITS = 16
# The service needs about 2 s under callgrind; the rest is for a busy machine.
START_SECONDS = 60
HEAD = """/* The functions that an idle process has run, beside each other. Written by tests/bench/start_order.py (`make start-order`);
   build.rs gives it to the linker. See docs/decisions/0067-code-of-an-idle-process-side-by-side.md. */
SECTIONS
{
  .text :
  {
    *sqlite3_sys*:*(.text .text.*)
    *mimalloc_sys*:*(.text .text.*)
"""
TAIL = """  }
}
INSERT BEFORE .init;
"""


class Node:
    """A part of the names: how many bytes of functions begin with it, and whether any of them ran."""

    def __init__(self):
        self.children, self.bytes, self.ran = {}, 0, False

    def lines(self, prefix):
        """The price of the cheapest lines that cover all functions below that ran, and these lines."""
        if not self.ran:
            return 0, []
        whole = self.bytes + LINE
        if not self.children:
            return whole, [prefix]
        parts = [child.lines(prefix + part) for part, child in self.children.items()]
        price = sum(part[0] for part in parts)
        if whole <= price and prefix not in ("", "_ZN", "_R"):
            return whole, [prefix + "*"]
        return price, [line for part in parts for line in part[1]]


def build():
    """Builds a release binary with symbols, and returns its path."""
    command = ["cargo", "build", "--locked", "--release", "--bin", "livecounter", "--target-dir", "target/symbols"]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "CARGO_PROFILE_RELEASE_STRIP": "none"})
    return ROOT / "target" / "symbols" / "release" / "livecounter"


def addresses(binary):
    """The addresses of all instructions of the binary that ran before the process was idle."""
    with tempfile.TemporaryDirectory(dir=ROOT / "target") as directory, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        environment = {"PATH": os.environ["PATH"], "RUST_LOG": "warn", "LIVECOUNTER__WORKERS": "1"}
        environment["LIVECOUNTER__LISTEN"] = f"127.0.0.1:{port}"
        callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=counts", "--dump-instr=yes", "--dump-line=no"]
        callgrind += ["--compress-strings=no", "--compress-pos=no", binary]
        with subprocess.Popen(callgrind, cwd=directory, env=environment) as process:
            try:
                wait_until_ready(port)
                for method in ["POST", "GET"] * 3:
                    ask(port, method, "/counters/1/").close()
                with ask(port, "GET", "/counters/1/", "Accept: text/event-stream"):
                    ask(port, "POST", "/counters/1/").close()
                    time.sleep(2)
                    subprocess.run(["callgrind_control", "--dump", str(process.pid)], check=True, stdout=subprocess.DEVNULL)
                counts = (Path(directory) / "counts.1").read_text()
            finally:
                process.kill()
    ours, found = False, set()
    for line in counts.splitlines():
        if line.startswith("ob="):
            ours = line.endswith(f"/{binary.name}")
        elif ours and line.startswith("0x"):
            found.add(int(line.split()[0], 16))
    return found


def ask(port, method, path, *fields):
    """Sends a request, and returns its connection when the beginning of the answer is there."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall("\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *fields, "", ""]).encode())
    answer = connection.recv(4096)
    if b" 200 " not in answer:
        sys.exit(f"start_order: {method} {path} was answered with {answer}")
    return connection


def wait_until_ready(port):
    """Asks until the service is ready."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            return ask(port, "GET", "/readyz").close()
        except OSError:
            time.sleep(0.1)
    sys.exit("start_order: the service did not start")


def functions(binary):
    """Address, size and name of each function of Rust, by address."""
    symbols = subprocess.run(["nm", "--print-size", "--defined-only", binary], check=True, stdout=subprocess.PIPE, text=True).stdout
    fields = [line.split(" ") for line in symbols.splitlines()]
    return sorted((int(f[0], 16), int(f[1], 16), f[3]) for f in fields if len(f) == 4 and f[2] in "tTwW")


def parts(name):
    """The parts of a mangled name, without its hashes: the crate first, then its modules, then the function."""
    if name.startswith("_R"):
        return ["_R", re.sub(r"\.\d+$", "*", re.sub(r"Cs[0-9A-Za-z]+_", "Cs*_", name[2:]))]
    name, found = re.sub(r"17h[0-9a-f]{16}E.*$", "17h*", name), ["_ZN"]
    at = 3
    while length := re.match(r"\d+", name[at:]):
        end = at + len(length[0]) + int(length[0])
        if name.startswith("17h*", at):
            break
        # A part of an implementation's name ends before "..", "$LT$" and the like.
        found += re.split(r"(?=\.\.|\$)", name[at:end], maxsplit=SPLITS)
        at = end
    return [*found, name[at:]]


def main():
    binary = Path(sys.argv[1]).resolve() if sys.argv[1:] else build()
    ran = addresses(binary)
    known = functions(binary)
    starts = [address for address, _, _ in known]
    ran = {bisect.bisect_right(starts, address) - 1 for address in ran}
    root = Node()
    for index, (_, size, name) in enumerate(known):
        if not name.startswith(("_R", "_ZN")):
            continue
        node = root
        for part in parts(name):
            node = node.children.setdefault(part, Node())
            node.bytes += size
            node.ran |= index in ran
        root.ran = True
    _, lines = root.lines("")
    # Between ".text." and the name, the section of a function may say that it is unlikely to run.
    text = [f"    *(.text.*{line})\n" for line in sorted(set(lines))]
    LIST.write_text(HEAD + "".join(text) + TAIL)
    print(f"{len(text)} lines for {sum(known[index][1] for index in ran):,} bytes of functions")


if __name__ == "__main__":
    main()
