#!/usr/bin/env python3
"""Measures what a page view costs a visitor, in requests and bytes on the wire: `tests/bench/page_view.py target/release/livecounter`.

A page of another site shows a number, each time in another way. Chromium opens it with an empty cache (cold), then again in the same tab
(warm). A relay in front of the service counts the requests, and the bytes in both directions with their headers, over HTTP/1.1,
until nothing has come for a second and a half. The page itself is not counted.

Other services' scripts are not part of this project: `--goatcounter FILE` measures GoatCounter's count.js, `--busuanzi FILE` busuanzi's
script. The relay answers those files compressed, and GoatCounter's own requests with the least that its server sends; the service
answers those of busuanzi.

Needs Debian's chromium and chromium-driver. Environment: BENCH_SHOW, if set, the requests are printed, too.
"""

import argparse
import gzip
import json
import os
import re
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import lists

# Names that are not of this machine: the element counts no visit of a page on it. What a browser offers over TLS, it offers here, too.
SITE, SERVICE = "http://blog.example", "http://counters.example"
QUIET_SECONDS = 1.5
MOST_SECONDS = 20
HEAD = "<!doctype html><html lang=en><title>a page</title><link rel=icon href=data:,>"
MODULE = f'<script type=module src="{SERVICE}/live-counter.js"></script>'
EVENT_SOURCE = f"""<b id=views></b><script>
const url = "{SERVICE}/counters/plain/";
new EventSource(url).onmessage = ({{ data }}) => (views.textContent = data);
fetch(url, {{ method: "POST" }});
</script>"""
BUSUANZI = '<span id="busuanzi_container_page_pv"><span id="busuanzi_value_page_pv"></span></span>'
GOATCOUNTER = f'<script data-goatcounter="{SERVICE}/goat-count" async src="{SERVICE}/count.js"></script>'
SHOWN = "<script>addEventListener('load', () => goatcounter.visit_count({ append: 'body', type: 'svg' }))</script>"
# 43 bytes, as the smallest picture has them; and a picture of a number.
GIF, NUMBER = b"GIF89a" + b"\0" * 37, b'<svg xmlns="http://www.w3.org/2000/svg" width="200" height="60"><text y="30">1</text></svg>'


def ways(arguments):
    """Each way to show a number: its name, what it does, the body of the page, an expression that is true once the number shows."""
    text = "document.querySelector('{}').textContent.trim() !== ''"
    picture = "[...document.images].every((image) => image.complete && image.naturalWidth > 0) && document.images.length > 0"
    found = [
        ("badge `<img>`", "counts, shows", f'<img src="{SERVICE}/count/tag.svg?url=blog.example/page">', picture),
        ("badge `<img>` of a counter", "shows", f'<img src="{SERVICE}/counters/plain/badge.svg">', picture),
        ("`EventSource` and `fetch`", "counts, shows live", EVENT_SOURCE, text.format("#views")),
        ("`<live-counter counter>`", "shows live", f'{MODULE}<live-counter counter="plain"></live-counter>', text.format("live-counter")),
        ("`<live-counter counter count>`", "counts, shows live", f'{MODULE}<live-counter counter="visits" count></live-counter>', text.format("live-counter")),
        ("`<live-counter page count>`", "counts, shows live", f"{MODULE}<live-counter page count></live-counter>", text.format("live-counter")),
        ("five `<live-counter>`", "shows live", MODULE + "".join(f'<live-counter counter="n{number}"></live-counter>' for number in range(5)), text.format("live-counter:last-child")),
        ("busuanzi's elements, our script", "counts, shows", f'{BUSUANZI}<script async src="{SERVICE}/busuanzi/2.3/busuanzi.pure.mini.js"></script>', text.format("#busuanzi_value_page_pv")),
    ]
    if arguments.busuanzi:
        script = '<script async src="http://busuanzi.ibruce.info/its-own.js"></script>'
        found.append(("busuanzi's script", "counts, shows", BUSUANZI + script, text.format("#busuanzi_value_page_pv")))
    if arguments.goatcounter:
        found.append(("GoatCounter's count.js", "counts", GOATCOUNTER, "'goatcounter' in window"))
        found.append(("GoatCounter's count.js and picture", "counts, shows", GOATCOUNTER + SHOWN, picture))
    return found


class Traffic:
    """What the relay has carried."""

    def __init__(self):
        self.lock = threading.Lock()
        self.reset()

    def reset(self):
        self.requests, self.sent, self.received, self.last = [], 0, 0, time.monotonic()

    def add(self, sent=b"", received=b""):
        with self.lock:
            self.sent += len(sent)
            self.received += len(received)
            self.last = time.monotonic()
            line = re.match(rb"(?:GET|POST|OPTIONS|HEAD) (\S+) HTTP/1.1\r\n", sent)
            if line:
                self.requests.append(line[0].split(b" HTTP")[0].decode())

    def settle(self):
        end = time.monotonic() + MOST_SECONDS
        while time.monotonic() < min(end, self.last + QUIET_SECONDS):
            time.sleep(0.05)


