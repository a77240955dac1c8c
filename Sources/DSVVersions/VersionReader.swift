package import DSVColumns
package import DSVFormat
import DSVStore
import Synchronization

/// Reads commits and snapshots.
package struct VersionReader: Sendable {
  package let objects: ObjectReader
  private var store: any ObjectStore { objects.store }
  private let last = LastSnapshot()

  package init(_ objects: ObjectReader) { self.objects = objects }

  package func commit(_ id: CommitID) throws(DSVError) -> Commit {
    try decode(AnyID(id), kind: .commit) { (bytes, subject) throws(DSVError) in try Commit(bytes, of: subject)
    }
  }

  package func snapshot(_ id: SnapshotID) throws(DSVError) -> Snapshot { try encodedSnapshot(id).value }

  /// A snapshot with its plain form, as it was read.
  package func encodedSnapshot(_ id: SnapshotID) throws(DSVError) -> EncodedSnapshot {
    if let known = last.value.withLock({ $0 }), known.id == id { return known }
    let snapshot = try decode(AnyID(id), kind: .snapshot) { (bytes, subject) throws(DSVError) in
      EncodedSnapshot(try Snapshot(bytes, of: subject), id: id, bytes: Array(bytes))
    }
    last.value.withLock { $0 = snapshot }
    return snapshot
  }

  /// Keeps what was just published in memory, for whoever reads it next: the next commit begins with it.
  package func keep(_ snapshot: EncodedSnapshot, of commit: Commit?) {
    keep(AnyID(snapshot.id), .snapshot, snapshot.bytes)
    last.value.withLock { $0 = snapshot }
    if let commit { keep(AnyID(commit.id(store.naming)), .commit, commit.bytes) }
  }

  private func keep(_ id: AnyID, _ kind: ObjectKind, _ plain: [UInt8]) {
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

/// The snapshot that was read or published last, which whoever commits asks for more than once.
private final class LastSnapshot: Sendable {
  let value = Mutex<EncodedSnapshot?>(nil)
}

extension ObjectSink {
  /// - Parameter old: the snapshot that this one comes after, which is published.
  package func put(_ snapshot: EncodedSnapshot, after old: EncodedSnapshot? = nil) throws(DSVError) {
    try put(
      AnyID(snapshot.id), kind: .snapshot, plain: snapshot.bytes,
      instead: old.map { (AnyID($0.id), $0.bytes) })
  }

  package func put(_ commit: Commit) throws(DSVError) -> CommitID {
    let (id, plain) = (commit.id(naming), commit.bytes)
    try put(AnyID(id), kind: .commit, plainByteCount: plain.count, bytes: StoredBytes.store(plain))
    return id
  }
}
