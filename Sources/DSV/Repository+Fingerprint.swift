import DSVColumns
public import DSVFormat
import DSVInterchange
import DSVRecords
import DSVStore
import DSVTables
import DSVVersions

extension Repository {
  /// The root that a version would have in canonical form: what committing its export, table by table, to a new
  /// repository without keys would give. Versions with the same live rows have the same.
  ///
  /// Signals do not count. Writes nothing.
  public func fingerprint(_ commit: CommitID, progress: @escaping ProgressHandler = { _ in }) throws(DSVError)
    -> SnapshotID
  {
    try reading { (_) throws(DSVError) in
      var tables: [Table] = []
      for table in try snapshot(commit).tables { tables.append(try canonical(table, progress)) }
      return Snapshot(tables: tables).id(store.naming)
    }
  }

  private func canonical(_ table: Table, _ progress: @escaping ProgressHandler) throws(DSVError) -> Table {
    let sink = ColumnSink(ForgetfulSink(naming: store.naming), pool: pool)
    let ingest = try TableIngest(.inferred, format: .jsonl, sink: sink, reader: reader)
    let parser = JSONParser()
    let feed = { [reader] () throws(DSVError) in
      let export = try RowExport(table, ExportOptions(), reader: reader)
      var line = ByteBuffer()
      try export.forEachRow { (row) throws(DSVError) in
        line.removeAll()
        try export.append(row, to: &line)
        let byteCount = line.count
        for _ in 0..<JSONParser.padding { line.append(UInt8(0)) }
        let text = UnsafeRawBufferPointer(rebasing: line.bytes[..<byteCount])
        guard let events = try? parser.parse(padded: text) else {
          throw DSVError(.corrupt, "table \(table.name): row \(row) cannot be read back")
        }
        _ = try ingest.append(events)
        if row & 0xfff == 0 {
          try progress(
            Progress(phase: "reading \(table.name)", done: row, total: table.rowCount, unit: .rows))
        }
      }
    }
    try feed()
    if try ingest.needsSecondReading() {
      try ingest.beginSecondReading()
      try feed()
    }
    return try ingest.finish(name: table.name)
  }
}

/// Has everything already, and keeps nothing: what is written through it is only named.
private struct ForgetfulSink: ObjectSink {
  let naming: ObjectNaming

  func contains(_ id: AnyID) throws(DSVError) -> Bool { true }
  func read(_ id: AnyID) throws(DSVError) -> StoredObject {
    throw DSVError(.notFound, "object \(id): not kept")
  }
  func put(_ id: AnyID, _ object: StoredObject) throws(DSVError) {}
}
