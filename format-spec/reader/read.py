"""Reads a dsv repository from its packs and its reflog alone: written from format-spec/, without dsv's code.

    python3 read.py FOLDER                      lists the versions and their tables
    python3 read.py FOLDER VERSION TABLE        prints the live rows as JSONL; --dropped prints all

FOLDER is what `.dsv` holds. VERSION is v1, v2, ..., a branch or a tag. Needs the package `zstandard`; with `xxhash` it
verifies checksums too. Every ID is recomputed. An encrypted repository's key, 44 characters, is in the file that DSV_KEY_FILE names in
the environment; that needs the package `cryptography`.
"""
import hashlib
import json
import os
import pathlib
import sys

import zstandard

import columns
from columns import Corrupt, Reader, Unsupported

try:
    import xxhash

    def xxh3(data, seed=0):
        return xxhash.xxh3_64_intdigest(data, seed=seed)
except ImportError:
    xxh3 = None

KINDS = {1: "chunk", 2: "node", 3: "snapshot", 4: "commit"}
LIMITS = {1: 2**30, 2: 2**20, 3: 2**28, 4: 2**28}


class Repository:
    """store.md: packs are scanned from their beginning; refs follow from the reflog."""

    def __init__(self, folder, key_file=None):
        folder = pathlib.Path(folder)
        lines = (folder / "format").read_text().split("\n")
        if lines[0] != "dsv 1":
            raise Unsupported(lines[0])
        features = [line.removeprefix("reader-required ") for line in lines if line.startswith("reader-required")]
        if features not in ([], ["encryption"]):
            raise Unsupported("a feature")
        self.secrets, self.cut_seed = None, 0
        if features:
            self.secrets = open_keyring(folder, key_file or os.environ["DSV_KEY_FILE"])
            self.cut_seed = self.secrets.cut_seed
        self.records, self.refs, self.versions = {}, {}, {}
        self.places = {}
        self.checked = {}
        for pack in sorted((folder / "packs").glob("*.pack")):
            self.scan(int(pack.stem, 16), pack.read_bytes())
        self.replay((folder / "reflog").read_bytes())

    def scan(self, number, data):
        if data[:4] != b"dsvP" or data[4:8] != b"\1\0\0\0":
            raise Corrupt("a pack's header")
        check(data[:24], data[24:32])
        if self.secrets and data[8:24] not in self.secrets.pack_keys:
            return  # a pack that was never published
        at = 32
        while at < len(data):
            header = Reader(data[at:at + 56], "a record")
            if header.take(4) != b"dsvR":
                raise Corrupt("a record")
            kind, depth, reserved = header.u(1), header.u(1), header.u(2)
            stored_count, plain_count, id = header.u(4), header.u(4), header.take(32)
            if kind not in KINDS or depth > 8 or reserved > 1:
                raise Unsupported("a record")
            if reserved != (self.secrets is not None):
                raise Corrupt("a record that is sealed where none is, or the reverse")
            if stored_count > 2**26:
                raise Corrupt("a record's length")
            body = data[at + 56:at + 56 + stored_count]
            if len(body) != stored_count:
                raise Corrupt("a record is cut short")
            check(body, header.take(8), before=data[at:at + 48])
            if self.secrets:
                body = self.secrets.open_object(data[8:24], id, kind, depth, plain_count, body)
            # Of several records of one object the one with the fewest bases, and of those the last.
            if id not in self.records or depth <= self.records[id][3]:
                self.records[id] = (kind, plain_count, body, depth)
                self.places[id] = (number, at)
            at += 56 + stored_count

    def replay(self, data):
        if data[:4] != b"dsvL" or data[4:8] != b"\1\0\0\0":
            raise Corrupt("the reflog's header")
        check(data[:8], data[8:16])
        at = 16
        while at < len(data):
            head = Reader(data[at:at + 16], "a reflog record")
            if head.take(4) != b"dsvl":
                raise Corrupt("a reflog record")
            count = head.u(4)
            body = data[at + 16:at + 16 + count]
            check(body, head.take(8), before=data[at:at + 8])
            if self.secrets:
                body = self.secrets.open_log(at, body)
            body = Reader(body, "a reflog record")
            body.u(8)  # the time
            for _ in range(body.varint()):
                number = body.varint()
                self.versions[number] = body.take(32)
            for _ in range(body.varint()):
                name = body.text()
                self.target(body)
                new = self.target(body)
                body.text()
                self.refs[name] = new
                if new is None:
                    del self.refs[name]
            if body.at < len(body.data):
                self.collect(body)
            body.finish()
            at += 16 + count

    def collect(self, body):
        """Commits that gc has deleted: records that were there then do not count."""
        last, open_pack, open_count = body.u(4), body.u(4), body.u(8)
        for _ in range(body.varint()):
            id = body.take(32)
            pack, at = self.places.get(id, (last + 1, 0))
            if pack <= last and not (pack == open_pack and at >= open_count) and self.records[id][0] == 4:
                del self.records[id], self.places[id]

    @staticmethod
    def target(reader):
        kind = reader.u(1)
        if kind > 2:
            raise Unsupported("a target")
        return None if kind == 0 else reader.take(32) if kind == 1 else reader.text()

    def commit_id(self, name):
        if name[:1] == "v" and name[1:].isdigit():
            return self.versions[int(name[1:])]
        target = next(self.refs[n] for n in (name, f"heads/{name}", f"tags/{name}") if n in self.refs)
        return self.commit_id(target) if isinstance(target, str) else target

    def plain(self, id, kind):
        """object.md: an object's plain form, its ID recomputed."""
        if id not in self.checked:
            found, count, body, depth = self.records[id]
            if found != kind:
                raise Corrupt(f"{id.hex()} is a {KINDS[found]}")
            if count > LIMITS[kind]:
                raise Corrupt("an object's length")
            base = None
            if depth:
                base, body = self.base(id, kind, body, depth), body[32:]
            if kind == 1:
                plain = columns.expand(body, count, decompress, base)
            elif body[0] > 2:
                raise Unsupported("a stored form")
            elif (body[0] == 2) != (base is not None):
                raise Corrupt(f"the base of {id.hex()}")
            else:
                plain = decompress(body[1:], count, base) if body[0] else body[1:]
            if len(plain) != count or self.name(kind, plain) != id:
                raise Corrupt(f"{id.hex()} is not what it is named")
            self.checked[id] = plain
        return self.checked[id]

    def name(self, kind, plain):
        if self.secrets:
            return self.secrets.object_id(kind, plain)
        return hashlib.sha256(bytes([kind]) + plain).digest()

    def base(self, id, kind, body, depth):
        """object.md 2.1: the plain form that an object builds on."""
        base = body[:32]
        if base not in self.records or self.records[base][3] >= depth:
            raise Corrupt(f"{id.hex()}: its base {base.hex()}")
        return self.plain(base, kind)

    def kind(self, id):
        return self.records[id][0]

    def commit(self, id):
        """commit.md."""
        r = Reader(self.plain(id, 4), "a commit")
        r.revision()
        commit = {"root": r.take(32), "parents": [r.take(32) for _ in range(r.varint())], "rows": r.varint(),
                  "time": r.signed(8), "author": r.text(), "message": r.text()}
        if r.flag():
            commit["input"] = r.take(32)
            commit["stages"] = [(r.text(), r.varint(), r.text()) for _ in range(r.varint())]
            commit["recipe"] = r.text()
        r.finish()
        return commit

    def tables(self, root):
        """snapshot.md."""
        r = Reader(self.plain(root, 3), "a snapshot")
        r.revision()
        tables = [columns.Table(r) for _ in range(r.varint())]
        r.finish()
        names = [table.name.encode() for table in tables]
        if names != sorted(set(names)):
            raise Corrupt("tables are not in order")
        return {table.name: table for table in tables}


