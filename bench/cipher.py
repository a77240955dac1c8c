"""Holds dsv's cipher against what `openssl speed` says this machine can do, and against Python's Fernet. One thread each.

    make bench-cipher            runs .build/release/DSVBench, openssl, and Python's `cryptography`

One token encrypts and signs its bytes, so the fastest that it can be is 1 / (1 / AES-128-CBC + 1 / HMAC-SHA256).
"""
import os
import re
import subprocess
import sys
import time

from cryptography.fernet import Fernet

PIECE = 65536


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def openssl(*what):
    """MB/s of 64 KiB at a time, the best of three."""
    def once():
        last = run("openssl", "speed", "-seconds", "1", "-bytes", str(PIECE), *what).splitlines()[-1]
        return float(re.search(r"([\d.]+)k$", last)[1]) / 1000

    return max(once() for _ in range(3))


def fernet(byte_count):
    """MB/s of Python's, sealing and opening so many bytes at a time."""
    key, text = Fernet(Fernet.generate_key()), os.urandom(byte_count)
    token = key.encrypt(text)

    def best(work):
        times = []
        for _ in range(20_000_000 // (byte_count + 10_000)):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
        return byte_count / min(times) / 1e6

    return best(lambda: key.encrypt(text)), best(lambda: key.decrypt(token))


def dsv(program):
    rates = {}
    for line in run(program, "--full", "--only", "fernet").splitlines():
        rates[line.split()[0]] = float(re.search(r"([\d.]+) MB/s", line)[1])
    return rates


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else ".build/release/DSVBench"
    mac = openssl("-hmac", "sha256")
    ciphers = openssl("-evp", "aes-128-cbc"), openssl("-evp", "aes-128-cbc", "-decrypt")
    limits = [1 / (1 / cipher + 1 / mac) for cipher in ciphers]
    print(f"openssl speed: encrypt {ciphers[0]:.0f}, decrypt {ciphers[1]:.0f}, HMAC {mac:.0f} MB/s")
    rates = dsv(program)
    for size, name in ((PIECE, "64k"), (1024, "1k")):
        for work, limit, theirs in zip(("seal", "open"), limits, fernet(size)):
            ours = rates[f"fernet-{work}-{name}"]
            print(
                f"{work} {name}: {ours:.0f} MB/s, {ours / limit:.0%} of {limit:.0f}; "
                f"Python's Fernet {theirs:.0f}, {ours / theirs:.1f} x")


if __name__ == "__main__":
    main()
