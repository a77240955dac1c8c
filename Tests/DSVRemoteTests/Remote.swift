import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import Testing

/// An object made up for tests.
func testObject(_ number: Int, byteCount: Int = 100, kind: ObjectKind = .chunk) -> (
  id: AnyID, object: StoredObject
) {
  let bytes = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ number) }
  return (testID(UInt64(number)), StoredObject(kind: kind, plainByteCount: byteCount * 2, bytes: bytes))
}

/// A bucket that is filled as a push would, without a repository.
struct Remote {
  let bucket: any Bucket
  var log: RemoteLog { RemoteLog(bucket) }

  init(_ bucket: any Bucket = MemoryBucket()) { self.bucket = bucket }

  /// Puts a pack of these objects, and names it in a new entry.
  @discardableResult
  func push(_ numbers: Range<Int>, change: (inout RemoteEntry) -> Void = { _ in }) throws -> PackID? {
    let position = try log.read(after: .start, seen: .start) { _ in }
    var entry = RemoteEntry(
      number: position.number + 1, previous: position.digest, nonce: .random(),
      time: 1_700_000_000)
    if !numbers.isEmpty {
      var pack = PackBuilder()
      for number in numbers {
        let (id, object) = testObject(number)
        try pack.append(id, object)
      }
      let id = pack.packID
      try bucket.put(RemoteLayout.pack(id), pack.bytes)
      try bucket.put(RemoteLayout.index(id), PackIndex(pack).bytes)
      entry.added = [LoggedPack(id, byteCount: pack.bytes.count)]
    }
    change(&entry)
    #expect(try log.create(entry) != nil)
    return entry.added.first?.id
  }
}
