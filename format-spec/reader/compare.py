"""Compares what read.py reads of a repository with what dsv exported of it.

    python3 compare.py fixtures/v1
    python3 compare.py fixtures/v1-encrypted      whose key is there too

Rows are compared as JSON values, members in order: two spellings of a number are equal if the numbers are.
"""
import hashlib
import json
import pathlib
import sys

import read


def rows(lines):
    return [json.loads(line, object_pairs_hook=list) for line in lines]


def main():
    folder = pathlib.Path(sys.argv[1])
    repository = read.Repository(folder / "repository", folder / "key")
    for id, (kind, *_) in repository.records.items():
        repository.plain(id, kind)
    failed = False
    for file in sorted((folder / "exported").iterdir()):
        parts = file.name.split(".")
        if parts[0] == "log":
            continue
        commit = repository.commit(repository.commit_id(parts[0]))
        table = repository.tables(commit["root"])[parts[1]]
        found = list(table.rows(repository, dropped="dropped" in parts))
        if parts[-1] == "sha256":
            text = "".join(line + "\n" for line in found).encode()
            same = hashlib.sha256(text).hexdigest() == file.read_text().strip()
        else:
            same = rows(found) == rows(file.read_text().splitlines())
        print(f"{file.name}: {len(found)} rows, {'equal' if same else 'DIFFERENT'}")
        failed |= not same
    print(f"{len(repository.records)} objects, each of its ID")
    sys.exit(failed)


main()
