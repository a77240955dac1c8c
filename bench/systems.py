"""What each system does for each work. Run as a process of its own each round: systems.py SYSTEM DATA HOME RESULTS DSV.

A system is a function that returns its works by name; one that is not there it cannot do. A work may return the rows that it
met, or how to count them. `base` goes back to the first version, untimed, before the version `name` is made from it.
"""

import functools, gc, hashlib, json, os, resource, shutil, subprocess, sys, time
from collections.abc import Callable
from typing import Any

from corpus import MUTATIONS

Works = dict[str, Callable]


class Place:
    """Where a system finds the rows and keeps its store."""

    def __init__(self, data: str, home: str, command: str) -> None:
        self.data, self.store, self.command = data, f"{home}/store", command
        with open(f"{data}/facts.json", encoding="utf-8") as file:
            facts = json.load(file)
        self.id, self.lang, self.cut, self.counts = facts["id"], facts["lang"], facts["cut"], facts["counts"]
        self.where = f"lang = '{self.lang}' and bytes > {self.cut}"

    def file(self, name: str) -> str:
        return f"{self.data}/{name}.jsonl"

    def size(self) -> int:
        return sum(os.lstat(os.path.join(at, name)).st_size for at, _, names in os.walk(self.store) for name in names)


def dsv(place: Place) -> Works:
    out, recipe = f"{place.store}.out", f"{place.store}.yaml"

    def call(*arguments: str, field: str = "") -> Callable | None:
        """Run the command; what is returned reads a field of the last line that it wrote."""
        with open(out, "wb") as file:
            subprocess.run([place.command, *arguments, "-C", place.store, "--quiet"], stdout=file, check=True)

        def read() -> int:
            with open(out, "rb") as file:
                return json.loads(file.readlines()[-1])[field]

        return read if field else None

    def commit(name: str, *how: str) -> Callable | None:
        return call("commit", place.file(name), *how, "-m", name, "--json", field="rows")

    os.mkdir(place.store)
    call("init")
    with open(recipe, "w", encoding="utf-8") as file:
        file.write(f"stages:\n  - where: bytes <= {place.cut}\n")
    return {
        "base": lambda name: (call("branch", name, "v1"), call("checkout", name)),
        "start": lambda: call("--version"),
        "commit": lambda name: commit(name, "--key", "id"),
        "scan": lambda: call("export", "v1", "-o", "/dev/null"),
        "export": lambda: call("export", "v1", "-o", "/dev/null"),
        "column": lambda: call("export", "v1", "--columns", "text", "-o", "/dev/null"),
        "count": lambda: call("count", "v1", "--where", place.where, "--json", field="rows"),
        "lookup": lambda: call("export", "v1", "--where", f"id = '{place.id}'"),
        "tag": lambda: call("tag", "first", "v1"),
        "branch": lambda: call("branch", "other", "v1"),
        "checkout": lambda: call("checkout", "other"),
        "upsert": lambda name: commit(name, "--upsert"),
        "filter": lambda name: call("transform", "--recipe", recipe, "-m", name, "--json", field="rows"),
        "diff": lambda name: call("diff", "v1", name, "--cells", "--json", field="changed"),
    }


def parsed(place: Place, name: str, schema: Any = None) -> Any:
    """The rows as a table; few rows, which may be null throughout, need the schema of what they go into."""
    import pyarrow.json

    read, parse = pyarrow.json.ReadOptions(block_size=64 << 20), pyarrow.json.ParseOptions(explicit_schema=schema)
    return pyarrow.json.read_json(place.file(name), read, parse)


