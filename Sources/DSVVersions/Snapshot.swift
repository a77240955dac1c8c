import DSVColumns
package import DSVFormat
package import DSVTables

/// What a version holds: its tables. Its ID is the Merkle root of the version.
///
/// Normative text: `format-spec/snapshot.md`.
package struct Snapshot: Equatable, Sendable {
  /// In the order of their names' bytes, each name once.
  package private(set) var tables: [Table]

  package static let empty = Snapshot(tables: [])

  package init(tables: [Table]) {
    self.tables = tables.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
  }

  package func table(_ name: String) -> Table? { tables.first { $0.name.hasSameBytes(as: name) } }

  /// The snapshot with `table` in the place of the one of its name, if there was one.
  package func replacing(_ table: Table) -> Snapshot {
    Snapshot(tables: tables.filter { !$0.name.hasSameBytes(as: table.name) } + [table])
  }

  /// The snapshot without the table of that name, if there is one.
  package func removing(_ name: String) -> Snapshot {
    Snapshot(tables: tables.filter { !$0.name.utf8.elementsEqual(name.utf8) })
  }

  package var liveCount: Int { tables.reduce(0) { $0 + $1.liveCount } }

  package var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.write(ObjectKind.revision)
    writer.writeVarint(tables.count)
    for table in tables { table.write(to: &writer) }
    return writer.bytes
  }

  package func id(_ naming: ObjectNaming) -> SnapshotID { EncodedSnapshot(self, naming).id }

  package init(_ bytes: UnsafeRawBufferPointer, of subject: String) throws(DSVError) {
    var reader = ByteReader(bytes, of: subject)
    try reader.readRevision()
    tables = []
    var rowCount = 0
    for _ in 0..<(try reader.readCount(unitByteCount: 6)) {
      let table = try Table(from: &reader)
      if let last = tables.last, !last.name.utf8.lexicographicallyPrecedes(table.name.utf8) {
        throw reader.corrupt("tables are not in order")
      }
      tables.append(table)
      rowCount += table.rowCount
      guard rowCount <= TreeEntry.rowCountMax else { throw reader.corrupt("\(rowCount) rows") }
    }
    try reader.finish()
  }
}

/// A snapshot with its plain form and its name, for whoever needs them more than once.
package struct EncodedSnapshot: Sendable {
  package let value: Snapshot
  package let id: SnapshotID
  package let bytes: [UInt8]

  package init(_ snapshot: Snapshot, _ naming: ObjectNaming) {
    value = snapshot
    bytes = snapshot.bytes
    id = bytes.withUnsafeBytes { naming.id(kind: .snapshot, $0) }
  }

  /// A snapshot as it was read.
  init(_ snapshot: Snapshot, id: SnapshotID, bytes: [UInt8]) {
    (value, self.id, self.bytes) = (snapshot, id, bytes)
  }
}
