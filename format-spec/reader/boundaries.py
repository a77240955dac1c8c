"""Checks that columns are cut, and nodes end, where chunk.md §3 and tree.md §3 say; and what nodes say of bounds.

    python3 boundaries.py fixtures/v1/repository      needs the package `xxhash`

Of an encrypted repository DSV_KEY_FILE names the file with its key.
"""
import struct
import sys

import read
from columns import Array, Reader

M = 2**64 - 1
PER_BIT = M // 393_216


def mix(h):
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCD & M
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 & M
    return h ^ h >> 33


def columns_of(fields):
    for field in fields:
        yield field.type, field.values
        if field.absences:
            yield "bool", field.absences
        yield from columns_of(field.children)


def measure(array, slot, is_blob, seed):
    """Size in bits and hash of a slot, for layouts 0 to 7."""
    if array.layout == 0:
        return 1, 0
    if array.layout == 1:
        return 2, read.xxh3(bytes([bool(slot)]), seed)
    if array.layout <= 6:
        width = 1 << array.layout - 2
        return 8 * width + 1, read.xxh3(slot or bytes(width), seed)
    return 33 + 8 * len(slot or b""), read.xxh3(slot or b"", seed)


def chunks(repository, id, level):
    """The chunks below an object, each node's ends checked on the way: (array, whether its node's end was checked)."""
    if level == 0:
        yield Array(Reader(repository.plain(id, 1), "a chunk"))
        return
    for child, *_ in children(repository, id):
        yield from chunks(repository, child, level - 1)


def children(repository, id):
    r = Reader(repository.plain(id, 2), "a node")
    r.take(2)
    result = []
    for _ in range(r.varint()):
        child, rows, nulls, _, flags = r.take(32), r.varint(), r.varint(), r.varint(), r.u(1)
        bounds = (r.take(r.u(1)), r.take(r.u(1))) if flags & 1 else None
        result.append((child, rows, nulls, flags, bounds))
    return result


def check_cuts(repository, column):
    arrays = list(chunks(repository, column.id, column.level))
    if arrays[0].layout > 7:
        return 0
    for number, array in enumerate(arrays):
        window = bits = 0
        for index, slot in enumerate(array.slots):
            size, hash = measure(array, slot, array.blobs[index], repository.cut_seed)
            size = max(8, size)
            window = ((window << size // 8 if size < 512 else 0) + hash) & M
            bits += size
            ends = bits >= 131_072 and (
                window < PER_BIT * size or bits >= 2_097_152 or index + 1 >= 262_144)
            is_last = index + 1 == len(array.slots)
            assert ends == is_last or (is_last and number + 1 == len(arrays)), "a chunk is cut elsewhere"
    return len(arrays)


def check_nodes(repository, id, level, is_right_edge=True):
    entries = children(repository, id)
    for index, (child, *_) in enumerate(entries):
        count = index + 1
        ends = count >= 16 and (
            count == 256 or mix(int.from_bytes(child[:8], "big") ^ level - 1 ^ repository.cut_seed) < 384307168202282325)
        is_last = count == len(entries)
        assert ends == is_last or (is_last and is_right_edge), "a node ends elsewhere"
        if level > 1:
            check_nodes(repository, child, level - 1, is_right_edge and is_last)


def check_bounds(repository, column, type):
    """Bounds of the chunks of a node of level 1."""
    codes = {"int64": "<q", "float64": "<d", "uint8": "<B", "int32": "<i", "uint16": "<H"}
    if column.level != 1:
        return
    for child, rows, nulls, flags, bounds in children(repository, column.id):
        slots = [s for s in Array(Reader(repository.plain(child, 1), "a chunk")).slots if s is not None]
        if type in codes:
            values = [struct.unpack(codes[type], s)[0] for s in slots]
            low, high = min(values), max(values)
            assert bounds == (struct.pack(codes[type], low), struct.pack(codes[type], high)) and flags == 7
        elif type == "bool":
            assert bounds == (bytes([min(slots)]), bytes([max(slots)])) and flags == 7
        elif type == "utf8":
            low, high = min(slots), max(slots)
            if len(high) > 16:
                high = high[:16].rstrip(b"\xff")
                high = high[:-1] + bytes([high[-1] + 1])
            assert bounds == (low[:16], high)
            assert flags == 1 | (len(min(slots)) <= 16) << 1 | (len(max(slots)) <= 16) << 2


def main():
    repository = read.Repository(sys.argv[1])
    seen, chunk_count = set(), 0
    for id in repository.versions.values():
        for table in repository.tables(repository.commit(id)["root"]).values():
            for type, column in list(columns_of(table.fields)) + [("uint16", table.selection)]:
                if not column or column.place != 2 or column.id in seen:
                    continue
                seen.add(column.id)
                chunk_count += check_cuts(repository, column)
                if column.level:
                    check_nodes(repository, column.id, column.level)
                    check_bounds(repository, column, type)
    print(f"{chunk_count} chunks of {len(seen)} columns are cut where they must be")


main()
