"""What each system does for each work. Run as a process of its own for each round: systems.py SYSTEM DATA HOME RESULTS DSV."""

import gc, hashlib, json, os, shutil, subprocess, sys, time
from typing import Any, Callable

from corpus import MUTATIONS


class System:
    """A method is a work; one that a system lacks it cannot do. Rows are returned where they can be counted, and checked."""

    def __init__(self, data: str, home: str, dsv: str) -> None:
        self.data, self.path, self.dsv = data, f"{home}/store", dsv
        with open(f"{data}/facts.json", encoding="utf-8") as file:
            self.facts = json.load(file)
        self.where = f"lang = '{self.facts['lang']}' and bytes > {self.facts['cut']}"

    def size(self) -> int:
        return sum(os.lstat(os.path.join(at, name)).st_size for at, _, names in os.walk(self.path) for name in names)

    def peak(self) -> int:
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))

    def base(self, name: str) -> None:
        """Go back to the first version, outside of what is timed, to make the version `name` from it."""


class DSV(System):
    """The command: each work is a process."""

    highest = 0

    def __init__(self, *arguments: str) -> None:
        super().__init__(*arguments)
        self.out = f"{self.path}.out"
        self.call("init", self.path, folder=None)
        with open(f"{self.path}.yaml", "w", encoding="utf-8") as file:
            file.write(f"stages:\n  - where: bytes <= {self.facts['cut']}\n")

    def call(self, *arguments: str, folder: str | None = "store") -> None:
        place = ["-C", self.path] if folder else []
        with open(self.out, "wb") as out:
            process = subprocess.Popen([self.dsv, *arguments, *place, "--quiet"], stdout=out)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.highest = max(self.highest, usage.ru_maxrss * 1024)
        if process.returncode:
            raise RuntimeError(f"dsv {' '.join(arguments)} ended with {process.returncode}")

    def answer(self, field: str) -> int:
        """A field of the last line that the last command wrote."""
        with open(self.out, "rb") as file:
            file.seek(max(0, os.path.getsize(self.out) - 4096))
            return json.loads(file.read().splitlines()[-1])[field]

    def peak(self) -> int:
        return self.highest

    def base(self, name: str) -> None:
        self.call("branch", name, "v1")
        self.call("checkout", name)

    def start(self) -> None:
        subprocess.run([self.dsv, "--version"], stdout=subprocess.DEVNULL, check=True)

    def ingest(self) -> int:
        return self.commit("base")

    def commit(self, name: str, *options: str) -> int:
        self.call("commit", f"{self.data}/{name}.jsonl", *(options or ("--key", "id")), "-m", name, "--json")
        return self.answer("rows")

    def export(self) -> None:
        self.call("export", "v1", "-o", "/dev/null")

    scan = export

    def column(self) -> None:
        self.call("export", "v1", "--columns", "text", "-o", "/dev/null")

    def count(self) -> int:
        self.call("count", "v1", "--where", self.where, "--json")
        return self.answer("rows")

    def lookup(self) -> None:
        self.call("export", "v1", "--where", f"id = '{self.facts['id']}'")

    def branch(self) -> None:
        self.call("branch", "other", "v1")

    def tag(self) -> None:
        self.call("tag", "first", "v1")

    def checkout(self) -> None:
        self.call("checkout", "other")

    def upsert(self, name: str) -> int:
        return self.commit(name, "--upsert")

    def filter(self) -> int:
        self.call("transform", "--recipe", f"{self.path}.yaml", "-m", "filter", "--json")
        return self.answer("rows")

    def diff(self, name: str) -> int:
        self.call("diff", "v1", name, "--cells", "--json")
        return self.answer("changed")


class Arrow(System):
    """What the peers that hold Arrow tables share. Subclasses say how a table is written, read and queried."""

    def __init__(self, *arguments: str) -> None:
        super().__init__(*arguments)
        import polars, pyarrow, pyarrow.dataset, pyarrow.json

        self.pa, self.polars = pyarrow, polars
        self.start_up()

    def start_up(self) -> None: ...

    def parsed(self, name: str) -> Any:
        options = self.pa.json.ReadOptions(block_size=64 << 20)
        return self.pa.json.read_json(f"{self.data}/{name}.jsonl", read_options=options)

    def selected(self, dataset: Any) -> int:
        field = self.pa.dataset.field
        return dataset.count_rows(filter=(field("lang") == self.facts["lang"]) & (field("bytes") > self.facts["cut"]))

    def read(self, columns: list[str] | None = None) -> Any: ...

    def write(self, name: str, table: Any) -> None: ...

    def ingest(self) -> int:
        return self.commit("base")

    def commit(self, name: str) -> int:
        table = self.parsed(name)
        self.write(name, table)
        return table.num_rows

    def scan(self) -> int:
        return self.read().num_rows

    def column(self) -> int:
        return self.read(["text"]).num_rows

    def export(self) -> None:
        self.polars.from_arrow(self.read()).write_ndjson("/dev/null")


