"""The rows that are measured: tables of three shapes and mutated versions of them. Seeds are fixed: equal input, equal rows.

    corpus.py FOLDER SHAPE ROWS [SOURCE]

`documents` takes its rows from the file SOURCE; `short` and `tokens` make ROWS of them up. Every row gets a number, `row`, by
which the table is sorted. FOLDER gets base.jsonl, each mutation, for some KIND.new (just what is new in it), a folder of rows to
commit one by one, and facts.json.
"""

import array, json, os, random, sys
from collections.abc import Iterator

# 1 % of the rows edited anywhere, new in the middle, new at the end, taken out in a block, taken out anywhere; a new column; the
# two halves swapped.
MUTATIONS = ("edit", "insert", "append", "delete", "drop", "column", "reorder")
# No whole versions: the rows that replace 1 %, 1,000 (or 1 %) and one.
UPSERTS = ("upsert", "thousand", "one")
# For each shape a number that conditions ask for, and the largest column, which changes.
SHAPES = {"documents": ("bytes", "text"), "short": ("a", "t"), "tokens": ("length", "tokens")}
COLORS = ("red", "green", "blue", "white", "black", "grey")
SINGLES = 1000


def short(number: int, rng: random.Random) -> str:
    """Ten columns: a key of 20 bytes, integers, floats, a time, categories."""
    digits, a, b = f"{rng.getrandbits(64):020x}", rng.randrange(1_000_000), rng.randrange(1000)
    return (f'{{"id": "{digits}", "a": {a}, "b": {b % 100}, "x": {a / 64}, "y": {b / 8}, "t": "{COLORS[a % 6]}", '
            f'"u": {1_700_000_000 + number * 7}, "c": "{COLORS[b % 6]}", "f": {"true" if b % 2 else "false"}}}\n')


def tokens(number: int, rng: random.Random) -> str:
    """200 to 2,000 token numbers, the small ones often, as in texts."""
    length = rng.randrange(200, 2001)
    found = (str(int(50_000 ** rng.random())) for _ in range(length))
    return f'{{"id": "{rng.getrandbits(64):020x}", "length": {length}, "tokens": [{", ".join(found)}]}}\n'


def rows(shape: str, count: int, source: str | None) -> Iterator[str]:
    rng = random.Random(f"dsv {shape}")
    if shape != "documents":
        make = {"short": short, "tokens": tokens}[shape]
        return (f'{{"row": {number}, {make(number, rng)[1:]}' for number in range(count))
    with open(source or "", encoding="utf-8") as file:
        found = [line for line in file if line.strip()]
    return (f'{{"row": {number}, {line.lstrip()[1:].rstrip()}\n' for number, line in enumerate(found))


def changed(line: str, column: str, kind: str, rng: random.Random, **fields: str) -> str:
    row = json.loads(line)
    if fields and column == "text":  # a new row: no text that is there already
        words = row[column].split(" ")
        rng.shuffle(words)
        row[column] = " ".join(words)
    row[column] = row[column] + [7] if column == "tokens" else kind if column == "t" else f"{row[column]} {kind}"
    return json.dumps(row | fields, ensure_ascii=False) + "\n"


def mutated(lines: list[str], kind: str, column: str) -> tuple[Iterator[str], bytes | None]:
    """The rows of a version, and what is new in it; `None` where nothing is."""
    rng, count = random.Random(f"dsv {kind}"), len(lines)
    part = count // 100
    some = sorted(rng.sample(range(count), {"thousand": min(1000, part), "one": 1}.get(kind, part)))
    if kind in ("delete", "drop", "reorder"):
        gone = set(range(count // 3, count // 3 + part) if kind == "delete" else some)
        if kind == "reorder":
            return iter(lines[count // 2 :] + lines[: count // 2]), None
        return (line for i, line in enumerate(lines) if i not in gone), None
    if kind == "column":
        scores = array.array("d", (round(rng.random(), 6) for _ in lines))
        return (f'{line.rstrip()[:-1]}, "score": {score}}}\n' for line, score in zip(lines, scores)), scores.tobytes()
    isNew = kind in ("insert", "append")
    found = [changed(lines[i], column, kind, rng, **({"id": f"{kind}-{i:013}"} if isNew else {})) for i in some]
    text = "".join(found).encode()
    if kind in UPSERTS:
        return iter(found), text
    if isNew:
        middle = count if kind == "append" else count // 2
        return iter(lines[:middle] + found + lines[middle:]), text
    picked = dict(zip(some, found))
    return (picked.get(i, line) for i, line in enumerate(lines)), text


def single(number: int, rng: random.Random) -> str:
    """A row of 1 to 3 KB in eight columns."""
    text = " ".join(f"{int(20_000 ** rng.random()):x}" for _ in range(rng.randrange(300, 800)))
    return json.dumps({"id": f"row-{rng.getrandbits(64):016x}", "number": number, "kind": COLORS[number % 3],
                       "time": 1_700_000_000_000 + number * 977, "score": rng.randrange(1000) / 8, "isNew": number % 4 == 0,
                       "url": f"https://example.org/{number % 17}/{number}", "text": text}) + "\n"


def prepare(folder: str, shape: str, count: str, source: str | None = None) -> None:
    lines, (number, column) = list(rows(shape, int(count), source)), SHAPES[shape]
    found = [(row["id"], row[number]) for row in map(json.loads, lines)]
    total = len(found)
    if total < 100 or len({id for id, _ in found}) < total:
        sys.exit("the corpus needs 100 rows or more, and an id that no other row has")
    cut = sorted(size for _, size in found)[total * 9 // 10]
    counts = {}
    for kind in ("base", *MUTATIONS, *UPSERTS):
        version, new = (iter(lines), None) if kind == "base" else mutated(lines, kind, column)
        with open(f"{folder}/{kind}.jsonl", "w", encoding="utf-8") as out:
            counts[kind] = sum(out.write(line) > 0 for line in version)
        if new is not None:
            with open(f"{folder}/{kind}.new", "wb") as out:
                out.write(new)
    counts["filter"] = sum(size <= cut for _, size in found)
    counts["where"] = sum(size > cut for _, size in found[: total // 2])
    counts["sorted"] = total // 100
    os.mkdir(f"{folder}/singles")
    rng = random.Random("dsv singles")
    for i in range(SINGLES):
        with open(f"{folder}/singles/{i:05}.jsonl", "w", encoding="utf-8") as out:
            out.write(single(i, rng))
    with open(f"{folder}/facts.json", "w", encoding="utf-8") as out:
        json.dump({"number": number, "column": column, "cut": cut, "id": found[total * 2 // 3][0], "counts": counts}, out)


if __name__ == "__main__":
    prepare(*sys.argv[1:])
