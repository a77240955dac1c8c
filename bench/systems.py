"""What each system does for each work. Run as a process of its own each round: systems.py SYSTEM DATA HOME RESULTS DSV LIBRARY.

A system is a function that returns its works by name; one that is not there it cannot do. A work may return the rows that it
met, how to count them, or how long it took itself. `base` goes back to the first version, untimed, before the version `name` is
made from it.
"""

import functools, gc, hashlib, json, os, resource, shutil, statistics, subprocess, sys, time
from collections.abc import Callable
from typing import Any

from corpus import MUTATIONS, SINGLES
from ours import Timed, command, dsv, floor
from place import Place, Works, files, forget


def parsed(place: Place, name: str, schema: Any = None) -> Any:
    """The rows as a table; few rows, which may be null throughout, need the schema of what they go into."""
    import pyarrow.json

    read, parse = pyarrow.json.ReadOptions(block_size=64 << 20), pyarrow.json.ParseOptions(explicit_schema=schema)
    return pyarrow.json.read_json(place.file(name), read, parse)


def single_rows(place: Place) -> list[Any]:
    """The rows that are committed one by one, as tables of one row."""
    import pyarrow.json

    folder = f"{place.data}/singles"
    return [pyarrow.json.read_json(f"{folder}/{name}") for name in sorted(os.listdir(folder))]


def arrow(place: Place, write: Callable, dataset: Callable, sql: bool = False) -> Works:
    """What systems that hold Arrow tables share: `write` a table as a version, read the newest as a `dataset`."""
    import polars
    from pyarrow.dataset import field

    number, row = field(place.number), field("row")
    where = place.where if sql else (number > place.cut) & (row < place.half)
    sorted_where = place.sorted_where if sql else (row >= place.first) & (row < place.last)
    by_key = f"id = '{place.id}'" if sql else field("id") == place.id

    def stream() -> int:
        return sum(batch.num_rows for batch in dataset().to_batches())

    return {
        "commit": lambda name: write(name, parsed(place, name)),
        "scan": lambda: dataset().to_table(),
        "stream": stream,
        "export": lambda: polars.from_arrow(dataset().to_table()).write_ndjson("/dev/null"),
        "number": lambda: dataset().to_table(columns=[place.number]),
        "column": lambda: dataset().to_table(columns=[place.column]),
        "sorted": lambda: dataset().to_table(filter=sorted_where),
        "count": lambda: dataset().count_rows(filter=where),
        "lookup": lambda: dataset().to_table(filter=by_key),
    }


def parquet(place: Place, **options: bool) -> Works:
    import pyarrow as pa, pyarrow.compute as pc, pyarrow.dataset as ds, pyarrow.parquet as pq

    def base() -> Any:
        return ds.dataset(f"{place.store}/base")

    def write(name: str, table: Any) -> int:
        pq.write_table(table, f"{place.store}/{name}", compression="zstd", compression_level=3, **options)
        return table.num_rows

    def upsert(name: str) -> int:
        old, new = base().to_table(), parsed(place, name, base().schema)
        kept = old.filter(pc.invert(pc.is_in(old["id"], new["id"].combine_chunks())))
        return write(name, pa.concat_tables([kept, new]))

    os.mkdir(place.store)
    return arrow(place, write, base) | {
        "parse": lambda: parsed(place, "base"),
        "upsert": upsert,
        "filter": lambda name: write(name, base().to_table(filter=ds.field(place.number) <= place.cut)),
    }


def parquet_cdc(place: Place) -> Works:
    import pyarrow.parquet as pq

    @functools.cache
    def parts(path: str) -> tuple[int, dict[bytes, int]]:
        """The size of what is not pages, and that of each page by its hash."""
        metadata, rest, found = pq.read_metadata(path), os.path.getsize(path), {}
        with open(path, "rb") as file:
            for group in map(metadata.row_group, range(metadata.num_row_groups)):
                for column in map(group.column, range(group.num_columns)):
                    file.seek(column.dictionary_page_offset or column.data_page_offset)
                    rest -= column.total_compressed_size
                    chunk = file.read(column.total_compressed_size)
                    found |= {hashlib.blake2b(page).digest(): len(page) for page in pages(chunk)}
        return rest, found

    def size() -> int:
        """As if a store kept equal pages once."""
        found = [parts(f"{place.store}/{name}") for name in os.listdir(place.store)]
        return sum(rest for rest, _ in found) + sum({key: size for _, some in found for key, size in some.items()}.values())

    bodies = parquet(place, use_content_defined_chunking=True)
    # Reading is as it is from Parquet without.
    return {name: bodies[name] for name in ("commit", "upsert", "filter")} | {"size": size}


