package import DSVColumns
package import DSVFormat
import DSVStore

/// Reads commits and snapshots.
package struct VersionReader: Sendable {
  package let objects: ObjectReader
  private var store: any ObjectStore { objects.store }

  package init(_ objects: ObjectReader) { self.objects = objects }

  package func commit(_ id: CommitID) throws(DSVError) -> Commit {
    try decode(AnyID(id), kind: .commit) { (bytes, subject) throws(DSVError) in try Commit(bytes, of: subject)
    }
  }

  package func snapshot(_ id: SnapshotID) throws(DSVError) -> Snapshot {
    try decode(AnyID(id), kind: .snapshot) { (bytes, subject) throws(DSVError) in
      try Snapshot(bytes, of: subject)
    }
  }

  /// Keeps a plain form in memory, for whoever reads it next: the next commit begins with this one's snapshot.
  package func keep(_ id: AnyID, _ kind: ObjectKind, _ plain: [UInt8]) {
    objects.cache.insert(ColumnID(id), .plain(plain, kind), byteCount: plain.count + 128)
  }

  private func decode<Value>(
    _ id: AnyID, kind: ObjectKind, _ body: (UnsafeRawBufferPointer, String) throws(DSVError) -> Value
  ) throws(DSVError) -> Value {
    let subject = "\(kind) \(id)"
    let plain: [UInt8]
    // What gc has deleted meanwhile is gone for this process too.
    if case .plain(let cached, kind)? = objects.cache.content(ColumnID(id)), try store.contains(id) {
      plain = cached
    } else {
      let stored = try store.read(id)
      guard stored.kind == kind else { throw DSVError(.corrupt, "\(subject): it is a \(stored.kind)") }
      plain = try objects.plain(id, stored)
      keep(id, kind, plain)
    }
    var result: Result<Value, DSVError> = .failure(DSVError(.corrupt, "\(subject): no bytes"))
    plain.withUnsafeBytes { bytes in
      do throws(DSVError) { result = .success(try body(bytes, subject)) } catch { result = .failure(error) }
    }
    return try result.get()
  }
}

extension ObjectSink {
  /// - Parameter old: the snapshot that this one comes after, which is published.
  package func put(_ snapshot: Snapshot, after old: Snapshot? = nil) throws(DSVError) -> SnapshotID {
    let plain = snapshot.bytes
    let id: SnapshotID = plain.withUnsafeBytes { SHA256.id(kind: .snapshot, $0) }
    try put(AnyID(id), kind: .snapshot, plain: plain, instead: old.map { (AnyID($0.id), $0.bytes) })
    return id
  }

  package func put(_ commit: Commit) throws(DSVError) -> CommitID {
    let (id, plain) = (commit.id, commit.bytes)
    try put(AnyID(id), kind: .commit, plainByteCount: plain.count, bytes: StoredBytes.store(plain))
    return id
  }
}