class Parquet(Arrow):
    options: dict[str, Any] = {}

    def start_up(self) -> None:
        import pyarrow.parquet

        self.parquet = pyarrow.parquet
        os.mkdir(self.path)

    def parse(self) -> int:
        return self.parsed("base").num_rows

    def write(self, name: str, table: Any) -> None:
        self.parquet.write_table(table, f"{self.path}/{name}", compression="zstd", compression_level=3, **self.options)

    def read(self, columns: list[str] | None = None) -> Any:
        return self.parquet.read_table(f"{self.path}/base", columns=columns)

    def count(self) -> int:
        return self.selected(self.pa.dataset.dataset(f"{self.path}/base"))

    def lookup(self) -> int:
        return self.parquet.read_table(f"{self.path}/base", filters=[("id", "=", self.facts["id"])]).num_rows

    def upsert(self, name: str) -> int:
        old, new = self.read(), self.parsed(name)
        kept = old.filter(self.pa.compute.invert(self.pa.compute.is_in(old["id"], new["id"].combine_chunks())))
        self.write(name, self.pa.concat_tables([kept, new]))
        return kept.num_rows + new.num_rows

    def filter(self) -> int:
        table = self.read()
        table = table.filter(self.pa.compute.less_equal(table["bytes"], self.facts["cut"]))
        self.write("filter", table)
        return table.num_rows


class ParquetCDC(Parquet):
    options = {"use_content_defined_chunking": True}

    def start_up(self) -> None:
        super().start_up()
        self.files: dict[str, tuple[int, dict[bytes, int]]] = {}

    def size(self) -> int:
        """As if a store kept equal pages once: the sizes of distinct pages, and of what is not pages."""
        for name in set(os.listdir(self.path)) - set(self.files):
            pages, rest = {}, os.path.getsize(f"{self.path}/{name}")
            with open(f"{self.path}/{name}", "rb") as file:
                groups = self.parquet.read_metadata(f"{self.path}/{name}")
                for group in map(groups.row_group, range(groups.num_row_groups)):
                    for column in map(group.column, range(group.num_columns)):
                        start = column.dictionary_page_offset or column.data_page_offset
                        file.seek(min(start, column.data_page_offset))
                        rest -= column.total_compressed_size
                        for page in pages_of(file.read(column.total_compressed_size)):
                            pages[hashlib.blake2b(page, digest_size=16).digest()] = len(page)
            self.files[name] = (rest, pages)
        distinct = {digest: size for _, pages in self.files.values() for digest, size in pages.items()}
        return sum(distinct.values()) + sum(rest for rest, _ in self.files.values())


def pages_of(chunk: bytes) -> list[bytes]:
    """The pages of a Parquet column chunk. Each begins with a Thrift struct whose field 3 is the size of what follows it."""

    def varint(at: int) -> tuple[int, int]:
        value, shift = 0, 0
        while chunk[at] & 128:
            value, shift, at = value | (chunk[at] & 127) << shift, shift + 7, at + 1
        return value | chunk[at] << shift, at + 1

    def fields(at: int) -> tuple[dict[int, int], int]:
        found, number = {}, 0
        while chunk[at]:
            kind, step, at = chunk[at] & 15, chunk[at] >> 4, at + 1
            if not step:
                raise ValueError("a Thrift field number in full, which no page header has")
            number += step
            if kind == 12:
                _, at = fields(at)
            elif kind == 8:
                length, at = varint(at)
                at += length
            elif kind in (4, 5, 6):
                found[number], at = varint(at)
            elif kind not in (1, 2):
                raise ValueError(f"a Thrift field of kind {kind}, which no page header has")
        return found, at + 1

    pages, at = [], 0
    while at < len(chunk):
        header, body = fields(at)
        end = body + (header[3] >> 1)  # zigzag, and never negative
        pages.append(chunk[at:end])
        at = end
    return pages