def pages(chunk: bytes) -> list[bytes]:
    """The pages of a Parquet column chunk. Each begins with a Thrift struct whose field 3 is the size of what follows it."""

    def integer(at: int) -> tuple[int, int]:
        end = next(i for i in range(at, len(chunk)) if chunk[i] < 128) + 1
        return sum((chunk[i] & 127) << 7 * (i - at) for i in range(at, end)), end

    def struct(at: int) -> tuple[dict[int, int], int]:
        found, number = {}, 0
        while chunk[at]:
            kind, number, at = chunk[at] & 15, number + (chunk[at] >> 4), at + 1
            if kind in (4, 5, 6, 8):  # integers; bytes begin with one
                found[number], at = integer(at)
                at += found[number] if kind == 8 else 0
            elif kind == 12:
                _, at = struct(at)
            elif kind not in (1, 2):  # true and false
                raise ValueError(f"no page header has a Thrift field of kind {kind}")
        return found, at + 1

    found, at = [], 0
    while at < len(chunk):
        header, body = struct(at)
        found.append(chunk[at : body + (header[3] >> 1)])  # zigzag, and never negative
        at += len(found[-1])
    return found


LANCE_ROW = """
import sys, time, lance
print("ready", flush=True)
sys.stdin.readline()
began = time.perf_counter()
lance.dataset(sys.argv[1], version=1).take([int(sys.argv[2])])
print(time.perf_counter() - began)
"""


