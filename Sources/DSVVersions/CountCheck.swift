import DSVColumns
package import DSVFormat
import DSVTables

/// Compares the numbers of rows that commits and snapshots say with the selections that they stand beside.
package struct CountCheck {
  private struct Checked: Hashable {
    let selection: ColumnID
    let liveCount: Int
    let reasonCount: Int
  }

  private let versions: VersionReader
  /// So that a selection that many versions share is read once.
  private var checked = Set<Checked>()

  package init(_ versions: VersionReader) { self.versions = versions }

  /// What is wrong with a commit's numbers; `nil` if nothing is.
  package mutating func problem(_ id: CommitID) throws(DSVError) -> String? {
    let commit = try versions.commit(id)
    let snapshot = try versions.snapshot(commit.root)
    guard commit.rowCount == snapshot.liveCount else {
      return "commit \(id): it says \(commit.rowCount) rows, its snapshot \(snapshot.liveCount)"
    }
    for table in snapshot.tables {
      guard let selection = table.selection else { continue }
      if let id = selection.id {
        let key = Checked(
          selection: id, liveCount: table.liveCount, reasonCount: table.reasons.count)
        guard checked.insert(key).inserted else { continue }
      }
      if let problem = try problem(table, selection) { return "snapshot \(commit.root): \(problem)" }
    }
    return nil
  }

  private func problem(_ table: Table, _ selection: ColumnRoot) throws(DSVError) -> String? {
    let cursor = ColumnCursor(selection, reader: versions.objects)
    var (row, liveCount, codeMax) = (0, 0, 0)
    while row < table.rowCount {
      let slice = try cursor.slice(at: row)
      guard case .fixed(2) = slice.array.layout else { return "a selection of the wrong layout" }
      for index in 0..<slice.array.count {
        let code = slice.array.fixed(index, as: UInt16.self)
        if code == 0 { liveCount += 1 }
        codeMax = max(codeMax, Int(code))
      }
      row = slice.endRow
    }
    if liveCount != table.liveCount {
      return "\(table.liveCount) live rows are said, \(liveCount) are selected"
    }
    return codeMax > table.reasons.count
      ? "a row is dropped for reason \(codeMax) of \(table.reasons.count)" : nil
  }
}
