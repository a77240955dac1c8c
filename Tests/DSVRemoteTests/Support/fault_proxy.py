#!/usr/bin/env python3
"""Stands before an S3 server and spoils what passes through, as it is told. Loopback only, for tests.

    fault_proxy.py TARGET_HOST:PORT [--tls FOLDER]      prints its own port; ends when standard input does

Each line of standard input is a plan in JSON, which replaces the one before; the answer is a line of JSON that counts what went
through since. A plan has any of:
  script    faults for the next requests, one each; "ok" is none, "FAULT@METHOD" waits for the next request of that method
  faults, chance, seed      each of these faults is drawn for each request with that probability; the first one drawn is done
  most      how often a fault is drawn at most: {"stuck": 3}
  latency   milliseconds before each request goes on
  clock     what the server's clock is ahead, in seconds: requests signed 15 minutes off it are refused
  region    the bucket's region: requests signed for another are sent to a place that only counts visits
  expired   IDs of keys that are not taken any more
  ignores   names of headers (in small letters) that do not reach the server
With --tls FOLDER it speaks TLS, with a certificate that FOLDER/ca.pem vouches for.
"""
import argparse
import collections
import datetime
import email.utils
import http.client
import http.server
import json
import os
import random
import socket
import struct
import sys
import threading
import time

WORDS = {400: "RequestTimeout", 409: "ConditionalRequestConflict", 412: "PreconditionFailed", 429: "TooManyRequests",
         500: "InternalError", 503: "SlowDown"}
# "corrupted-value": only where a digest comes along, and not in lists and parts.
# Before the request goes on: statuses; "bare-…": such an answer that is not S3's; "reset"; and ONCE. After it: the rest.
# What has a remedy that helps once, as a server does not change its mind within a call: drawn once for each request that differs.
ONCE = ("skewed", "moved", "expired")
lock = threading.Lock()
plan, script, dice, counts = {}, collections.deque(), random.Random(0), collections.Counter()
had = set()
target, trap = "", 0


def draws(fault, request):
    """Whether a fault of the plan is done to a request."""
    if dice.random() >= plan.get("chance", 0) or counts["fault " + fault] >= plan.get("most", {}).get(fault, 1 << 62):
        return False
    if fault == "slow" and request[0] != "GET":  # other answers have no body to be slow with
        return False
    if fault in ONCE:
        if (fault, request) in had:
            return False
        had.add((fault, request))
    return True