class Lance(Arrow):
    def start_up(self) -> None:
        import lance

        self.lance = lance

    def base(self, name: str) -> None:
        self.lance.dataset(self.path, version=1).restore()

    def write(self, name: str, table: Any) -> None:
        self.lance.write_dataset(table, self.path, mode="overwrite")

    def read(self, columns: list[str] | None = None) -> Any:
        return self.lance.dataset(self.path).to_table(columns=columns)

    def count(self) -> int:
        return self.lance.dataset(self.path).count_rows(filter=self.where)

    def lookup(self) -> int:
        return self.lance.dataset(self.path).to_table(filter=f"id = '{self.facts['id']}'").num_rows

    def branch(self) -> None:
        self.lance.dataset(self.path).create_branch("other", 1)

    def tag(self) -> None:
        self.lance.dataset(self.path).tags.create("first", 1)

    def checkout(self) -> None:
        self.lance.dataset(self.path).checkout_version("first")

    def upsert(self, name: str) -> int:
        merge = self.lance.dataset(self.path).merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
        merge.execute(self.parsed(name))
        return self.lance.dataset(self.path).count_rows

    def filter(self) -> int:
        self.lance.dataset(self.path).delete(f"bytes > {self.facts['cut']}")
        return self.lance.dataset(self.path).count_rows


class Delta(Arrow):
    def start_up(self) -> None:
        import deltalake

        self.delta = deltalake

    def base(self, name: str) -> None:
        table = self.delta.DeltaTable(self.path)
        if table.version():
            table.restore(0)

    def write(self, name: str, table: Any) -> None:
        self.delta.write_deltalake(self.path, table, mode="overwrite", schema_mode="overwrite")

    def read(self, columns: list[str] | None = None) -> Any:
        return self.delta.DeltaTable(self.path).to_pyarrow_table(columns=columns)

    def count(self) -> int:
        return self.selected(self.delta.DeltaTable(self.path).to_pyarrow_dataset())

    def lookup(self) -> int:
        return self.delta.DeltaTable(self.path).to_pyarrow_table(filters=[("id", "=", self.facts["id"])]).num_rows

    def upsert(self, name: str) -> int:
        merge = self.delta.DeltaTable(self.path).merge(self.parsed(name), "t.id = s.id", source_alias="s", target_alias="t")
        merge.when_matched_update_all().when_not_matched_insert_all().execute()
        return self.facts["rows"]

    def filter(self) -> int:
        self.delta.DeltaTable(self.path).delete(f"bytes > {self.facts['cut']}")
        return self.facts["kept"]


class Oxen(System):
    """Versions whole files."""

    def __init__(self, *arguments: str) -> None:
        super().__init__(*arguments)
        import oxen, oxen.user

        oxen.user.config_user("Bench", "bench@example.com")
        self.tree, self.path = self.path, f"{self.path}/.oxen"
        os.mkdir(self.tree)
        self.repo = oxen.Repo(self.tree)
        self.repo.init()
        self.base("base")

    def base(self, name: str) -> None:
        shutil.copy(f"{self.data}/{name}.jsonl", f"{self.tree}/rows.jsonl") if name != "filter" else None

    def ingest(self) -> None:
        self.commit("base")

    def commit(self, name: str) -> None:
        self.repo.add("rows.jsonl")
        self.repo.commit(name)

    def branch(self) -> None:
        self.repo.checkout("other", create=True)

    def checkout(self) -> None:
        self.repo.checkout("main")


