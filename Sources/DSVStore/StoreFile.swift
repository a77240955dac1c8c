package import DSVFormat
import DSVSystem

/// A kind of file in a repository, read by itself from its first byte to its last: for who has bytes that may be anything.
package enum StoreFile: Sendable {
  case pack, reflog, index

  /// Reads a file of this kind as far as it is sound.
  ///
  /// - Parameter folder: where the file `data.mdb` is; LMDB puts another beside it.
  /// - Throws: `corrupt` or `unsupportedFormat` where nothing of it can be used.
  package func read(in folder: String) throws(DSVError) {
    let path = "\(folder)/data.mdb"
    switch self {
    case .pack:
      let file = try File(path, .read)
      var scanner = try PackScanner(1, file, limit: .max)
      var end = min(PackLayout.Header.byteCount, try file.byteCount())
      // Nothing is passed over, and nothing is found twice; a damaged header counts beside what follows it.
      while let finding = try scanner.read() {
        switch finding {
        case .record(let id, let place, let record):
          precondition(place.offset == end && record.body.count == place.storedByteCount)
          if !record.head.isSealed {
            let object = record.head.plainObject(record.body)
            precondition(PackRecord(id, object).byteCount == place.byteCount)
          }
          end += place.byteCount
        case .damage(let range):
          precondition(range.lowerBound == 0 || range.lowerBound == end)
          end = max(end, range.upperBound)
        }
      }
      let byteCount = try file.byteCount()
      precondition(end == byteCount)
    case .reflog:
      for record in try ReflogFile(path: path).read().records { try Self.checkCopy(of: record) }
    case .index:
      _ = try IndexVerifier.verify(path)
      try Self.useIndex(in: folder)
    }
  }

  private static func checkCopy(of record: ReflogRecord) throws(DSVError) {
    let copy = record.bytes
    let read = try copy.withBytes { (bytes) throws(DSVError) in
      let body = UnsafeRawBufferPointer(rebasing: bytes[ReflogLayout.Record.byteCount...])
      return try ReflogRecord(body: body, of: "a copy")
    }
    precondition(read == record)
  }

  /// LMDB reads all of an index that was found sound, and writes to it: what would end the process must not be found sound.
  private static func useIndex(in folder: String) throws(DSVError) {
    let environment = try Environment(folder, tables: Index.tableNames)
    defer { environment.close() }
    for table in Index.Table.allCases {
      let entries = try environment.read { (transaction) throws(DSVError) in
        try transaction.sealedEntries(table, from: [], limit: .max)
      }
      try environment.write { (transaction) throws(DSVError) in
        // Half of them go and come back, so that pages are joined, split and taken from the free list.
        for (key, _) in entries.dropFirst(entries.count / 2) { try transaction.delete(table.rawValue, key) }
      }
      try environment.write { (transaction) throws(DSVError) in
        for (key, value) in entries { try transaction.putSealed(table, key, value) }
      }
      let again = try environment.read { (transaction) throws(DSVError) in
        try transaction.sealedEntries(table, from: [], limit: .max)
      }
      precondition(again.elementsEqual(entries) { $0.key == $1.key && $0.value == $1.value })
    }
  }
}

extension StoreFile {
  /// Reads what stands behind a checksum in one of a repository's files, which the first byte chooses.
  package static func readSealed(_ bytes: [UInt8]) throws(DSVError) {
    guard let first = bytes.first else { return }
    let value = Array(bytes.dropFirst())
    switch first & 7 {
    case 0:
      let place = try Place(value, of: AnyID(0, 0, 0, 0))
      precondition(place.bytes == value)
    case 1:
      let state = try IndexState(value)
      precondition(state.bytes == value)
    case 2: _ = try RefTarget(value, of: "fuzz")
    case 3: _ = try PackHeader(value, path: "fuzz")
    case 4:
      let record = try value.withBytes { (bytes) throws(DSVError) in
        try ReflogRecord(body: bytes, of: "fuzz")
      }
      try checkCopy(of: record)
    case 5: _ = try value.withBytes { (bytes) throws(DSVError) in try KeyRunHeader(bytes, of: "fuzz") }
    default:
      value.withBytes { bytes in
        guard let record = PackRecord(bytes), bytes.count == record.byteCount, !record.isSealed else {
          return
        }
        let body = Array(bytes[PackLayout.Record.byteCount...])
        precondition(record.plainObject(body).body == body)
      }
    }
  }
}
