"""What dsv does for each work, as a library and as a command, and the least that any store must do."""

import json, math, os, statistics, subprocess
from collections.abc import Callable
from dataclasses import dataclass

from place import Place, Process, Works, forget


@dataclass
class Timed:
    """A work that its doer timed itself."""

    count: int
    seconds: float
    cpu: float | None = None


class Library:
    """`DSVBench --serve`: the library in a process that stays."""

    def __init__(self, command: str) -> None:
        self.process = subprocess.Popen([command, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, *words: object) -> Timed:
        self.process.stdin.write("\t".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "DSVBench ended"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return Timed(**answer)

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def dsv(place: Place) -> Works:
    call = Library(place.server)
    place.process = Process(call.process.pid)
    call("init", place.store)
    place.process.trim = lambda: call("trim")
    rows = ",".join(map(str, place.random_rows(1000)))
    few = ",".join(map(str, place.random_rows(100)))

    def base(name: str) -> None:
        call("branch", name, "v1")
        call("checkout", name)

    def singles() -> Callable:
        call("init", place.singles)
        done = call("singles", f"{place.data}/singles")
        call("gc")  # as the target says it; not timed
        call("init", place.store)
        return done

    def cold() -> Timed:
        """Each row from a process of its own, which has opened nothing yet."""
        seconds = []
        for row in few.split(",")[:5]:
            other = Library(place.server)
            other("at", place.store)
            forget(place.store)
            seconds.append(other("open-take", "v1", row).seconds)
            other.end()
        return Timed(1, statistics.median(seconds))

    return {
        "base": base,
        "take cold": cold,
        "commit": lambda name: call("commit", place.file(name), "replace", "id"),
        "scan": lambda: call("scan", "v1", "", ""),
        "stream": lambda: call("stream", "v1", "", ""),
        "export": lambda: call("export", "v1"),
        "number": lambda: call("scan", "v1", place.number, ""),
        "column": lambda: call("scan", "v1", place.column, ""),
        "sorted": lambda: call("scan", "v1", "", place.sorted_where),
        "count": lambda: call("stream", "v1", place.number, place.where),
        "lookup": lambda: call("scan", "v1", "", f"id = '{place.id}'"),
        "take": lambda: call("take", "v1", rows),
        "take each": lambda: call("take-each", "v1", few),
        "open, take": lambda: call("open-take", "v1", few.split(",")[0]),
        "tag": lambda: call("tag", "first", "v1"),
        "branch": lambda: call("branch", "other", "v1"),
        "checkout": lambda: call("checkout", "other"),
        "upsert": lambda name: call("commit", place.file(name), "upsert", ""),
        "filter": lambda _: call("transform", f"stages:;  - where: {place.number} <= {place.cut}"),
        "diff": lambda name: call("diff", "v1", name),
        "singles": singles,
    }


def command(place: Place) -> Works:
    out, recipe = f"{place.store}.out", f"{place.store}.yaml"

    def call(*arguments: str, field: str = "") -> Callable | None:
        """Run the command; what is returned reads a field of the last line that it wrote."""
        with open(out, "wb") as file:
            process = subprocess.Popen([place.command, *arguments, "-C", place.store, "--quiet"], stdout=file)
            _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        place.process.child_peak = used.ru_maxrss * 1024
        if process.returncode:
            raise RuntimeError(f"dsv {' '.join(arguments)} ended with {process.returncode}")

        def read() -> int:
            with open(out, "rb") as file:
                return json.loads(file.readlines()[-1])[field]

        return read if field else None

    def commit(name: str, *how: str) -> Callable | None:
        return call("commit", place.file(name), *how, "-m", name, "--json", field="rows")

    def archive() -> None:
        """In a repository of its own, which has this version alone."""
        place.store, store = place.singles, place.store
        try:
            os.mkdir(place.store)
            call("init")
            commit("base", "--key", "id")
            call("compact", "--archive")
            call("gc", "--keep-days", "0")
        finally:
            place.store = store

    os.mkdir(place.store)
    call("init")
    with open(recipe, "w", encoding="utf-8") as file:
        file.write(f"stages:\n  - where: {place.number} <= {place.cut}\n")
    return {
        "base": lambda name: (call("branch", name, "v1"), call("checkout", name)),
        "start": lambda: call("--version"),
        "commit": lambda name: commit(name, "--key", "id"),
        "export": lambda: call("export", "v1", "-o", "/dev/null"),
        "count": lambda: call("count", "v1", "--where", place.where, "--json", field="rows"),
        "lookup": lambda: call("export", "v1", "--where", f"id = '{place.id}'"),
        "tag": lambda: call("tag", "first", "v1"),
        "branch": lambda: call("branch", "other", "v1"),
        "checkout": lambda: call("checkout", "other"),
        **({"archive": archive} if os.environ.get("DSV_BENCH_ARCHIVE") else {}),
        "upsert": lambda name: commit(name, "--upsert"),
        "filter": lambda name: call("transform", "--recipe", recipe, "-m", name, "--json", field="rows"),
        "diff": lambda name: call("diff", "v1", name, "--cells", "--json", field="changed"),
    }


def floor(place: Place) -> Works:
    """The parts that nobody gets around, on all cores: parse, hash, compress, decompress; new rows, compressed."""
    import pyarrow as pa

    call, cores = Library(place.server), os.cpu_count() or 1
    size = os.path.getsize(place.file("base"))
    # Seconds for a byte on one core, of JSONL text.
    per_byte = {work: (done := call(work, place.file("base"))).seconds / done.count
                for work in ("parse", "hash", "compress", "decompress")}

    def seconds(*works: str, name: str = "base") -> Timed:
        return Timed(place.counts[name], sum(per_byte[work] for work in works) * size / cores)

    def new(name: str) -> int:
        """The bytes of what is new in a version, compressed at level 3 as one; 0 where nothing is."""
        if name == "filter":
            p = place.counts["filter"] / place.counts["base"]
            return int(place.counts["base"] * -(p * math.log2(p) + (1 - p) * math.log2(1 - p)) / 8)
        if not os.path.exists(path := f"{place.data}/{name}.new"):
            return 0
        with open(path, "rb") as file:
            return pa.Codec("zstd", 3).compress(file.read()).size

    return {
        "new bytes": new,
        "parse": lambda: seconds("parse"),
        "commit": lambda name: seconds("parse", "hash", *(["compress"] if name == "base" else []), name=name),
        "scan": lambda: seconds("decompress"),
        "stream": lambda: seconds("decompress"),
        "singles": lambda: call("bare-loop", f"{place.store}.loop", 1000),
    }