def choose(method, request):
    with lock:
        counts["requests"] += 1
        counts[method] += 1
        fault = None
        if script:
            name, _, wanted = script[0].partition("@")
            if wanted in ("", method):
                script.popleft()
                fault = None if name == "ok" else name
        elif plan.get("faults"):
            fault = next((f for f in plan["faults"] if draws(f, request)), None)
        if fault:
            counts["fault " + fault] += 1
        return fault, dice.random(), counts["fault " + fault] if fault else 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    upstream = None
    timeout = 60

    def setup(self):
        super().setup()
        with lock:
            counts["connections"] += 1

    def log_message(self, *_):
        pass

    def answer(self, status, headers, body, sent=None):
        """The head, and of the body what is to be sent."""
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        sent = body if sent is None else sent
        if self.command != "HEAD":
            self.wfile.write(sent)
        self.wfile.flush()
        with lock:
            counts["sent"] += len(sent)

    def error(self, status, code, more="", headers=()):
        text = f"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>m</Message>{more}</Error>"
        self.answer(status, [("Content-Type", "application/xml"), *headers], text.encode())

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.rfile.close()
        self.connection.close()

    def skewed(self, now):
        self.error(403, "RequestTimeTooSkewed", headers=[("Date", email.utils.format_datetime(now, usegmt=True))])

    def moved(self, status, region):
        where = f"http://127.0.0.1:{trap}{self.path}"
        self.error(status, "PermanentRedirect", f"<Endpoint>127.0.0.1:{trap}</Endpoint>",
                   [("Location", where), ("x-amz-bucket-region", region)])

    def refuses(self, fault):
        """Does what the plan says of the server as a whole, or one of ONCE; returns whether that was an answer."""
        signed = self.headers.get("Authorization", "")
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=plan.get("clock", 0))
        if "clock" in plan:
            date = self.headers.get("x-amz-date", "19700101T000000Z")
            then = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
            if abs((now - then).total_seconds()) > 900:
                self.skewed(now)
                return True
        if any(f"Credential={key}/" in signed for key in plan.get("expired", [])):
            self.error(400, "ExpiredToken")
            return True
        region = plan.get("region")
        if region and f"/{region}/s3/" not in signed:
            self.moved(plan.get("redirect", 301), region)
            return True
        if fault == "skewed":
            self.skewed(now)
        elif fault == "expired":
            self.error(400, "ExpiredToken")
        elif fault == "moved":  # there and back
            self.moved(307, "us-east-1" if "/eu-west-1/s3/" in signed else "eu-west-1")
        return fault in ONCE

    def forward(self, body):
        if self.upstream is None:
            self.upstream = http.client.HTTPConnection(target, timeout=60)
        ignored = set(plan.get("ignores", [])) | {"connection"}
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ignored}
        try:
            self.upstream.request(self.command, self.path, body=body, headers=headers)
            response = self.upstream.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException):
            self.upstream.close()
            self.upstream = None
            raise
        skipped = ("connection", "transfer-encoding", "content-length")
        kept = [(k, v) for k, v in response.getheaders() if k.lower() not in skipped]
        length = response.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        return response.status, [*kept, ("Content-Length", length or "0")], data

    def handle_request(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with lock:
            counts["received"] += len(body)
        # Damage is another each time: the same again would be what the server has.
        fault, chance, number = choose(self.command, (self.command, self.path, self.headers.get("x-amz-content-sha256")))
        time.sleep(plan.get("latency", 0) / 1000)
        if self.refuses(fault):
            return
        if fault and fault.isdigit():
            headers = [("Retry-After", "1")] if fault in plan.get("retryAfter", []) else []
            return self.error(int(fault), WORDS.get(int(fault), "Error"), headers=headers)
        if fault and fault.startswith("bare-"):
            return self.answer(int(fault[5:]), [("Content-Type", "text/html")], b"<html><body>no<br></body></html>")
        if fault == "reset":
            return self.reset()
        # What is to be deleted has a digest that real servers look at; what is put has one that comes back.
        if fault == "corrupted-upload" and body and self.command == "PUT":
            at = int(chance * len(body))
            body = body[:at] + bytes([body[at] ^ 1 << number % 8]) + body[at + 1:]
        status, headers, data = self.forward(body)
        if fault == "lost":
            return self.reset()
        if fault == "truncated":
            self.answer(status, headers, data, data[:int(chance * len(data))])
            return self.reset()
        whole = status == 200 and any(name.lower() == "x-amz-meta-dsv-sha256" for name, _ in headers)
        if (fault == "corrupted" or fault == "corrupted-value" and whole) and data and status < 300:
            at = int(chance * len(data))
            data = data[:at] + bytes([data[at] ^ 1 << number % 8]) + data[at + 1:]
        if fault == "empty":
            return self.answer(status, [], b"")
        if fault == "slow":  # a few bytes at a time
            self.answer(status, headers, data, b"")
            for start in range(0, len(data) if data else 0, 8):
                self.wfile.write(data[start:start + 8])
                time.sleep(0.25)
            return None
        if fault == "stuck":
            time.sleep(5)
        if fault == "headers":
            headers += [(f"x-more-{n}", "v" * 100) for n in range(2000)]
        return self.answer(status, headers, data)

    def do_GET(self):
        try:
            self.handle_request()
        except (OSError, http.client.HTTPException, ValueError):
            self.close_connection = True

    do_PUT = do_POST = do_HEAD = do_DELETE = do_GET


class Trap(http.server.BaseHTTPRequestHandler):
    """Where no request may ever come."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        with lock:
            counts["trapped"] += 1
        self.send_error(418)

    do_PUT = do_POST = do_HEAD = do_DELETE = do_GET


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass


def certificates(folder):
    """A certificate for 127.0.0.1 and who vouches for it; returns a context for a server."""
    import ipaddress
    import ssl
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    now = datetime.datetime.now(datetime.timezone.utc)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in ("tests", "127.0.0.1")]
    made = []
    for index in (0, 1):
        builder = (x509.CertificateBuilder().subject_name(names[index]).issuer_name(names[0])
                   .public_key(keys[index].public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=2))
                   .add_extension(x509.BasicConstraints(ca=index == 0, path_length=None), critical=True))
        if index == 1:
            address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        made.append(builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    key = keys[1].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for name, data in (("ca.pem", made[0]), ("server.pem", made[1] + key)):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(folder, "server.pem"))
    return context


def main():
    global plan, script, dice, target, trap
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--tls")
    options = parser.parse_args()
    target = options.target
    trap_server, server = Server(("127.0.0.1", 0), Trap), Server(("127.0.0.1", 0), Handler)
    trap = trap_server.server_port
    if options.tls:
        server.socket = certificates(options.tls).wrap_socket(server.socket, server_side=True)
    for each in (trap_server, server):
        threading.Thread(target=each.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    for line in sys.stdin:
        new = json.loads(line)
        with lock:
            told = dict(counts)
            if new is not None:  # null only asks for the counts
                plan, script, dice = new, collections.deque(new.get("script", [])), random.Random(new.get("seed", 0))
                counts.clear()
                had.clear()
        print(json.dumps(told), flush=True)
    os._exit(0)


main()
