"""The rows that are measured: a corpus from folders of text, and mutated versions of a corpus. Seeds are fixed."""

import hashlib, html, json, mimetypes, os, random, re, sys
from typing import Iterator

FIELDS = ("id", "lang", "bytes", "text")
MUTATIONS = {
    "edit": "1 % of the rows, anywhere, have their text changed",
    "insert": "1 % new rows in the middle",
    "append": "1 % new rows at the end",
    "delete": "1 % of the rows taken out in one block",
    "drop": "10 % of the rows taken out, anywhere",
    "column": "a new column of numbers",
    "reorder": "all rows shuffled",
}


def build(folders: list[str], target: str, limit: int) -> None:
    """Write one row for each text file under the folders, in the order of their paths, until `limit` bytes."""
    seen, written = set(), 0
    paths = sorted(os.path.join(at, name) for folder in folders for at, _, names in os.walk(folder) for name in names)
    with open(target, "w", encoding="utf-8") as out:
        for path in paths:
            kind = mimetypes.guess_type(path)[0] or ""
            if os.path.islink(path) or not (kind.startswith("text/") or kind == "application/javascript"):
                continue
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read(1 << 24)
            if kind == "text/html":
                text = html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"(?s)<(script|style).*?</\1>", "", text)))
            identity = hashlib.sha256(path.encode("utf-8", "replace")).hexdigest()[:16]
            if not text.strip() or identity in seen:
                continue
            seen.add(identity)
            language = re.search(r"/(de|es|fr|ja|ru|zh-cn)/", path)
            row = {"id": identity, "source": path.split("/")[-2], "lang": language[1] if language else "en",
                   "kind": kind, "bytes": len(text.encode()), "text": text}
            line = json.dumps(row, ensure_ascii=False) + "\n"
            written += len(line.encode())
            if written > limit:
                break
            out.write(line)


def changed(line: str, note: str, **fields: object) -> str:
    row = json.loads(line)
    row["text"] = row["text"] + " " + note
    return json.dumps(row | fields, ensure_ascii=False) + "\n"


def mutated(lines: list[str], kind: str) -> Iterator[str]:
    rng, count = random.Random(f"dsv {kind}"), len(lines)
    part = max(1, count // 100)
    fresh = lambda: (changed(lines[i], kind, id=f"{kind}-{n}") for n, i in enumerate(rng.sample(range(count), part)))
    if kind in ("edit", "drop"):
        picked = set(rng.sample(range(count), part if kind == "edit" else count // 10))
        for index, line in enumerate(lines):
            if index not in picked:
                yield line
            elif kind == "edit":
                yield changed(line, kind)
    elif kind == "insert":
        yield from lines[: count // 2]
        yield from fresh()
        yield from lines[count // 2 :]
    elif kind == "append":
        yield from lines
        yield from fresh()
    elif kind == "delete":
        yield from lines[: count // 3]
        yield from lines[count // 3 + part :]
    elif kind == "column":
        for line in lines:
            yield f'{line.rstrip()[:-1]}, "score": {rng.random():.6f}}}\n'
    elif kind == "reorder":
        yield from rng.sample(lines, count)
    elif kind in ("upsert", "one"):  # not a whole version: the rows that replace some
        yield from (changed(lines[i], kind) for i in sorted(rng.sample(range(count), part if kind == "upsert" else 1)))


def prepare(source: str, folder: str) -> None:
    """Write base.jsonl, each mutation and what measuring needs to know (facts.json) to the folder."""
    with open(source, encoding="utf-8") as file:
        lines = [line for line in file if line.strip()]
    rows = [(row["id"], row["lang"], row["bytes"]) for row in map(json.loads, lines)]
    if len(rows) < 100 or len({row[0] for row in rows}) < len(rows):
        sys.exit("the corpus needs 100 rows or more, and an id that no other row has")
    cut = sorted(size for _, _, size in rows)[len(rows) * 9 // 10]
    languages = [lang for _, lang, _ in rows]
    language = max(sorted(set(languages)), key=languages.count)
    facts = {"rows": len(rows), "bytes": os.path.getsize(source), "cut": cut, "lang": language, "id": rows[len(rows) * 2 // 3][0],
             "kept": sum(size <= cut for _, _, size in rows), "part": max(1, len(rows) // 100),
             "matching": sum(lang == language and size > cut for _, lang, size in rows), "counts": {}}
    for kind in ("base", *MUTATIONS, "upsert", "one"):
        with open(f"{folder}/{kind}.jsonl", "w", encoding="utf-8") as out:
            facts["counts"][kind] = 0
            for line in lines if kind == "base" else mutated(lines, kind):
                facts["counts"][kind] += out.write(line) > 0
    with open(f"{folder}/facts.json", "w", encoding="utf-8") as out:
        json.dump(facts, out)


if __name__ == "__main__":
    prepare(*sys.argv[1:])
