#!/usr/bin/env python3
"""Rows to Arrow's memory: dsv, Lance and Parquet (zstd-3) in turn, in one process. Needs pylance, pyarrow, cffi, libdsvc.so.

    bench/scan_peers.py REPOSITORY FOLDER [COLUMN] [CONDITION]

The default table of HEAD is copied into FOLDER for the peers. Prints the least wall and processor time of five rounds, in ms.
Checks that all three give the same rows.
"""

import os, random, sys, time

import lance, pyarrow as pa, pyarrow.parquet as pq

from dsvc import Table


def race(work: str, systems: dict, rounds: int = 5) -> None:
    best = {name: (9e9, 9e9) for name in systems}
    for _ in range(rounds):
        for name, call in systems.items():
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            found = time.perf_counter() - wall, time.process_time() - cpu
            best[name] = tuple(map(min, best[name], found))
    cells = [f"{name} {wall * 1e3:.2f} (cpu {cpu * 1e3:.2f})" for name, (wall, cpu) in best.items()]
    print(f"{work:20}", "  ".join(cells), flush=True)


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    repository, folder, column, where = (sys.argv[1:] + [None, None])[:4]
    table, lance_path, parquet_path = Table(repository), f"{folder}/rows.lance", f"{folder}/rows.parquet"
    rows = table.scan().read_all()
    lance.write_dataset(rows, lance_path, mode="overwrite")
    pq.write_table(rows, parquet_path, compression="zstd", compression_level=3)
    count, peer, generator = rows.num_rows, lance.dataset(lance_path), random.Random(7)
    picked = [generator.randrange(count) for _ in range(1000)]
    assert pa.Table.from_batches([table.take(picked)]).equals(rows.take(picked).combine_chunks())
    assert pq.read_table(parquet_path).equals(rows) and peer.to_table().num_rows == count
    del rows

    def single(take) -> None:
        for _ in range(100):
            take([generator.randrange(count)])

    def fresh() -> None:
        opened = Table(repository)
        opened.take([generator.randrange(count)])
        opened.close()

    race("all columns", {"dsv": lambda: table.scan().read_all(), "lance": peer.to_table,
                         "parquet": lambda: pq.read_table(parquet_path)})
    if column:
        race(f"column {column}", {"dsv": lambda: table.scan([column]).read_all(),
                                  "lance": lambda: peer.to_table(columns=[column]),
                                  "parquet": lambda: pq.read_table(parquet_path, columns=[column])})
    if where:
        race("condition", {"dsv": lambda: table.scan(where=where).read_all(),
                           "lance": lambda: peer.to_table(filter=where)})
    race("1000 random rows", {"dsv": lambda: table.take(picked), "lance": lambda: peer.take(picked)})
    race("100 single rows", {"dsv": lambda: single(table.take), "lance": lambda: single(peer.take)})
    race("open, one row", {"dsv": fresh, "lance": lambda: lance.dataset(lance_path).take([generator.randrange(count)])})


if __name__ == "__main__":
    main()
