import DSVColumns
public import DSVFormat
import DSVStore
import DSVTables
import DSVVersions
import Synchronization

/// One version of a dataset, open for reading: where a program that trains or analyses begins.
///
/// As long as it lives, or a table or scan that was had from it, nothing that it can read is deleted: `gc` waits, and
/// throws `busy` after a minute. It sees the version as it is for ever; later commits change nothing. Threads may share it.
public struct Version: Sendable {
  public let commit: CommitID
  /// As `v12`; the ID's first digits where the repository gave it no number.
  public let name: String
  /// In the order of their names.
  public let tables: [Version.Table]

  /// The table of that name; if none is named, the default one or the only one.
  ///
  /// - Throws: `notFound`; `badInput` if there are several and none is named.
  public func table(_ name: String? = nil) throws(DSVError) -> Version.Table {
    let names = tables.map(\.name)
    if let table = tables.first(where: { $0.name.hasSameBytes(as: name ?? DSVTables.Table.defaultName) }) {
      return table
    }
    if let name {
      throw DSVError(
        .notFound,
        "version \(self.name) has no table '\(name)'; it has: \(names.joined(separator: ", "))")
    }
    guard let first = tables.first else { throw DSVError(.notFound, "version \(self.name) has no table") }
    guard tables.count == 1 else {
      throw DSVError(
        .badInput, "version \(self.name) has several tables; name one of: \(names.joined(separator: ", "))")
    }
    return first
  }
}

extension Version {
  static func name(_ number: Int) -> String { "v\(number)" }

  /// The number of `v12`; `nil` for anything else.
  static func number(_ text: some StringProtocol) -> Int? {
    guard text.first == "v", text.count > 1, text.dropFirst().allSatisfy({ $0.isASCII && $0.isNumber }) else {
      return nil
    }
    return Int(text.dropFirst())
  }
}

extension Repository {
  /// Opens the version that a user names: `HEAD`, `v12`, a branch, a tag, digits of a commit's ID, each with `~N` or `^`.
  ///
  /// - Throws: `notFound`; `busy` if gc goes on for more than a minute.
  public func version(_ revision: String = "HEAD") throws(DSVError) -> Version {
    let lease = try store.lease()
    let commit = try resolve(revision).commit
    let tables = try snapshot(commit).tables.map {
      Version.Table(TableSource($0, reader: reader, lease: lease))
    }
    return Version(commit: commit, name: try versionName(commit), tables: tables)
  }
}

/// A table of an open version, and what keeps it readable.
final class TableSource: Sendable {
  let table: Table
  let reader: ObjectReader
  private let lease: Lease
  private let live = Mutex<LiveRowNumbers?>(nil)

  init(_ table: Table, reader: ObjectReader, lease: Lease) {
    (self.table, self.reader, self.lease) = (table, reader, lease)
  }

  /// Where live rows stand; found out when it is first asked for.
  func liveRows() throws(DSVError) -> LiveRowNumbers {
    try live.withLock { (live) throws(DSVError) in
      if let live { return live }
      let found = try LiveRowNumbers(table, reader: reader)
      live = found
      return found
    }
  }

  /// The fields that have these dotted names, which they take on; all if there are none, signals only if asked for.
  func fields(_ columns: [String], includesSignals: Bool) throws(DSVError) -> [TableField] {
    if columns.isEmpty { return table.fields.filter { includesSignals || !$0.isSignal } }
    return try columns.map { (name) throws(DSVError) in
      guard var field = table.field(name) else {
        let known = table.fields.map(\.name).joined(separator: ", ")
        throw DSVError(.notFound, "table '\(table.name)' has no column '\(name)'; it has: \(known)")
      }
      field.name = name
      return field
    }
  }
}
