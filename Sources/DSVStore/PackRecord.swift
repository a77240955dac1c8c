package import DSVFormat
import DSVSystem

/// The header of one record in a pack.
struct PackRecord: Equatable {
  typealias Layout = PackLayout.Record

  let id: AnyID
  let kind: ObjectKind
  /// Whether the body is a token, behind its base's ID if it has one.
  let isSealed: Bool
  let storedByteCount: Int
  let plainByteCount: Int
  /// 0 for an object that is whole by itself; else the body begins with its base's ID. See ``ObjectBase/depth``.
  let baseDepth: Int
  let checksum: UInt64

  /// Header and body.
  var byteCount: Int { Layout.byteCount + storedByteCount }

  /// The header of a record that holds `object` as it is.
  init(_ id: AnyID, _ object: StoredObject) { self.init(id, object, isSealed: false, body: object.body) }

  /// The header of a record that holds `object` in `body`.
  init(_ id: AnyID, _ object: StoredObject, isSealed: Bool, body: [UInt8]) {
    self.id = id
    kind = object.kind
    self.isSealed = isSealed
    storedByteCount = body.count
    plainByteCount = object.plainByteCount
    baseDepth = object.base?.depth ?? 0
    let seed = Hash64.of(
      Self.bytesBeforeChecksum(id, object.kind, isSealed, baseDepth, body.count, object.plainByteCount))
    checksum = Hash64.of(body, seed: seed)
  }

  /// Reads a header; `nil` if these bytes are none, which says nothing yet about the body.
  init?(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count >= Layout.byteCount else { return nil }
    func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _: T.Type) -> T {
      T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
    guard load(Layout.magic, UInt32.self) == Layout.magicValue,
      let kind = ObjectKind(rawValue: load(Layout.kind, UInt8.self)),
      load(Layout.reserved, UInt16.self) & ~Layout.sealedFlag == 0
    else { return nil }
    isSealed = load(Layout.reserved, UInt16.self) & Layout.sealedFlag != 0
    baseDepth = Int(load(Layout.baseDepth, UInt8.self))
    storedByteCount = Int(load(Layout.storedByteCount, UInt32.self))
    guard baseDepth <= ObjectBase.depthMax, storedByteCount <= PackLayout.storedByteCountMax,
      baseDepth == 0 || storedByteCount >= AnyID.byteCount
    else { return nil }
    self.kind = kind
    plainByteCount = Int(load(Layout.plainByteCount, UInt32.self))
    id = AnyID(key: UnsafeRawBufferPointer(rebasing: bytes[Layout.id..<Layout.checksum]))
    checksum = load(Layout.checksum, UInt64.self)
  }

  /// The header's bytes.
  var bytes: [UInt8] {
    var bytes = Self.bytesBeforeChecksum(id, kind, isSealed, baseDepth, storedByteCount, plainByteCount)
    withUnsafeBytes(of: checksum.littleEndian) { bytes.append(contentsOf: $0) }
    return bytes
  }

  /// Whether `body` and this header are what was written.
  func matches(_ body: UnsafeRawBufferPointer) -> Bool {
    guard body.count == storedByteCount else { return false }
    let seed = Hash64.of(
      Self.bytesBeforeChecksum(id, kind, isSealed, baseDepth, storedByteCount, plainByteCount))
    return Hash64.of(body, seed: seed) == checksum
  }

  /// The object in `body`. Unless the record is sealed, the body was found to match.
  ///
  /// - Parameter sealer: of the pack; `nil` if the pack is plain.
  /// - Throws: `.corrupt` if the body is no token under the pack's key, or if it is none and should be, or the reverse.
  func object(_ body: [UInt8], _ sealer: PackSealer?) throws(DSVError) -> StoredObject {
    guard isSealed == (sealer != nil) else {
      throw DSVError(
        .corrupt,
        "object \(id): its record is \(isSealed ? "sealed where none is" : "not sealed where all are")")
    }
    guard let sealer else { return plainObject(body) }
    return try body.withBytes { (body) throws(DSVError) in
      let start = baseDepth > 0 ? AnyID.byteCount : 0
      return try sealer.open(
        id, kind: kind, plainByteCount: plainByteCount, base: base(in: body),
        token: UnsafeRawBufferPointer(rebasing: body[start...]))
    }
  }

