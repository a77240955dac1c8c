#!/usr/bin/env python3
"""Keeps objects in memory and speaks as much S3 as a client needs, but as loosely as some servers do: it ignores conditions,
ranges and digests, and cannot delete many objects at once. Prints its port; ends when standard input does. For tests.
"""
import http.server
import os
import sys
import threading
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

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

    def do_GET(self):
        url = urlsplit(self.path)
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        if key:
            value = objects.get(key)
            return self.error(404, "NoSuchKey") if value is None else self.answer(200, value)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        prefix, after, most = query.get("prefix", ""), query.get("start-after", ""), int(query["max-keys"])
        with lock:
            found = sorted(k for k in objects if k.startswith(prefix) and k > after)
        entries = "".join(f"<Contents><Key>{escape(k)}</Key><Size>{len(objects[k])}</Size></Contents>" for k in found[:most])
        more = "true" if len(found) > most else "false"
        self.answer(200, f"<ListBucketResult>{entries}<IsTruncated>{more}</IsTruncated></ListBucketResult>".encode())

    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
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


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"http://127.0.0.1:{server.server_port}", flush=True)
sys.stdin.read()
os._exit(0)