def open_keyring(folder, key_file):
    import encryption

    key = encryption.read_key(pathlib.Path(key_file))
    return encryption.Keyring((folder / "keyring").read_bytes()).open(key=key)[1]


def check(data, checksum, before=None):
    if xxh3:
        found = xxh3(data, xxh3(before)) if before is not None else xxh3(data)
        if found != int.from_bytes(checksum, "little"):
            raise Corrupt("a checksum")


def decompress(frame, count, prefix=None):
    raw = zstandard.DICT_TYPE_RAWCONTENT
    prefix = zstandard.ZstdCompressionDict(prefix, dict_type=raw) if prefix else None
    plain = zstandard.ZstdDecompressor(dict_data=prefix).decompressobj().decompress(frame)
    if len(plain) != count:
        raise Corrupt("a zstd frame of another length")
    return plain


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    repository = Repository(arguments[0])
    if len(arguments) == 1:
        for number, id in sorted(repository.versions.items()):
            if id not in repository.records:
                continue  # gc has deleted it
            commit = repository.commit(id)
            tables = {name: table.live_count for name, table in repository.tables(commit["root"]).items()}
            print(json.dumps({"version": f"v{number}", "commit": id.hex(), "root": commit["root"].hex(),
                              "rows": commit["rows"], "message": commit["message"], "tables": tables}))
        return
    commit = repository.commit(repository.commit_id(arguments[1]))
    table = repository.tables(commit["root"])[arguments[2]]
    for row in table.rows(repository, dropped="--dropped" in sys.argv):
        print(row)


if __name__ == "__main__":
    main()
