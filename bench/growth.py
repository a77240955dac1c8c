#!/usr/bin/env python3
"""What works cost as a table grows: time for a row, which should stay as it is, and memory, which should stay bounded.

    bench/growth.py [ROWS ...]
    bench/growth.py --rotate [ROWS ...]

Tables of numbers and texts of 10^5, 10^6 and 10^7 rows, made up, each in a repository of its own, by the library in a process
that stays; the median of three runs, but for what writes, which is done once. flat: the largest table's time for a row (of works on a
few rows, or none: its time) by the first one's.

--rotate measures the exchange of a key instead, which should take its time by the number of packs only: for tables of 10^3 to 10^6 rows in
few packs, and for a table of 10^3 rows in more and more packs. The median of 15, of which most is waiting for the disk; and of CPU time.
"""

import os, random, sys, tempfile
from pathlib import Path
from statistics import median

from ours import Library
from place import Process

HERE = Path(__file__).resolve().parent
LIBRARY = HERE.parent / ".build/release/DSVBench"
# Works whose time should not follow the table's size.
SMALL = ("tag", "branch", "checkout", "1,000 random rows", "diff 1 row", "upsert 1,000")


def row(number: int, rng: random.Random, note: str = "") -> str:
    bits, words = rng.getrandbits(64), " ".join(f"{int(20_000 ** rng.random()):x}" for _ in range(12))
    return (f'{{"id": "{number * 0x9E3779B97F4A7C15 % (1 << 64):016x}", "a": {bits % 1_000_000}, "b": {bits % 97}, '
            f'"x": {bits % 99_991 / 64}, "y": {bits % 1009 / 8}, "u": {1_700_000_000 + number * 7}, "kind": "{"abcdef"[bits % 6]}", '
            f'"text": "{words}{note}"}}\n')


def write(path: str, numbers: list[int] | range, note: str = "") -> None:
    rng = random.Random(f"dsv growth {note}")
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(row(number, rng, note) for number in numbers)


def measured(count: int, folder: str) -> dict[str, tuple[float, float]]:
    """Seconds and megabytes for each work."""
    base, thousand, one = (f"{folder}/{name}.jsonl" for name in ("base", "thousand", "one"))
    write(base, range(count))
    write(thousand, random.Random(1).sample(range(count), 1000), " anew")
    write(one, [count // 3], " one")
    library, found = Library(str(LIBRARY)), {}
    memory = Process(library.process.pid)
    library("init", f"{folder}/store")

    def work(name: str, runs: int, *words: str) -> None:
        memory.forget_peak()
        found[name] = median(library(*words).seconds for _ in range(runs)), memory.peak() / 1e6

    work("commit", 1, "commit", base, "replace", "id")
    os.remove(base)
    work("scan", 3, "stream", "v1", "", "")
    work("export", 3, "export", "v1")
    rows = ",".join(map(str, sorted(random.Random(2).sample(range(count), 1000))))
    work("1,000 random rows", 3, "take", "v1", rows)
    for name, words in ("tag", ["v1"]), ("branch", ["v1"]), ("checkout", []):
        works = [library(name, f"other{number}", *words).seconds for number in range(9)]
        found[name] = median(works), memory.peak() / 1e6
    library("checkout", "main")
    library("commit", one, "upsert", "")
    work("diff 1 row", 3, "diff", "v1", "v2")
    work("upsert 1,000", 1, "commit", thousand, "upsert", "")
    work("filter", 1, "transform", "stages:;  - where: a < 900000")
    return found


def rotation(count: int, packs: int, folder: str) -> tuple[int, float, float, float]:
    """How many packs there were; of exchanging the key the median and the longest time, and the median on the CPU, in milliseconds."""
    base, one = f"{folder}/base.jsonl", f"{folder}/one.jsonl"
    write(base, range(count))
    library = Library(str(LIBRARY))
    library("init", f"{folder}/store", "encrypted")
    library("commit", base, "replace", "id")
    for number in range(packs - 1):
        library("rotate")
        write(one, [count + number], f" {number}")
        library("commit", one, "append", "")
    found = [library("rotate") for _ in range(15)]
    times = [1e3 * each.seconds for each in found]
    return found[0].count, median(times), max(times), median(1e3 * each.cpu for each in found)


def rotations(counts: list[int]) -> None:
    print("rows\tpacks\tmedian ms\tmost ms\tCPU ms".expandtabs(14))
    for count, packs in [(count, 1) for count in counts] + [(counts[0], packs) for packs in (10, 100, 1000)]:
        with tempfile.TemporaryDirectory(prefix="dsv-growth-") as folder:
            there, middle, most, cpu = rotation(count, packs, folder)
        print(f"{count:,}\t{there}\t{middle:.2f}\t{most:.2f}\t{cpu:.2f}".expandtabs(14), flush=True)


def main() -> None:
    if sys.argv[1:2] == ["--rotate"]:
        return rotations([int(word.replace(",", "")) for word in sys.argv[2:]] or [10**3, 10**4, 10**5, 10**6])
    counts = [int(word.replace(",", "")) for word in sys.argv[1:]] or [10**5, 10**6, 10**7]
    tables = {}
    for count in counts:
        with tempfile.TemporaryDirectory(prefix="dsv-growth-") as folder:
            tables[count] = measured(count, folder)
    head = [cell for count in counts for cell in (f"{count:,}", "MB")]
    print("\t".join(["work", "unit", *head, "flat"]).expandtabs(14))
    for name in tables[counts[0]]:
        by_row = name not in SMALL
        times = [tables[count][name][0] * (1e9 / count if by_row else 1e3) for count in counts]
        cells = [f"{part:.{digits}f}" for time, count in zip(times, counts) for part, digits in ((time, 2), (tables[count][name][1], 0))]
        print("\t".join([name, "ns/row" if by_row else "ms", *cells, f"{times[-1] / times[0]:.2f}"]).expandtabs(14), flush=True)


if __name__ == "__main__":
    main()
