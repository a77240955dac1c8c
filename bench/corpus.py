"""The rows that are measured: mutated versions of a corpus. Seeds are fixed: the same corpus gives the same rows."""

import json, random, sys
from collections import Counter
from collections.abc import Iterator

# 1 % of the rows edited anywhere, new in the middle, new at the end, taken out in a block; 10 % taken out anywhere; a new
# column; all rows shuffled.
MUTATIONS = ("edit", "insert", "append", "delete", "drop", "column", "reorder")


def changed(line: str, note: str, **fields: str) -> str:
    row = json.loads(line)
    return json.dumps(row | {"text": f"{row['text']} {note}"} | fields, ensure_ascii=False) + "\n"


def mutated(lines: list[str], kind: str) -> Iterator[str]:
    rng, count = random.Random(f"dsv {kind}"), len(lines)
    part = count // 100
    some = sorted(rng.sample(range(count), {"drop": count // 10, "one": 1}.get(kind, part)))
    if kind in ("upsert", "one"):  # no whole version: the rows that replace some
        return (changed(lines[i], kind) for i in some)
    if kind == "delete":
        return iter(lines[: count // 3] + lines[count // 3 + part :])
    if kind == "column":
        return (f'{line.rstrip()[:-1]}, "score": {rng.random():.6f}}}\n' for line in lines)
    if kind == "reorder":
        return iter(rng.sample(lines, count))
    if kind in ("insert", "append"):
        middle = count if kind == "append" else count // 2
        return iter(lines[:middle] + [changed(lines[i], kind, id=f"{kind}-{i}") for i in some] + lines[middle:])
    picked = set(some)  # edit, drop
    return (changed(line, kind) if i in picked else line for i, line in enumerate(lines) if kind == "edit" or i not in picked)


def prepare(source: str, folder: str) -> None:
    """Write base.jsonl, each mutation and what measuring needs to know (facts.json) to the folder."""
    with open(source, encoding="utf-8") as file:
        lines = [line for line in file if line.strip()]
    rows = [(row["id"], row["lang"], row["bytes"]) for row in map(json.loads, lines)]
    if len(rows) < 100 or len({row[0] for row in rows}) < len(rows):
        sys.exit("the corpus needs 100 rows or more, and an id that no other row has")
    cut = sorted(size for _, _, size in rows)[len(rows) * 9 // 10]
    lang = Counter(lang for _, lang, _ in rows if lang).most_common(1)[0][0]
    counts = {}
    for kind in ("base", *MUTATIONS, "upsert", "one"):
        with open(f"{folder}/{kind}.jsonl", "w", encoding="utf-8") as out:
            counts[kind] = sum(out.write(line) > 0 for line in (lines if kind == "base" else mutated(lines, kind)))
    counts |= {"filter": sum(size <= cut for _, _, size in rows), "where": sum(row[1] == lang and row[2] > cut for row in rows)}
    with open(f"{folder}/facts.json", "w", encoding="utf-8") as out:
        json.dump({"cut": cut, "lang": lang, "id": rows[len(rows) * 2 // 3][0], "counts": counts}, out)


if __name__ == "__main__":
    prepare(*sys.argv[1:])