def arrow(place: Place, write: Callable, dataset: Callable, sql: bool = False) -> Works:
    """What systems that hold Arrow tables share: `write` a table as a version, read the newest as a `dataset`."""
    import polars
    from pyarrow.dataset import field

    where = place.where if sql else (field("lang") == place.lang) & (field("bytes") > place.cut)
    by_key = f"id = '{place.id}'" if sql else field("id") == place.id
    return {
        "commit": lambda name: write(name, parsed(place, name)),
        "scan": lambda: dataset().to_table(),
        "export": lambda: polars.from_arrow(dataset().to_table()).write_ndjson("/dev/null"),
        "column": lambda: dataset().to_table(columns=["text"]),
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
        "filter": lambda name: write(name, base().to_table(filter=ds.field("bytes") <= place.cut)),
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
        files = [parts(f"{place.store}/{name}") for name in os.listdir(place.store)]
        return sum(rest for rest, _ in files) + sum({key: size for _, found in files for key, size in found.items()}.values())

    return parquet(place, use_content_defined_chunking=True) | {"size": size}


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

    return arrow(place, write, at, sql=True) | {
        "base": lambda _: at(version=1).restore(),
        "tag": lambda: at().tags.create("first", 1),
        "branch": lambda: at().create_branch("other", 1),
        "checkout": lambda: at().checkout_version("first"),
        "upsert": upsert,
        "filter": lambda _: at().delete(f"bytes > {place.cut}") and at().count_rows,
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
        "filter": lambda _: at().delete(f"bytes > {place.cut}") and rows,
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
    database = sqlite3.connect(f"{place.store}/rows.db", isolation_level=None)

    def sql(text: str, *values: object) -> int:
        return sum(1 for _ in database.execute(text, values))

    def rows() -> int:
        return sql("select id from data")

    def save(name: str) -> Callable:
        sql("select dolt_commit('--allow-empty', '-A', '-m', ?)", name)
        return rows

    def put(name: str, whole: bool) -> Callable:
        with open(place.file(name), encoding="utf-8") as file:
            first, row = json.loads(file.readline()), json.loads
            sql("begin")
            if whole:
                kinds = [{int: "integer", float: "real"}.get(type(value), "text") for value in first.values()]
                columns = [f"{field} {kind}{' primary key' * (field == 'id')}" for field, kind in zip(first, kinds)]
                sql("drop table if exists data")
                sql(f"create table data({', '.join(columns)})")
            file.seek(0)
            insert = f"insert or replace into data values({', '.join('?' * len(first))})"
            database.executemany(insert, (tuple(row(line).values()) for line in file))
        sql("commit")
        return save(name)

    return {
        "base": lambda name: (sql("select dolt_branch(?, 'first')", name), sql("select dolt_checkout(?)", name)),
        "commit": lambda name: put(name, True),
        "scan": lambda: sql("select * from data"),
        "column": lambda: sql("select text from data"),
        "count": lambda: database.execute(f"select count(*) from data where {place.where}").fetchone()[0],
        "lookup": lambda: sql("select * from data where id = ?", place.id),
        "tag": lambda: sql("select dolt_tag('first')"),
        "branch": lambda: sql("select dolt_branch('other')"),
        "checkout": lambda: sql("select dolt_checkout('other')"),
        "upsert": lambda name: put(name, False),
        "filter": lambda name: (sql("delete from data where bytes > ?", place.cut), save(name))[1],
        "diff": lambda name: sql("select * from dolt_diff_data('first', ?)", name),
    }


SYSTEMS = dict(zip(("dsv", "lance", "parquet", "parquet+cdc", "delta", "oxen", "doltlite"),
                   (dsv, lance, parquet, parquet_cdc, delta, oxen, doltlite)))


def works(counts: dict[str, int]) -> list[tuple]:
    """Each work: its title, the name of what does it, the rows to expect, the version that it makes or is about."""
    rows = counts["base"]
    return [("process start", "start", None), ("parse JSONL only", "parse", rows), ("ingest JSONL", "commit", rows, "base"),
            ("scan all columns *", "scan", rows), ("export as JSONL", "export", None), ("one column *", "column", rows),
            ("count where", "count", counts["where"]), ("one row by key", "lookup", 1),
            ("tag", "tag", None), ("branch", "branch", None), ("checkout", "checkout", None),
            *((f"commit again: {kind}", "commit", counts[kind], kind) for kind in MUTATIONS),
            ("upsert 1 %", "upsert", rows, "upsert"), ("upsert 1 row", "upsert", rows, "one"),
            ("filter out 10 %", "filter", counts["filter"], "filter"),
            ("diff 1 row", "diff", 1, "one"), ("diff 1 %", "diff", counts["upsert"], "upsert")]


def usage(name: str) -> tuple[float, int]:
    """CPU seconds so far and the peak of memory, of this process or of those that it ran."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN if name == "dsv" else resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def main(name: str, data: str, home: str, results: str, command: str) -> None:
    os.environ["HOME"] = home
    place = Place(data, home, command)

    def report(**line: object) -> None:
        with open(results, "a", encoding="utf-8") as out:
            out.write(json.dumps({"system": name, **line}) + "\n")

    try:
        bodies = SYSTEMS[name](place)
    except ImportError as error:
        return report(missing=str(error))
    size = bodies.get("size", place.size)
    for work, body, expected, *version in (entry for entry in works(place.counts) if entry[1] in bodies):
        try:
            makes = version and body != "diff"
            if makes and version != ["base"] and "base" in bodies:
                bodies["base"](*version)
            gc.collect()
            before, cpu, began = size() if makes else 0, usage(name)[0], time.perf_counter()
            got = bodies[body](*version)
            report(work=work, value=time.perf_counter() - began, cpu=usage(name)[0] - cpu)
            if makes:
                report(work=f"{work}: new MB", value=(size() - before) / 1e6)
            if version == ["base"]:
                report(work=f"{work}: peak MB", value=usage(name)[1] / 1e6)
            got = got() if callable(got) else getattr(got, "num_rows", got)
            if isinstance(got, int) and expected is not None and got != expected:
                report(work=work, failed=f"{got} rows, not {expected}")
        except Exception as error:
            report(work=work, failed=f"{type(error).__name__}: {error}"[:200])


if __name__ == "__main__":
    main(*sys.argv[1:])