def lance(place: Place) -> Works:
    import lance as library

    def at(**which: int) -> Any:
        return library.dataset(place.store, **which)

    def write(_: str, table: Any) -> int:
        return library.write_dataset(table, place.store, mode="overwrite").count_rows()

    def upsert(name: str) -> Callable:
        new = parsed(place, name, at().schema)
        at().merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(new)
        return at().count_rows

    def singles() -> int:
        for row in rows:
            library.write_dataset(row, place.singles, mode="append")
        return len(rows)

    def cold() -> Timed:
        """Each row from a process of its own, which has opened nothing yet."""
        seconds = []
        for row in few[:5]:
            process = subprocess.Popen([sys.executable, "-c", LANCE_ROW, place.store, str(row)], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
            process.stdout.readline()
            forget(place.store)
            seconds.append(float(process.communicate("go\n")[0]))
        return Timed(1, statistics.median(seconds))

    rows, some, few = single_rows(place), place.random_rows(1000), place.random_rows(100)
    opened = functools.cache(lambda: library.dataset(place.store, version=1))
    return arrow(place, write, at, sql=True) | {
        "take": lambda: opened().take(some),
        "take each": lambda: sum(opened().take([row]).num_rows for row in few),
        "open, take": lambda: at(version=1).take(few[:1]),
        "take cold": cold,
        "before thousand": lambda: at().create_scalar_index("id", "BTREE"),
        "singles": singles,
        "base": lambda _: at(version=1).restore(),
        "tag": lambda: at().tags.create("first", 1),
        "branch": lambda: at().create_branch("other", 1),
        "checkout": lambda: at().checkout_version("first"),
        "upsert": upsert,
        "filter": lambda _: at().delete(f"{place.number} > {place.cut}") and at().count_rows,
    }


def delta(place: Place) -> Works:
    import deltalake

    def at() -> Any:
        return deltalake.DeltaTable(place.store)

    def rows() -> int:
        return at().to_pyarrow_dataset().count_rows()

    def write(_: str, table: Any) -> int:
        deltalake.write_deltalake(place.store, table, mode="overwrite", schema_mode="overwrite")
        return table.num_rows

    def upsert(name: str) -> Callable:
        new = parsed(place, name, at().to_pyarrow_dataset().schema)
        merge = at().merge(new, "t.id = s.id", source_alias="s", target_alias="t")
        merge.when_matched_update_all().when_not_matched_insert_all().execute()
        return rows

    return arrow(place, write, lambda: at().to_pyarrow_dataset()) | {
        "base": lambda _: at().restore(0) if at().version() else None,
        "upsert": upsert,
        "filter": lambda _: at().delete(f"{place.number} > {place.cut}") and rows,
    }


def oxen(place: Place) -> Works:
    import oxen as library, oxen.user

    tree, place.store = place.store, f"{place.store}/.oxen"  # what it stores, and beside that the working copy
    os.mkdir(tree)
    oxen.user.config_user("Bench", "bench@example.com")
    repository = library.Repo(tree)
    repository.init()
    shutil.copy(place.file("base"), f"{tree}/rows.jsonl")
    return {
        "base": lambda name: shutil.copy(place.file(name), f"{tree}/rows.jsonl"),
        "commit": lambda name: (repository.add("rows.jsonl"), repository.commit(name)),
        "branch": lambda: repository.checkout("other", create=True),
        "checkout": lambda: repository.checkout("main"),
    }


def doltlite(place: Place) -> Works:
    import doltlite  # noqa: F401 (from here on sqlite3 is doltlite's)
    import sqlite3

    os.mkdir(place.store)
    os.mkdir(place.singles)
    single = [tuple(row.to_pylist()[0].values()) for row in single_rows(place)]
    database = sqlite3.connect(f"{place.store}/rows.db", isolation_level=None)

    def sql(text: str, *values: object) -> int:
        return sum(1 for _ in database.execute(text, values))

    def rows() -> int:
        return sql("select id from data")

    def values(line: str) -> tuple:
        return tuple(json.dumps(value) if isinstance(value, list) else value for value in json.loads(line).values())

    def singles() -> int:
        other = sqlite3.connect(f"{place.singles}/rows.db", isolation_level=None)
        other.execute("create table data(id text primary key, number integer, kind text, time integer, score real, isNew integer,"
                      " url text, text text)")
        for row in single:
            other.execute("insert into data values(?, ?, ?, ?, ?, ?, ?, ?)", row)
            other.execute("select dolt_commit('-A', '-m', 'one row')").fetchall()
        return len(single)

    def save(name: str) -> Callable:
        sql("select dolt_commit('--allow-empty', '-A', '-m', ?)", name)
        return rows

    def put(name: str, whole: bool) -> Callable:
        with open(place.file(name), encoding="utf-8") as file:
            first = json.loads(file.readline())
            sql("begin")
            if whole:
                kinds = [{int: "integer", float: "real"}.get(type(value), "text") for value in first.values()]
                columns = [f"{field} {kind}{' primary key' * (field == 'id')}" for field, kind in zip(first, kinds)]
                sql("drop table if exists data")
                sql(f"create table data({', '.join(columns)})")
            file.seek(0)
            insert = f"insert or replace into data values({', '.join('?' * len(first))})"
            database.executemany(insert, (values(line) for line in file))
        sql("commit")
        return save(name)

    return {
        "base": lambda name: (sql("select dolt_branch(?, 'first')", name), sql("select dolt_checkout(?)", name)),
        "commit": lambda name: put(name, True),
        "scan": lambda: sql("select * from data"),
        "number": lambda: sql(f"select {place.number} from data"),
        "column": lambda: sql(f"select {place.column} from data"),
        "sorted": lambda: sql(f"select * from data where {place.sorted_where}"),
        "count": lambda: database.execute(f"select count(*) from data where {place.where}").fetchone()[0],
        "lookup": lambda: sql("select * from data where id = ?", place.id),
        "singles": singles,
        "tag": lambda: sql("select dolt_tag('first')"),
        "branch": lambda: sql("select dolt_branch('other')"),
        "checkout": lambda: sql("select dolt_checkout('other')"),
        "upsert": lambda name: put(name, False),
        "filter": lambda name: (sql(f"delete from data where {place.number} > ?", place.cut), save(name))[1],
        "diff": lambda name: sql("select * from dolt_diff_data('first', ?)", name),
    }


SYSTEMS = {"dsv": dsv, "command": command, "lance": lance, "parquet": parquet, "parquet+cdc": parquet_cdc, "delta": delta,
           "oxen": oxen, "doltlite": doltlite, "floor": floor}
# Who commits again, and who upserts little: the others write all anew whatever has changed.
VERSIONING = ("dsv", "command", "parquet+cdc", "floor")
UPSERTING = ("dsv", "command", "lance", "doltlite", "floor")


def works(counts: dict[str, int]) -> list[tuple]:
    """Each work: its title, the name of what does it, the rows to expect, the version that it makes or is about."""
    rows = counts["base"]
    return [("process start", "start", None), ("parse JSONL only", "parse", rows), ("ingest JSONL", "commit", rows, "base"),
            ("scan all columns", "scan", rows), ("stream all columns", "stream", rows), ("export as JSONL", "export", None),
            ("one numeric column", "number", rows), ("largest column", "column", rows),
            ("1 % of sorted rows", "sorted", counts["sorted"]), ("count where", "count", counts["where"]),
            ("1,000 random rows", "take", 1000), ("100 single rows, warm", "take each", 100), ("open, one row", "open, take", 1),
            ("open, one row, cold", "take cold", 1),
            ("one row by key", "lookup", 1),
            ("tag", "tag", None), ("branch", "branch", None), ("checkout", "checkout", None), ("archive", "archive", None),
            *((f"commit again: {kind}", "commit", counts[kind], kind) for kind in MUTATIONS),
            ("upsert 1 %", "upsert", rows, "upsert"), ("upsert 1,000, indexed", "upsert", rows, "thousand"),
            ("upsert 1 row", "upsert", rows, "one"), ("filter out 10 %", "filter", counts["filter"], "filter"),
            ("diff 1 row", "diff", 1, "one"), ("diff 1 %", "diff", counts["upsert"], "upsert"),
            ("1,000 one-row commits", "singles", SINGLES)]


# Works whose memory, and whose reading, is told.
PEAKS = ("commit", "scan", "stream", "export", "upsert", "filter", "diff")
# Those that take long enough for it; what earlier works left is given back before, so that the figure is their own.
TRIMMED = ("stream", "export", "filter")
READS = ("scan", "number", "sorted")


def processor_seconds() -> float:
    """Of this process and of those that it ran."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


class Round:
    """Does the works of one system and reports what they took."""

    def __init__(self, name: str, place: Place, results: str) -> None:
        self.name, self.place, self.results = name, place, results

    def report(self, **line: object) -> None:
        with open(self.results, "a", encoding="utf-8") as out:
            out.write(json.dumps({"system": self.name, **line}) + "\n")

    def run(self) -> None:
        try:
            bodies = SYSTEMS[self.name](self.place)
        except ImportError as error:
            return self.report(missing=str(error))
        for work, body, expected, *version in works(self.place.counts):
            sensible = (VERSIONING if body == "commit" and version != ["base"] else
                        UPSERTING if body == "upsert" and version != ["upsert"] else SYSTEMS)
            if body in bodies and (self.name in sensible or os.environ.get("DSV_BENCH_ALL")):
                try:
                    self.do(bodies, work, body, expected, version)
                except Exception as error:
                    self.report(work=work, failed=f"{type(error).__name__}: {error}"[:200])
            if "new bytes" in bodies and body != "diff" and version and version != ["base"]:
                self.report(work=f"{work}: new MB", value=bodies["new bytes"](*version) / 1e6)

    def do(self, bodies: Works, work: str, body: str, expected: int | None, version: list[str]) -> None:
        place, makes = self.place, version and body != "diff" and "new bytes" not in bodies
        if makes and version != ["base"] and "base" in bodies:
            bodies["base"](*version)
        bodies.get(f"before {version[0]}" if version else "", lambda: None)()
        gc.collect()
        if body in TRIMMED or version == ["base"]:
            place.process.trim()
        size = bodies.get("size", lambda: sum(files(place.store)))
        before = size() if makes else 0
        place.process.forget_peak()
        read, cpu, began = place.process.bytes_read(), processor_seconds(), time.perf_counter()
        got = bodies[body](*version)
        line = {"value": time.perf_counter() - began, "cpu": processor_seconds() - cpu}
        if isinstance(got, Timed):
            line, got = {"value": got.seconds} | ({"cpu": got.cpu} if got.cpu is not None else {}), got.count
        self.report(work=work, **line)
        if "new bytes" not in bodies:
            if makes:
                self.report(work=f"{work}: new MB", value=(size() - before) / 1e6)
            if body in PEAKS and (not version or version[0] in ("base", "upsert", "filter")):
                self.report(work=f"{work}: peak MB", value=place.process.peak() / 1e6)
            if body in READS and place.process.child_peak is None:
                self.report(work=f"{work}: read MB", value=(place.process.bytes_read() - read) / 1e6)
            if body == "archive":
                self.report(work=f"{work}: MB", value=sum(files(place.singles)) / 1e6)
            if body == "singles":
                self.report(work=f"{work}: MB", value=sum(files(place.singles)) / 1e6)
                self.report(work=f"{work}: files", value=len(files(place.singles)))
        got = got() if callable(got) else getattr(got, "num_rows", got)
        if isinstance(got, int) and expected is not None and got != expected:
            self.report(work=work, failed=f"{got} rows, not {expected}")


if __name__ == "__main__":
    system, data, home, results, *programs = sys.argv[1:]
    os.environ["HOME"] = home
    Round(system, Place(data, home, *programs), results).run()
