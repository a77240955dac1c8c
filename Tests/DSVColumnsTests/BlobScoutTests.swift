import DSVColumns
import DSVFormat
import DSVStore
import Glibc
import Synchronization
import Testing

/// Objects that are far away: it is noted what is told to be read soon.
private final class FarObjects: ObjectStore {
  let objects: MemoryObjects
  let told = Mutex<Set<AnyID>>([])
  let naming = ObjectNaming.plain
  let prefetches = true

  init(_ objects: MemoryObjects) { self.objects = objects }

  func contains(_ id: AnyID) throws(DSVError) -> Bool { try objects.contains(id) }
  func read(_ id: AnyID) throws(DSVError) -> StoredObject { try objects.read(id) }
  func baseDepth(of id: AnyID) throws(DSVError) -> Int? { nil }
  func baseID(of id: AnyID) throws(DSVError) -> AnyID? { nil }
  func prefetch(_ ids: [AnyID], first: Bool) { told.withLock { $0.formUnion(ids) } }

  /// Waits until all of these were told.
  func areTold(_ ids: [AnyID]) -> Bool {
    for _ in 0..<10_000 {
      if told.withLock({ $0.isSuperset(of: ids) }) { return true }
      usleep(1000)
    }
    return false
  }
}

@Suite struct BlobScoutTests {
  /// Texts, among them some that are blobs, in many chunks; and the blobs.
  private func column(in objects: MemoryObjects) throws -> (ColumnRoot, [BlobReference]) {
    let writer = ColumnWriter(type: .utf8, sink: ColumnSink(objects, pool: .onCaller))
    var random = SeededGenerator(state: 7)
    for row in 0..<400 {
      let length = row % 50 == 3 ? ColumnWriter.blobByteCountMin + (row % 100 == 3 ? 1_000_000 : 0) : 2000
      let value = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) & 0x7f }
      try value.withUnsafeBytes { try writer.append($0) }
    }
    let root = try writer.finish()
    let cursor = ColumnCursor(
      root, layout: .bytes,
      reader: ObjectReader(objects, cache: ObjectCache(byteCountMax: 0), pool: .onCaller))
    var blobs: [BlobReference] = []
    for row in 0..<400 where row % 50 == 3 {
      let slice = try cursor.slice(at: row)
      blobs.append(try BlobReference(slice.array.bytes(row - slice.startRow)))
    }
    return (root, blobs)
  }

  @Test("who reads a whole column from far away has its blobs, and their pieces, asked for ahead")
  func ahead() throws {
    let objects = MemoryObjects()
    let (root, blobs) = try column(in: objects)
    let far = FarObjects(objects)
    let reader = ObjectReader(far, cache: ObjectCache(byteCountMax: 1 << 20), pool: .onCaller)
    let cursor = ColumnCursor(root, layout: .bytes, reader: reader, readsBlobs: true)
    // No blob is read here; and who has passed one has no use for it.
    _ = try cursor.slice(at: 0)
    var parts = blobs.map { AnyID($0.root) }
    for id in parts {
      let stored = try objects.read(id)
      if stored.kind == .node {
        parts += try reader.decodedNode(ColumnID(id), stored).children.map { AnyID($0.id) }
      }
    }
    #expect(parts.count > blobs.count)
    let areTold = far.areTold(parts)
    #expect(areTold)
  }

  @Test("who does not say that values are read whole has no blobs asked for")
  func referencesOnly() throws {
    let objects = MemoryObjects()
    let (root, blobs) = try column(in: objects)
    let far = FarObjects(objects)
    let reader = ObjectReader(far, cache: ObjectCache(byteCountMax: 1 << 20), pool: .onCaller)
    let cursor = ColumnCursor(root, layout: .bytes, reader: reader)
    for row in 0..<root.rowCount { _ = try cursor.slice(at: row) }
    #expect(far.told.withLock { $0.isDisjoint(with: blobs.map { AnyID($0.root) }) })
  }

  @Test("no more bytes of blobs are asked for ahead than a window, and the rest as the reader moves on")
  func window() throws {
    let objects = MemoryObjects()
    let writer = ColumnWriter(type: .utf8, sink: ColumnSink(objects, pool: .onCaller))
    for row in 0..<1800 {
      var value = [UInt8](repeating: 97, count: row % 30 == 0 ? 1_000_000 : 2000)
      for (index, digit) in "\(row)".utf8.enumerated() { value[index * 400] = digit }
      try value.withUnsafeBytes { try writer.append($0) }
    }
    let root = try writer.finish()
    var roots: [AnyID] = []
    let near = ColumnCursor(
      root, layout: .bytes,
      reader: ObjectReader(objects, cache: ObjectCache(byteCountMax: 0), pool: .onCaller))
    for row in stride(from: 0, to: 1800, by: 30) {
      let slice = try near.slice(at: row)
      roots.append(AnyID(try BlobReference(slice.array.bytes(row - slice.startRow)).root))
    }
    #expect(Set(roots).count == 60)
    let far = FarObjects(objects)
    let reader = ObjectReader(far, cache: ObjectCache(byteCountMax: 1 << 20), pool: .onCaller)
    let cursor = ColumnCursor(root, layout: .bytes, reader: reader, readsBlobs: true)
    for row in 0..<1800 {
      _ = try cursor.slice(at: row)
      guard row % 30 == 0, row < 1500 else { continue }
      // Some time, without the reader moving on.
      #expect(far.areTold([roots[row / 30 + 1]]))
      // The last chunks that are looked into together may go beyond the window.
      let ahead = far.told.withLock { told in roots[(row / 30)...].count { told.contains($0) } }
      #expect(ahead < 50, "row \(row)")
    }
  }

  @Test("blobs are read whole, from the memory tier too", arguments: [0, 64 << 20])
  func whole(cacheByteCount: Int) throws {
    let objects = MemoryObjects()
    let (_, blobs) = try column(in: objects)
    let reader = ObjectReader(objects, cache: ObjectCache(byteCountMax: cacheByteCount), pool: .onCaller)
    for _ in 0..<2 {
      for blob in blobs { #expect(try reader.blob(blob).count == blob.valueByteCount) }
    }
  }
}
