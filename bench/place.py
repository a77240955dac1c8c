"""Where a system finds the rows and keeps its store, and what its process used."""

import ctypes, gc, json, os, random, sys
from collections.abc import Callable

Works = dict[str, Callable]


def trim_self() -> None:
    gc.collect()
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].default_memory_pool().release_unused()
    ctypes.CDLL(None).malloc_trim(0)


class Process:
    """What a process used."""

    def __init__(self, number: int | str) -> None:
        self.folder = f"/proc/{number}"
        # What its last child took, where children do its works.
        self.child_peak: int | None = None
        # Gives memory that nothing holds back to the system.
        self.trim: Callable = trim_self

    def forget_peak(self) -> None:
        with open(f"{self.folder}/clear_refs", "w") as file:
            file.write("5")

    def peak(self) -> int:
        """The most memory since it was forgotten."""
        if self.child_peak is not None:
            return self.child_peak
        with open(f"{self.folder}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) * 1024

    def bytes_read(self) -> int:
        with open(f"{self.folder}/io") as file:
            return int(file.readline().split()[1])


class Place:
    def __init__(self, data: str, home: str, command: str, server: str) -> None:
        self.data, self.store, self.singles = data, f"{home}/store", f"{home}/singles"
        self.command, self.server = command, server
        with open(f"{data}/facts.json", encoding="utf-8") as file:
            facts = json.load(file)
        self.id, self.cut, self.counts = facts["id"], facts["cut"], facts["counts"]
        # A number that conditions ask for, and the largest column.
        self.number, self.column = facts["number"], facts["column"]
        rows = self.counts["base"]
        self.half, self.first, self.last = rows // 2, rows // 3, rows // 3 + rows // 100
        self.where = f"{self.number} > {self.cut} and row < {self.half}"
        self.sorted_where = f"row >= {self.first} and row < {self.last}"
        # Whose memory and reading are measured.
        self.process = Process("self")

    def file(self, name: str) -> str:
        return f"{self.data}/{name}.jsonl"

    def random_rows(self, count: int) -> list[int]:
        rng = random.Random(7)
        return [rng.randrange(self.counts["base"]) for _ in range(count)]


def files(folder: str) -> list[int]:
    """The size of each file under a folder."""
    return [os.lstat(os.path.join(at, name)).st_size for at, _, names in os.walk(folder) for name in names]


def forget(folder: str) -> None:
    """Take the files under a folder out of the system's cache, but for what a process has mapped."""
    os.sync()
    for at, _, names in os.walk(folder):
        for name in names:
            file = os.open(os.path.join(at, name), os.O_RDONLY)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)
