import DSV
import Glibc

// What a program in another language calls: tables of versions, as Arrow's C structs. Texts are UTF-8 and end with 0.
// Each function returns NULL, or what went wrong as a text that `dsv_free_text` frees.

/// An open table, as C holds it.
private final class CTable {
  let table: Version.Table

  init(_ table: Version.Table) { self.table = table }

  static func from(_ handle: UnsafeMutableRawPointer) -> Version.Table {
    Unmanaged<CTable>.fromOpaque(handle).takeUnretainedValue().table
  }
}

/// `nil`, or the error of `body` as a text.
private func answer(_ body: () throws(DSVError) -> Void) -> UnsafeMutablePointer<CChar>? {
  do throws(DSVError) {
    try body()
    return nil
  } catch {
    return strdup(error.description)
  }
}

/// A C text of names, one a line; none where there is no text.
private func lines(_ text: UnsafePointer<CChar>?) -> [String] {
  guard let text else { return [] }
  return String(cString: text).split(separator: "\n").map(String.init)
}

/// Opens a table of a version. `version` may be NULL for HEAD, `table` for the default one, `keyFile` for a repository that is
/// not encrypted; `handle` gets what the other functions take, to be ended by `dsv_table_close`. From then on gc waits.
@_cdecl("dsv_table_open")
public func openTable(
  _ path: UnsafePointer<CChar>, _ version: UnsafePointer<CChar>?, _ table: UnsafePointer<CChar>?,
  _ keyFile: UnsafePointer<CChar>?, _ handle: UnsafeMutablePointer<UnsafeMutableRawPointer?>
) -> UnsafeMutablePointer<CChar>? {
  answer { () throws(DSVError) in
    var options = Repository.Options()
    if let keyFile { options.key = try RepositoryKey(file: String(cString: keyFile)) }
    let repository = try Repository.open(at: String(cString: path), options: options)
    let opened = try repository.version(version.map { String(cString: $0) } ?? "HEAD")
    let found = CTable(try opened.table(table.map { String(cString: $0) }))
    handle.pointee = Unmanaged.passRetained(found).toOpaque()
  }
}

/// Ends a table. Streams and arrays that were had from it live on.
@_cdecl("dsv_table_close")
public func closeTable(_ handle: UnsafeMutableRawPointer) { Unmanaged<CTable>.fromOpaque(handle).release() }

/// Begins a scan; `stream` is a `struct ArrowArrayStream`. `columns` are names, one a line, or NULL for all but signals;
/// `condition` is as `--where` has it, or NULL.
@_cdecl("dsv_table_scan")
public func scanTable(
  _ handle: UnsafeMutableRawPointer, _ columns: UnsafePointer<CChar>?, _ condition: UnsafePointer<CChar>?,
  _ stream: UnsafeMutableRawPointer
) -> UnsafeMutablePointer<CChar>? {
  answer { () throws(DSVError) in
    let options = Scan.Options(columns: lines(columns), where: condition.map { String(cString: $0) })
    try CTable.from(handle).scan(options).exportArrow(to: stream)
  }
}

/// Reads `count` live rows by their numbers; `schema` and `array` are a `struct ArrowSchema` and a `struct ArrowArray`.
@_cdecl("dsv_table_take")
public func takeRows(
  _ handle: UnsafeMutableRawPointer, _ rows: UnsafePointer<Int64>, _ count: Int64,
  _ columns: UnsafePointer<CChar>?, _ schema: UnsafeMutableRawPointer, _ array: UnsafeMutableRawPointer
) -> UnsafeMutablePointer<CChar>? {
  answer { () throws(DSVError) in
    let numbers = (0..<max(0, Int(count))).map { Int(rows[$0]) }
    let batch = try CTable.from(handle).take(rows: numbers, columns: lines(columns))
    try ArrowSchemaExport.export(batch.columns.map(\.field), to: schema)
    batch.exportArrow(to: array)
  }
}

/// Frees a text that a function returned.
@_cdecl("dsv_free_text")
public func freeText(_ text: UnsafeMutablePointer<CChar>?) { free(text) }
