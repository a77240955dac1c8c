"""Chunks, trees and tables, as format-spec/chunk.md, tree.md and snapshot.md say."""
import base64
import datetime
import json
import re
import struct


class Corrupt(Exception): pass


class Unsupported(Exception): pass


class Reader:
    def __init__(self, data, subject):
        self.data, self.subject, self.at = data, subject, 0

    def take(self, count):
        if count > len(self.data) - self.at:
            raise Corrupt(f"{self.subject} ends early")
        self.at += count
        return self.data[self.at - count:self.at]

    def u(self, count):
        return int.from_bytes(self.take(count), "little")

    def signed(self, count):
        return int.from_bytes(self.take(count), "little", signed=True)

    def varint(self):
        value = 0
        for shift in range(0, 63, 7):
            byte = self.u(1)
            value |= (byte & 127) << shift
            if byte < 128:
                if byte == 0 and shift:
                    raise Corrupt("a padded number")
                return value
        raise Corrupt("a number too long")

    def text(self):
        return self.take(self.varint()).decode("utf-8", "strict")

    def bits(self, count):
        data = self.take((count + 7) // 8)
        whole = int.from_bytes(data, "little")
        if whole >> count:
            raise Corrupt("trailing bits")
        return data, [data[i // 8] >> i % 8 & 1 for i in range(count)]

    def packed(self, count, width):
        whole = int.from_bytes(self.take((count * width + 7) // 8), "little")
        # In blocks, so that shifting stays cheap.
        result, mask = [], (1 << width) - 1
        for start in range(0, count, 512):
            block = whole >> start * width & (1 << 512 * width) - 1
            result += [block >> i * width & mask for i in range(min(512, count - start))]
        return result

    def lengths(self, count):
        width = self.u(1)
        if width > 32:
            raise Corrupt("lengths too wide")
        return self.packed(count, width)

    def revision(self):
        if self.u(1) != 1:
            raise Unsupported(f"a revision of {self.subject}")

    def flag(self):
        value = self.u(1)
        if value > 1:
            raise Unsupported(f"a flag of {self.subject}")
        return value

    def pad(self):
        if any(self.take(-self.at % 8)):
            raise Corrupt("padding")

    def finish(self):
        if self.at != len(self.data):
            raise Corrupt(f"{self.subject} goes on")


def expand(stored, plain_count, decompress, base=None):
    """chunk.md 2.3: a chunk's plain form from its stored form, and from its base's plain form."""
    r = Reader(stored, "a chunk")
    compression, form, reserved, count = r.u(1), r.u(1), r.u(2), r.u(4)
    if compression > 2 or form > 1 or reserved:
        raise Unsupported("a compression")
    if (compression == 2 or form == 1) != (base is not None):
        raise Corrupt("a chunk's base")
    if count > plain_count + 4096:
        raise Corrupt("a chunk's length")
    encoded = r.take(len(stored) - 8)
    if compression:
        encoded = decompress(encoded, count, base if compression == 2 else None)
    encoded = Reader(encoded, "a chunk")
    if len(encoded.data) != count:
        raise Corrupt("a chunk's length")
    parts = []
    expand_array(encoded, parts)
    encoded.finish()
    plain = pad(parts)
    if form == 0:
        return plain
    parts = []
    append(Reader(base, "a chunk's base"), Reader(plain, "a chunk"), parts)
    return pad(parts)


def pad(parts):
    return b"".join(part + bytes(-len(part) % 8) for part in parts)


def append(a, b, parts):
    """chunk.md 2.3: the plain form of two arrays' slots in order."""
    heads = [(r.u(1), r.u(1), r.u(2), r.u(4)) for r in (a, b)]
    (layout, flags, _, count), (other, more_flags, _, more) = heads
    number = [r.u(8) for r in (a, b)] if layout == 9 else [0, 0]
    if layout != other or number[0] != number[1]:
        raise Corrupt("a base of another layout")
    flags |= more_flags
    parts.append(struct.pack("<BBHI", layout, flags, 0, count + more))
    if layout == 9:
        parts.append(struct.pack("<Q", number[0]))

    def bits(mine):
        both = []
        for r, n, own in ((a, count, heads[0][1] & mine), (b, more, heads[1][1] & mine)):
            both += r.bits(n)[1] if own else [int(mine == 1)] * n
            if own:
                r.pad()
        parts.append(sum(bit << i for i, bit in enumerate(both)).to_bytes((len(both) + 7) // 8, "little"))

    for mine in (1, 2):
        if flags & mine:
            bits(mine)
    if layout == 1:
        both = a.bits(count)[1] + b.bits(more)[1]
        parts.append(sum(bit << i for i, bit in enumerate(both)).to_bytes((len(both) + 7) // 8, "little"))
    elif 2 <= layout <= 6:
        size = 1 << layout - 2
        parts.append(a.take(count * size) + b.take(more * size))
    elif 7 <= layout <= 8:
        ends = [struct.unpack(f"<{n + 1}I", r.take(4 * n + 4)) for r, n in ((a, count), (b, more))]
        a.pad(), b.pad()
        joined = ends[0] + tuple(ends[0][-1] + end for end in ends[1][1:])
        parts.append(struct.pack(f"<{len(joined)}I", *joined))
        if layout == 7:
            parts.append(a.take(ends[0][-1]) + b.take(ends[1][-1]))
    elif layout == 10:
        number = [a.u(8), b.u(8)]
        if number[0] != number[1]:
            raise Corrupt("a base of another layout")
        parts.append(struct.pack("<Q", number[0]))
    a.pad(), b.pad()
    for _ in range({8: 1, 9: 1, 10: number[0]}.get(layout, 0)):
        append(a, b, parts)


def expand_array(r, parts):
    layout, flags, encoding, width, count = r.u(1), r.u(1), r.u(1), r.u(1), r.u(4)
    known = {0: range(11), 1: (2, 3, 4, 5, 7), 2: (7,), 3: (2, 3, 4, 5)}
    if flags > 3 or layout not in known.get(encoding, ()):
        raise Unsupported(f"layout {layout}, encoding {encoding}")
    if width > (56 if encoding > 1 else 0):
        raise Corrupt("a width")
    parts.append(struct.pack("<BBHI", layout, flags, 0, count))
    number = r.u(8) if layout > 8 else 0
    if layout == 9:
        parts.append(struct.pack("<Q", number))
    valid = [1] * count
    if flags & 1:
        data, valid = r.bits(count)
        parts.append(data)
    if flags & 2:
        parts.append(r.bits(count)[0])
    if layout == 1:
        parts.append(r.bits(count)[0])
    elif 2 <= layout <= 6:
        size = 1 << layout - 2
        if encoding == 0:
            parts.append(r.take(count * size))
        else:
            if encoding == 1:
                values = [r.u(size)] * count
            else:
                base = r.u(8)
                values = [base + n & (1 << 8 * size) - 1 for n in r.packed(count, width)]
            parts.append(b"".join((v if ok else 0).to_bytes(size, "little") for v, ok in zip(values, valid)))
    elif layout == 7:
        if encoding == 0:
            lengths = r.lengths(count)
            values = r.take(sum(lengths))
        else:
            entry_count = 1 if encoding == 1 else r.u(4)
            if not 1 <= entry_count <= min(max(1, count), 65536):
                raise Corrupt(f"a dictionary of {entry_count} entries for {count} slots")
            sizes = r.lengths(entry_count)
            entries = [r.take(size) for size in sizes]
            which = r.packed(count, width) if encoding == 2 else [0] * count
            slots = [entries[n] if ok else b"" for n, ok in zip(which, valid)]
            lengths, values = list(map(len, slots)), b"".join(slots)
        parts += [offsets(lengths), values]
    elif layout == 8:
        parts.append(offsets(r.lengths(count)))
    elif layout == 10:
        parts.append(struct.pack("<Q", number))
    for _ in range({8: 1, 9: 1, 10: number}.get(layout, 0)):
        expand_array(r, parts)


def offsets(lengths):
    sums = [0]
    for length in lengths:
        sums.append(sums[-1] + length)
    return struct.pack(f"<{len(sums)}I", *sums)


class Array:
    """chunk.md 2.1: a plain form. `slots` are None, a bool, raw bytes, a list, or a tuple of fields."""

    def __init__(self, r):
        layout, flags, reserved, count = r.u(1), r.u(1), r.u(2), r.u(4)
        if layout > 10 or flags > 3 or reserved:
            raise Unsupported("a layout")
        list_count = r.u(8) if layout == 9 else 0
        valid, self.blobs = [1] * count, [0] * count
        if flags & 1:
            valid = r.bits(count)[1]
            r.pad()
            if all(valid):
                raise Corrupt("validity without a null")
        if flags & 2:
            self.blobs = r.bits(count)[1]
            r.pad()
        if layout == 0:
            slots = [True] * count
        elif layout == 1:
            slots = list(map(bool, r.bits(count)[1]))
        elif layout <= 6:
            size = 1 << layout - 2
            data = r.take(count * size)
            slots = [data[i * size:(i + 1) * size] for i in range(count)]
        elif layout <= 8:
            ends = struct.unpack(f"<{count + 1}I", r.take(4 * count + 4))
            r.pad()
            if ends[0] or any(a > b for a, b in zip(ends, ends[1:])):
                raise Corrupt("offsets")
            inner = r.take(ends[-1]) if layout == 7 else Array(r).slots
            slots = [inner[a:b] for a, b in zip(ends, ends[1:])]
        elif layout == 9:
            inner = Array(r).slots
            slots = [inner[i * list_count:(i + 1) * list_count] for i in range(count)]
        else:
            fields = [Array(r).slots for _ in range(r.u(8))]
            slots = list(zip(*fields)) if fields else [()] * count
        r.pad()
        if len(slots) != count:
            raise Corrupt("counts")
        self.layout = layout
        self.slots = [slot if ok else None for slot, ok in zip(slots, valid)]


class Column:
    """tree.md 2.2: a column root."""

    def __init__(self, r):
        self.place, self.row_count, self.null_count = r.u(1), 0, 0
        if self.place > 2:
            raise Unsupported("a root")
        if self.place == 0:
            return
        if self.place == 1:
            self.inline = r.take(r.varint())
        else:
            self.level, self.id = r.u(1), r.take(32)
        self.row_count, self.null_count, self.plain_count = r.varint(), r.varint(), r.varint()
        small = self.plain_count <= 512
        if small != (self.place == 1) and (self.place == 1 or self.level == 0):
            raise Corrupt("a root's place")

    def slots(self, repository):
        if self.place == 0:
            return []
        if self.place == 1:
            result = chunk_slots(self.inline, repository)
        else:
            result = node_slots(repository, self.id, self.level, self.row_count)
        if len(result) != self.row_count or result.count(None) != self.null_count:
            raise Corrupt("a root's counts")
        return result


def node_slots(repository, id, level, row_count):
    if level == 0:
        result = chunk_slots(repository.plain(id, 1), repository)
    else:
        r = Reader(repository.plain(id, 2), "a node")
        r.revision()
        if r.u(1) != level:
            raise Corrupt("a node's level")
        result = []
        for _ in range(r.varint()):
            child, rows, nulls, _, flags = r.take(32), r.varint(), r.varint(), r.varint(), r.u(1)
            if flags > 15:
                raise Unsupported("a node's flags")
            if flags & 1:
                r.take(r.u(1)), r.take(r.u(1))
            slots = node_slots(repository, child, level - 1, rows)
            if slots.count(None) != nulls:
                raise Corrupt("a node's nulls")
            result += slots
        r.finish()
    if len(result) != row_count:
        raise Corrupt("a node's rows")
    return result


def chunk_slots(plain, repository):
    r = Reader(plain, "a chunk")
    array = Array(r)
    r.finish()
    for index, is_blob in enumerate(array.blobs):
        if is_blob:
            array.slots[index] = blob(Reader(array.slots[index], "a reference"), repository)
    return array.slots


def blob(r, repository):
    root, count = r.take(32), r.u(8)
    r.finish()
    level = repository.plain(root, 2)[1] if repository.kind(root) == 2 else 0
    return b"".join(node_slots(repository, root, level, count))


class Field:
    """snapshot.md 2.3."""

    def __init__(self, r, row_count):
        self.name, self.type, flags = r.text(), r.text(), r.u(1)
        if flags > 3:
            raise Unsupported("a field's flags")
        self.metadata = [(r.text(), r.text()) for _ in range(r.varint())]
        self.values = Column(r)
        self.absence = r.u(1)
        if self.absence > 2:
            raise Unsupported("an absence")
        self.absences = Column(r) if self.absence == 2 else None
        self.children = [Field(r, row_count) for _ in range(r.varint())]
        if self.values.row_count != row_count:
            raise Corrupt("a field's rows")

    def load(self, repository):
        """One JSON text a row; None where the row does not have the field."""
        slots = self.values.slots(repository)
        if self.type == "struct":
            columns = [(json_text(c.name), c.load(repository)) for c in self.children]
            slots = [slot and "{" + ",".join(f"{n}:{c[i]}" for n, c in columns if c[i] is not None) + "}"
                     for i, slot in enumerate(slots)]
        else:
            show = shower(self.type)
            slots = [None if slot is None else show(slot) for slot in slots]
        absent = {0: lambda n: [False] * n, 1: lambda n: [True] * n, 2: lambda n: self.absences.slots(repository)}
        missing = iter(absent[self.absence](self.values.null_count))
        return [(None if next(missing) else "null") if slot is None else slot for slot in slots]


class Table:
    """snapshot.md 2.2."""

    def __init__(self, r):
        self.name, self.row_count, self.live_count = r.text(), r.varint(), r.varint()
        self.key = [r.text() for _ in range(r.varint())]
        self.fields = [Field(r, self.row_count) for _ in range(r.varint())]
        self.selection, self.reasons = None, []
        if r.flag():
            self.selection = Column(r)
            self.reasons = [[r.text() for _ in range(5)] for _ in range(r.varint())]

    def rows(self, repository, dropped=False):
        columns = [(json_text(f.name), f.load(repository)) for f in self.fields]
        codes = [0] * self.row_count
        if self.selection:
            codes = [int.from_bytes(slot, "little") for slot in self.selection.slots(repository)]
        if codes.count(0) != self.live_count or any(code > len(self.reasons) for code in codes):
            raise Corrupt("a selection")
        for row in range(self.row_count):
            if dropped or codes[row] == 0:
                yield "{" + ",".join(f"{n}:{c[row]}" for n, c in columns if c[row] is not None) + "}"


def json_text(value):
    return json.dumps(value, ensure_ascii=False)


def shower(type):
    """What turns a slot of this type (snapshot.md 2.4) into JSON."""
    integer = re.fullmatch(r"(u?)int(\d+)", type)
    if integer:
        return lambda b: str(int.from_bytes(b, "little", signed=not integer[1]))
    if type.startswith("float"):
        code = {"float16": "<e", "float32": "<f", "float64": "<d"}[type]
        return lambda b: json.dumps(struct.unpack(code, b)[0])
    if type.startswith("timestamp["):
        unit = {"s": 1, "ms": 1000, "us": 10**6, "ns": 10**9}[re.split(r"[\[,\]]", type)[1]]
        return lambda b: json_text(timestamp(int.from_bytes(b, "little", signed=True), unit))
    if type.startswith("decimal128("):
        scale = int(type[:-1].split(", ")[1])
        return lambda b: decimal(int.from_bytes(b, "little", signed=True), scale)
    if type.startswith(("list<", "fixed_size_list<")):
        inner = type[type.index("<") + 1:-1]
        show = shower(inner if type.startswith("list") else inner[:inner.rindex(", ")])
        return lambda slots: "[" + ",".join("null" if s is None else show(s) for s in slots) + "]"
    if type.startswith("struct<"):
        parts = [part.split(": ", 1) for part in fields(type[7:-1])]
        shows = [(json_text(name), shower(inner.rstrip("!"))) for name, inner in parts]
        return lambda slots: "{" + ",".join(
            f"{n}:{'null' if s is None else show(s)}" for (n, show), s in zip(shows, slots)) + "}"
    epoch = datetime.date(1970, 1, 1)
    return {
        "bool": lambda v: "true" if v else "false",
        "utf8": lambda b: json_text(b.decode()),
        "binary": lambda b: json_text(base64.b64encode(b).decode()),
        "json": lambda b: b.decode(),
        "date": lambda b: json_text(
            (epoch + datetime.timedelta(days=int.from_bytes(b, "little", signed=True))).isoformat()),
        "null": lambda b: None,
    }[type]


def fields(text):
    """The parts between a struct's outermost commas; names in quotes are beyond this example."""
    depth, part = 0, ""
    for sign in text:
        depth += (sign == "<") - (sign == ">")
        if sign == "," and depth == 0:
            yield part.strip()
            part = ""
        else:
            part += sign
    yield part.strip()


def decimal(value, scale):
    digits = str(abs(value)).rjust(scale + 1, "0")
    sign = "-" if value < 0 else ""
    return sign + (f"{digits[:-scale]}.{digits[-scale:]}" if scale > 0 else digits + "0" * -scale)


def timestamp(value, unit):
    at = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=value // unit)
    digits = len(str(unit)) - 1
    return at.isoformat() + (f".{value % unit:0{digits}}" if digits else "") + "Z"
