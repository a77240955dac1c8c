#!/usr/bin/env python3
"""Keeps objects in memory and speaks as much S3 as a client needs, but as loosely as some servers do: it ignores conditions,
ranges and digests, and cannot delete many objects at once. Prints its endpoint; ends when standard input does. For tests.

    loose_s3.py [--ranges] [--latency MILLISECONDS]      with --ranges it gives parts of values; each answer is so late
"""
import argparse
import http.server
import os
import sys
import threading
import time
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

parser = argparse.ArgumentParser()
parser.add_argument("--ranges", action="store_true")
parser.add_argument("--latency", type=float, default=0)
options = parser.parse_args()
objects, lock = {}, threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response_only(status)
        for name, value in [*headers, ("Content-Length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def error(self, status, code):
        self.answer(status, f"<Error><Code>{code}</Code></Error>".encode())

    def part(self, value):
        first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
        first, last = int(first), min(int(last), len(value) - 1)
        if first > last:
            return self.error(416, "InvalidRange")
        told = ("Content-Range", f"bytes {first}-{last}/{len(value)}")
        return self.answer(206, memoryview(value)[first:last + 1], [told])

    def do_GET(self):
        time.sleep(options.latency / 1000)
        url = urlsplit(self.path)
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        if key:
            value = objects.get(key)
            if value is None:
                return self.error(404, "NoSuchKey")
            return self.part(value) if options.ranges and "Range" in self.headers else self.answer(200, value)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        prefix, after, most = query.get("prefix", ""), query.get("start-after", ""), int(query["max-keys"])
        with lock:
            found = sorted(k for k in objects if k.startswith(prefix) and k > after)
        entries = "".join(f"<Contents><Key>{escape(k)}</Key><Size>{len(objects[k])}</Size></Contents>" for k in found[:most])
        more = "true" if len(found) > most else "false"
        self.answer(200, f"<ListBucketResult>{entries}<IsTruncated>{more}</IsTruncated></ListBucketResult>".encode())

    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        time.sleep(options.latency / 1000)
        with lock:
            objects[unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2]] = body
        self.answer(200)

    def do_DELETE(self):
        with lock:
            objects.pop(unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2], None)
        self.answer(204)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.error(501, "NotImplemented")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"http://127.0.0.1:{server.server_port}", flush=True)
sys.stdin.read()
os._exit(0)
