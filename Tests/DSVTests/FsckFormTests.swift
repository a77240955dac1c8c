import DSV
import DSVFormat
import DSVStore
import DSVTesting
import Testing

/// What a check says of objects whose records are sound and that are no objects.
@Suite struct FsckFormTests {
  @Test("an object that is of no form that there is, is named", arguments: [UInt8(9), 0, 200])
  func unknown(first: UInt8) throws {
    let dataset = try Dataset()
    try dataset.commit([#"{"a":1}"#])
    let session = try dataset.repository.store.session()
    let (chunk, node) = (AnyID(1, 2, 3, 4), AnyID(1, 2, 3, 5))
    let bytes: [UInt8] = [first, 0, 0, 0, 1, 0, 0, 0, 7]
    try session.put(chunk, StoredObject(kind: .chunk, plainByteCount: 100, bytes: bytes))
    try session.put(node, StoredObject(kind: .node, plainByteCount: 100, bytes: [first, 1, 2]))
    try session.publish { (_) throws(DSVError) in }
    let result = try dataset.repository.check()
    #expect(result.unreadCount == 0 && !result.isOK)
    for id in [chunk, node] {
      #expect(result.problems.contains { $0.contains("\(id)") }, "\(result.problems)")
    }
  }
}
