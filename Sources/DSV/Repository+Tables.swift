public import DSVFormat
import DSVStore
package import DSVTables
import DSVVersions

extension Repository {
  /// The table of a version; if none is named, the default one or the only one.
  package func table(_ name: String?, of commit: CommitID) throws(DSVError) -> Table {
    let snapshot = try snapshot(commit)
    if let name {
      guard let table = snapshot.table(name) else {
        let others = snapshot.tables.map(\.name).joined(separator: ", ")
        throw DSVError(
          .notFound, "version \(try versionName(commit)) has no table '\(name)'; it has: \(others)")
      }
      return table
    }
    if let table = snapshot.table(Table.defaultName) { return table }
    guard let first = snapshot.tables.first else {
      throw DSVError(.notFound, "version \(try versionName(commit)) has no table")
    }
    guard snapshot.tables.count == 1 else {
      throw DSVError(
        .badInput,
        "version \(try versionName(commit)) has several tables; name one with --table: "
          + snapshot.tables.map(\.name).joined(separator: ", "))
    }
    return first
  }

  /// Undoes what `revision` changed, as a new commit on top of HEAD.
  ///
  /// - Throws: `conflict` if a table that it changed was changed again since.
  public func revert(_ revision: CommitID, _ message: CommitMessage) throws(DSVError) -> CommitResult {
    let session = try store.session()
    let commit = try commit(revision)
    guard commit.parents.count <= 1 else {
      throw DSVError(
        .badInput, "version \(try versionName(revision)) is a merge; which parent to go back to is open")
    }
    let after = try versions.snapshot(commit.root)
    var before = Snapshot.empty
    if let parent = commit.parents.first { before = try snapshot(parent) }
    let version = try versionName(revision)
    return try publish(session, to: .head, message) {
      (now) throws(DSVError) in
      var result: [Table] = now.tables
      for name in Set((before.tables + after.tables).map { FieldName($0.name) }) {
        let table = name.text
        let (old, new) = (before.table(table), after.table(table))
        if old == new || now.table(table) == old { continue }
        guard now.table(table) == new else {
          throw DSVError(
            .conflict,
            "table '\(table)' was changed again after \(version); revert the later versions first, newest first"
          )
        }
        result.removeAll { $0.name.hasSameBytes(as: table) }
        if let old { result.append(old) }
      }
      return Snapshot(tables: result)
    }
  }
}
