"""What dsv's figures may be at most, from the figures of the same run."""

from collections.abc import Callable

# Not peers.
OURS = ("dsv", "command", "floor")

FIRST, SCAN = "ingest JSONL", "scan all columns"
# By work: (factor, of what work's figure, of whom, plus). The smallest counts.
TARGETS: dict[str, list[tuple[float, str, str, float]]] = {
    FIRST: [(0.2, FIRST, "lance", 0), (0.5, FIRST, "oxen", 0)],
    f"{FIRST}: new MB": [(0.8, f"{FIRST}: new MB", "lance", 0), (1.25, f"{FIRST}: new MB", "parquet", 0)],
    SCAN: [(0.5, SCAN, "lance", 0), (1, SCAN, "parquet", 0)],
    "one numeric column": [(0.1, SCAN, "dsv", 0)],
    "1 % of sorted rows": [(0.1, SCAN, "dsv", 0)],
    "1,000 random rows": [(1, "1,000 random rows", "lance", 0)],
    "100 single rows, warm": [(0.2, "100 single rows, warm", "lance", 0)],
    "open, one row": [(0.2, "open, one row", "lance", 0)],
    "open, one row, cold": [(0.2, "open, one row, cold", "lance", 0)],
    "archive: MB": [(0.95, f"{FIRST}: new MB", "parquet", 0)],
    "filter out 10 %: new MB": [(1.2, "filter out 10 %: new MB", "floor", 64 * 1024 / 1e6)],
    "diff 1 row": [(1, "diff 1 row", "doltlite", 0)],
    "1,000 one-row commits": [(2, "1,000 one-row commits", "floor", 0)],
    "commit again: edit: new MB": [(0.15, f"{FIRST}: new MB", "dsv", 0)],
    "commit again: drop: new MB": [(0.15, f"{FIRST}: new MB", "dsv", 0)],
    "commit again: reorder: new MB": [(0.02, f"{FIRST}: new MB", "dsv", 0)],
    "commit again: column: new MB": [(1.3, "commit again: column: new MB", "floor", 0)],
}
for kind in ("insert", "append", "delete"):
    TARGETS[f"commit again: {kind}: new MB"] = [(1.3, f"commit again: {kind}: new MB", "floor", 256 * 1024 / 1e6)]
for kind in ("edit", "insert", "append", "delete", "drop", "column", "reorder"):
    TARGETS[f"commit again: {kind}"] = [(0.5 if kind in ("edit", "drop") else 0.4, FIRST, "dsv", 0)]
    TARGETS[f"commit again: {kind}: new MB"] += [(1, f"commit again: {kind}: new MB", "parquet+cdc", 0)]
for kind in ("upsert 1 %", "upsert 1,000, indexed"):
    for work in (kind, f"{kind}: new MB"):
        TARGETS[work] = [(1, work, "lance", 0)]
# Seconds, MB.
FIXED = {"tag": 0.002, "branch": 0.002, "checkout": 0.002, "upsert 1,000, indexed": 0.05, "1,000 one-row commits: MB": 12.288}
PEAK = 400
# Of the command, which starts for it.
COMMAND = {"tag": 0.025, "branch": 0.025, "checkout": 0.025}


def target(work: str, median: Callable[[str, str], float | None]) -> float | None:
    bounds = [FIXED[work]] if work in FIXED else []
    # A scan of all columns holds them all.
    if work.endswith(": peak MB") and not work.startswith(SCAN):
        bounds.append(PEAK)
    for factor, other, system, plus in TARGETS.get(work, []):
        if (value := median(other, system)) is not None:
            bounds.append(factor * value + plus)
    return min(bounds, default=None)