def listen(serve):
    """Calls `serve` with each connection to a new port, which is returned."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def answer(kind, body, *fields, compressed=False):
    if compressed:
        body, fields = gzip.compress(body, 9), (*fields, "Content-Encoding: gzip", "Vary: Accept-Encoding")
    head = ["HTTP/1.1 200 OK", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(head).encode() + body


def stand_ins(arguments):
    """What the relay answers itself, by the beginning of the path."""
    found = {}
    if arguments.busuanzi:
        script = arguments.busuanzi.read_bytes()
        found["/its-own.js"] = answer("application/javascript", script, "Cache-Control: max-age=3600", compressed=True)
    if arguments.goatcounter:
        script = arguments.goatcounter.read_bytes()
        found["/count.js"] = answer("text/javascript", script, "Cache-Control: public, max-age=604800", compressed=True)
        # count.js appends "er/PATH" to the address that counts.
        found["/goat-counter/"] = answer("image/svg+xml", NUMBER, "Cache-Control: public, max-age=14400")
        found["/goat-count"] = answer("image/gif", GIF, "Access-Control-Allow-Origin: *", "Cross-Origin-Resource-Policy: cross-origin")
    return found


def relay(port, traffic, answers):
    """A relay to the service at this port."""

    def backward(browser, service):
        try:
            while received := service.recv(65536):
                traffic.add(received=received)
                browser.sendall(received)
        except OSError:
            pass
        browser.close()

    def serve(browser):
        service = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=backward, args=(browser, service), daemon=True).start()
        try:
            while sent := browser.recv(65536):
                traffic.add(sent=sent)
                path = sent.split(b" ")[1].decode() if sent[:4] in (b"GET ", b"POST") else ""
                own = next((given for start, given in answers.items() if path.startswith(start)), None)
                if own:
                    traffic.add(received=own)
                    browser.sendall(own)
                else:
                    service.sendall(sent)
        except OSError:
            pass
        service.close()

    return listen(serve)


def site(bodies):
    """A site with one page for each body, at /0, /1 and so on."""

    def serve(browser):
        request = browser.recv(65536)
        number = re.match(rb"GET /(\d+) ", request)
        body = HEAD + (bodies[int(number[1])] if number else "")
        browser.sendall(answer("text/html; charset=utf-8", body.encode(), "Connection: close"))
        browser.close()

    return listen(serve)


class Browser:
    """A Chromium with an empty profile, driven over WebDriver."""

    def __init__(self, rules):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        environment = {**os.environ, "TMPDIR": self.profile.name}
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
        port = next(found[1] for line in self.driver.stdout if (found := re.search(r"successfully on port (\d+)", line)))
        threading.Thread(target=self.driver.stdout.read, daemon=True).start()
        self.address = f"http://127.0.0.1:{port}/session"
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
        flags += ["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-pipe"]
        flags += [f"--host-resolver-rules={rules}", f"--user-data-dir={self.profile.name}/profile"]
        flags += [f"--unsafely-treat-insecure-origin-as-secure={SITE},{SERVICE}"]
        session = self.post("", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": flags}}}})
        self.address += "/" + session["sessionId"]

    def post(self, path, body):
        request = urllib.request.Request(self.address + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as told:
            return json.load(told)["value"]

    def open(self, url):
        self.post("/url", {"url": url})

    def until(self, expression):
        end = time.monotonic() + MOST_SECONDS
        while not self.post("/execute/sync", {"script": f"return Boolean({expression})", "args": []}):
            if time.monotonic() > end:
                raise SystemExit(f"page_view: never true: {expression}")
            time.sleep(0.05)

    def end(self):
        with urllib.request.urlopen(urllib.request.Request(self.address, method="DELETE"), timeout=60):
            self.driver.terminate()
        self.driver.wait()
        self.profile.cleanup()


def view(browser, number, shows, traffic):
    """Opens the page; returns its requests, and the bytes sent and received."""
    browser.open("about:blank")
    traffic.settle()
    traffic.reset()
    browser.open(f"{SITE}/{number}")
    browser.until(shows)
    traffic.settle()
    if os.environ.get("BENCH_SHOW"):
        print("   ", traffic.requests)
    return f"{len(traffic.requests)} | {traffic.sent:,} | {traffic.received:,}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("binary", type=Path)
    parser.add_argument("--goatcounter", type=Path, metavar="FILE")
    parser.add_argument("--busuanzi", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        port = lists.free_port()
        # The headless browser is a bot by its name, so another program is named here.
        environment = {"PATH": os.environ["PATH"], "LIVECOUNTER__HITS__BOTS": "crawler", "LIVECOUNTER__COMPAT__BUSUANZI": "*"}
        log = open(Path(directory) / "log", "w")
        service = subprocess.Popen([arguments.binary.resolve(), "serve", "--listen", f"127.0.0.1:{port}"], cwd=directory, env=environment, stdout=log, stderr=log)
        lists.connect(port).close()
        try:
            measure(arguments, port)
        finally:
            service.terminate()
            service.wait()


def measure(arguments, port):
    traffic, found = Traffic(), ways(arguments)
    service, pages = relay(port, traffic, stand_ins(arguments)), site([body for _, _, body, _ in found])
    rules = f"MAP counters.example 127.0.0.1:{service}, MAP busuanzi.ibruce.info 127.0.0.1:{service}, MAP blog.example 127.0.0.1:{pages}"
    print("| page view with | it | cold: requests | sent | received | warm: requests | sent | received |")
    print("|---|---|---|---|---|---|---|---|")
    for number, (name, does, _, shows) in enumerate(found):
        browser = Browser(rules)
        cold = view(browser, number, shows, traffic)
        warm = view(browser, number, shows, traffic)
        browser.end()
        print(f"| {name} | {does} | {cold} | {warm} |", flush=True)


if __name__ == "__main__":
    main()