  /// The object in the body of a record that is not sealed. Without a base it is the body, and nothing is copied.
  func plainObject(_ body: [UInt8]) -> StoredObject {
    guard baseDepth > 0 else {
      return StoredObject(kind: kind, plainByteCount: plainByteCount, bytes: body)
    }
    return StoredObject(
      kind: kind, plainByteCount: plainByteCount, base: body.withUnsafeBytes { base(in: $0) },
      bytes: Array(body[AnyID.byteCount...]))
  }

  /// What the object builds on, which stands in clear.
  func base(in body: UnsafeRawBufferPointer) -> ObjectBase? {
    baseDepth > 0 ? ObjectBase(Self.baseID(in: body), depth: baseDepth) : nil
  }

  /// What the body of a record with a base begins with.
  static func baseID(in body: UnsafeRawBufferPointer) -> AnyID {
    AnyID(key: UnsafeRawBufferPointer(rebasing: body[..<AnyID.byteCount]))
  }

  /// What the checksum covers of the header; its hash is the seed of the body's.
  private static func bytesBeforeChecksum(
    _ id: AnyID, _ kind: ObjectKind, _ isSealed: Bool, _ baseDepth: Int, _ storedByteCount: Int,
    _ plainByteCount: Int
  ) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Layout.byteCount) { buffer, count in
      let bytes = UnsafeMutableRawBufferPointer(buffer)
      bytes.storeBytes(of: Layout.magicValue.littleEndian, toByteOffset: Layout.magic, as: UInt32.self)
      bytes.storeBytes(of: kind.rawValue, toByteOffset: Layout.kind, as: UInt8.self)
      bytes.storeBytes(of: UInt8(baseDepth), toByteOffset: Layout.baseDepth, as: UInt8.self)
      let flags = isSealed ? Layout.sealedFlag : 0
      bytes.storeBytes(of: flags.littleEndian, toByteOffset: Layout.reserved, as: UInt16.self)
      bytes.storeBytes(
        of: UInt32(storedByteCount).littleEndian, toByteOffset: Layout.storedByteCount, as: UInt32.self)
      bytes.storeBytes(
        of: UInt32(plainByteCount).littleEndian, toByteOffset: Layout.plainByteCount, as: UInt32.self)
      id.store(into: UnsafeMutableRawBufferPointer(rebasing: bytes[Layout.id..<Layout.checksum]))
      count = Layout.checksum
    }
  }
}

extension StoredObject {
  /// What follows the header in a record: the base's ID, if there is one, and the bytes.
  var body: [UInt8] { base.map { $0.id.key + bytes } ?? bytes }
}

extension ObjectID {
  /// The ID whose 32 bytes these are.
  package init(key bytes: UnsafeRawBufferPointer) {
    func word(_ offset: Int) -> UInt64 {
      UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    precondition(bytes.count == Self.byteCount)
    self.init(word(0), word(8), word(16), word(24))
  }

  /// Writes the ID's 32 bytes.
  func store(into bytes: UnsafeMutableRawBufferPointer) {
    precondition(bytes.count == Self.byteCount)
    bytes.storeBytes(of: w0.bigEndian, toByteOffset: 0, as: UInt64.self)
    bytes.storeBytes(of: w1.bigEndian, toByteOffset: 8, as: UInt64.self)
    bytes.storeBytes(of: w2.bigEndian, toByteOffset: 16, as: UInt64.self)
    bytes.storeBytes(of: w3.bigEndian, toByteOffset: 24, as: UInt64.self)
  }

  /// The ID's 32 bytes as a key of the index.
  package var key: [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Self.byteCount) { buffer, count in
      store(
        into: UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: buffer[..<Self.byteCount])))
      count = Self.byteCount
    }
  }
}