class Doltlite(System):
    """Rows in a table of SQLite's SQL. It keeps them in the order of the key."""

    def __init__(self, *arguments: str) -> None:
        super().__init__(*arguments)
        import doltlite, sqlite3

        os.mkdir(self.path)
        self.base_made, self.db = False, sqlite3.connect(f"{self.path}/rows.db", isolation_level=None)

    def sql(self, text: str, *values: object) -> list[tuple]:
        return self.db.execute(text, values).fetchall()

    def base(self, name: str) -> None:
        self.sql("select dolt_branch(?, 'first')", name)
        self.sql("select dolt_checkout(?)", name)

    def put(self, name: str, whole: bool) -> int:
        with open(f"{self.data}/{name}.jsonl", encoding="utf-8") as file:
            rows = map(json.loads, file)
            first = next(rows)
            self.sql("begin")
            if whole:
                self.sql("drop table if exists data")
                kinds = ("primary key" if name == "id" else "" for name in first)
                types = ({int: "integer", float: "real"}.get(type(value), "text") for value in first.values())
                self.sql(f"create table data({', '.join(f'{n} {t} {k}' for n, t, k in zip(first, types, kinds))})")
            insert = f"insert or replace into data values({', '.join('?' * len(first))})"
            self.sql(insert, *first.values())
            self.db.executemany(insert, (tuple(row.values()) for row in rows))
        self.sql("commit")
        self.sql("select dolt_commit('--allow-empty', '-A', '-m', ?)", name)
        return lambda: self.sql("select count(*) from data")[0][0]

    def ingest(self) -> int:
        return self.put("base", True)

    def commit(self, name: str) -> int:
        return self.put(name, True)

    def upsert(self, name: str) -> int:
        return self.put(name, False)

    def scan(self) -> int:
        return sum(1 for _ in self.db.execute("select * from data"))

    def column(self) -> int:
        return sum(1 for _ in self.db.execute("select text from data"))

    def count(self) -> int:
        return self.sql(f"select count(*) from data where {self.where}")[0][0]

    def lookup(self) -> int:
        return len(self.sql("select * from data where id = ?", self.facts["id"]))

    def branch(self) -> None:
        self.sql("select dolt_branch('other')")

    def tag(self) -> None:
        self.sql("select dolt_tag('first')")

    def checkout(self) -> None:
        self.sql("select dolt_checkout('other')")

    def filter(self) -> int:
        self.sql("delete from data where bytes > ?", self.facts["cut"])
        self.sql("select dolt_commit('-A', '-m', 'filter')")
        return lambda: self.sql("select count(*) from data")[0][0]

    def diff(self, name: str) -> int:
        return sum(1 for _ in self.db.execute("select * from dolt_diff_data('first', ?)", (name,)))


SYSTEMS = {"dsv": DSV, "lance": Lance, "parquet": Parquet, "parquet+cdc": ParquetCDC, "delta": Delta, "oxen": Oxen,
           "doltlite": Doltlite}


def works(facts: dict[str, Any]) -> list[tuple[str, str, tuple, str | None, int | None]]:
    """Each work: its title, the method and its arguments, the version it makes, the rows to expect."""
    rows, part = facts["rows"], facts["part"]
    reading = [("process start", "start", (), None, None), ("parse JSONL only", "parse", (), None, rows),
               ("ingest JSONL", "ingest", (), "base", rows), ("scan all columns *", "scan", (), None, rows),
               ("export as JSONL", "export", (), None, None), ("one column *", "column", (), None, rows),
               ("count where", "count", (), None, facts["matching"]), ("one row by key", "lookup", (), None, 1),
               ("tag", "tag", (), None, None), ("branch", "branch", (), None, None), ("checkout", "checkout", (), None, None)]
    again = [(f"commit again: {kind}", "commit", (kind,), kind, facts["counts"][kind]) for kind in MUTATIONS]
    return reading + again + [
        ("upsert 1 %", "upsert", ("upsert",), "upsert", rows), ("upsert 1 row", "upsert", ("one",), "one", rows),
        ("filter out 10 %", "filter", (), "filter", facts["kept"]),
        ("diff 1 row", "diff", ("one",), None, 1), ("diff 1 %", "diff", ("upsert",), None, part)]


def main(name: str, data: str, home: str, results: str, dsv: str) -> None:
    os.environ["HOME"] = home

    def report(**line: object) -> None:
        with open(results, "a", encoding="utf-8") as out:
            out.write(json.dumps({"system": name, **line}) + "\n")

    try:
        system: System = SYSTEMS[name](data, home, dsv)
    except ImportError as error:
        return report(missing=str(error))
    for work, method, arguments, makes, expected in works(system.facts):
        body: Callable | None = getattr(system, method, None)
        if not body:
            continue
        try:
            if makes not in (None, "base"):
                system.base(makes)
            gc.collect()
            before, began = system.size() if makes else 0, time.perf_counter()
            got = body(*arguments)
            report(work=work, seconds=time.perf_counter() - began)
            got = got() if callable(got) else got
            if makes:
                report(work=f"{work}: new MB", megabytes=(system.size() - before) / 1e6)
            if makes == "base":
                report(work=f"{work}: peak MB", megabytes=system.peak() / 1e6)
            if got is not None and expected is not None and got != expected:
                report(work=work, failed=f"{got} rows, not {expected}")
        except Exception as error:
            report(work=work, failed=f"{type(error).__name__}: {error}"[:200])


if __name__ == "__main__":
    main(*sys.argv[1:])
