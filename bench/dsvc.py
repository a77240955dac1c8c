"""libdsvc.so from Python: tables of versions as pyarrow's, by Arrow's C data interface. Needs pyarrow and cffi.

    swift build -c release --product dsvc
"""

import ctypes
from pathlib import Path

import pyarrow as pa
from pyarrow.cffi import ffi

POINTER = ctypes.c_void_p
LIBRARY = ctypes.CDLL(str(Path(__file__).resolve().parent.parent / ".build/release/libdsvc.so"))
for function in (LIBRARY.dsv_table_open, LIBRARY.dsv_table_scan, LIBRARY.dsv_table_take):
    function.restype = POINTER


def call(function, *arguments) -> None:
    message = function(*arguments)
    if message:
        text = ctypes.string_at(message).decode()
        LIBRARY.dsv_free_text(POINTER(message))
        raise RuntimeError(text)


def c_text(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def c_struct(name: str) -> tuple:
    """A struct, which lives as long as the first part of the answer does, and its address."""
    struct = ffi.new(f"struct {name}*")
    return struct, int(ffi.cast("uintptr_t", struct))


class Table:
    def __init__(self, path: str, version: str | None = None, table: str | None = None,
                 key_file: str | None = None) -> None:
        self.handle = POINTER()
        call(LIBRARY.dsv_table_open, c_text(path), c_text(version), c_text(table), c_text(key_file),
             ctypes.byref(self.handle))

    def close(self) -> None:
        LIBRARY.dsv_table_close(self.handle)

    def scan(self, columns: list[str] | None = None, where: str | None = None) -> pa.RecordBatchReader:
        stream, address = c_struct("ArrowArrayStream")
        names = c_text("\n".join(columns)) if columns else None
        call(LIBRARY.dsv_table_scan, self.handle, names, c_text(where), POINTER(address))
        return pa.RecordBatchReader._import_from_c(address)

    def take(self, rows: list[int], columns: list[str] | None = None) -> pa.RecordBatch:
        (schema, schema_at), (array, array_at) = c_struct("ArrowSchema"), c_struct("ArrowArray")
        numbers = (ctypes.c_int64 * len(rows))(*rows)
        names = c_text("\n".join(columns)) if columns else None
        call(LIBRARY.dsv_table_take, self.handle, numbers, ctypes.c_int64(len(rows)), names, POINTER(schema_at),
             POINTER(array_at))
        return pa.RecordBatch._import_from_c(array_at, schema_at)
