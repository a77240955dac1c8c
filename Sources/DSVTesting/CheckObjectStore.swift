package import DSVFormat
package import DSVStore

/// What every ``ObjectSink`` promises, as one check that each conforming type is put through.
///
/// - Returns: the promises that `store` breaks.
package func checkObjectStore(_ store: some ObjectSink) throws(DSVError) -> [String] {
  var broken: [String] = []
  func expect(_ isKept: Bool, _ promise: String) { if !isKept { broken.append(promise) } }

  let absent: AnyID = testID(0xFFFF)
  expect(try !store.contains(absent), "what was not put is not contained")
  expect(readCode(store, absent) == .notFound, "reading what was not put throws notFound")
  for kind in ObjectKind.allCases {
    for byteCount in [0, 1, 55, 4096, 300_000] {
      let id: AnyID = testID(UInt64(kind.rawValue) << 32 | UInt64(byteCount))
      let bytes = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
      let object = StoredObject(kind: kind, plainByteCount: byteCount * 3, bytes: bytes)
      try store.put(id, object)
      expect(try store.contains(id), "what was put is contained")
      expect(try store.read(id) == object, "reading gives what was put: \(kind), \(byteCount) bytes")
      try store.put(id, StoredObject(kind: kind, plainByteCount: 1, bytes: [9]))
      expect(try store.read(id) == object, "putting again changes nothing")
    }
  }
  return broken
}

/// An ID made up for tests: `number` decides all of its bytes.
package func testID<Kind>(_ number: UInt64) -> ObjectID<Kind> {
  ObjectID(
    Hash64.of(number, seed: 1), Hash64.of(number, seed: 2), Hash64.of(number, seed: 3),
    Hash64.of(number, seed: 4))
}

private func readCode(_ store: some ObjectStore, _ id: AnyID) -> DSVError.Code? {
  do throws(DSVError) {
    _ = try store.read(id)
    return nil
  } catch {
    return error.code
  }
}
