import DSVFormat
import DSVRemote
import DSVStore
import DSVTesting
import Testing

/// The values of a remote as bytes, and back.
@Suite struct LayoutTests {
  static func entry() -> RemoteEntry {
    var entry = RemoteEntry(
      number: 7, previous: testID(1), nonce: PackID(high: 1, low: 2), time: 1_700_000_000)
    entry.moves = [
      .init("heads/main", old: testID(2), new: testID(3)), .init("tags/paper", old: nil, new: testID(3)),
      .init("heads/old", old: testID(4), new: nil),
    ]
    entry.numbered = [.init(1, testID(5)), .init(300, testID(3))]
    entry.added = [
      LoggedPack(PackID(high: 3, low: 4), byteCount: 70_000),
      LoggedPack(
        PackID(high: 5, low: 6), byteCount: 9, key: SecretBytes(count: 3) { $0.copyBytes(from: 1...3) }),
    ]
    entry.condemned = [PackID(high: 7, low: 8)]
    entry.deleted = [PackID(high: 9, low: 10), PackID(high: 11, low: 12)]
    return entry
  }

  static func checkpoint() -> Checkpoint {
    var checkpoint = Checkpoint(LogPosition(number: 64, digest: testID(9)))
    checkpoint.refs = [.init("heads/main", old: nil, new: testID(3))]
    checkpoint.numbered = entry().numbered
    checkpoint.packs = entry().added
    checkpoint.condemned = [.init(PackID(high: 7, low: 8), time: 1_700_000_001)]
    return checkpoint
  }

  static func index() throws -> PackIndex {
    var pack = PackBuilder(packID: PackID([UInt8](1...16)))
    for number in 0..<5 {
      var (id, object) = testObject(number, byteCount: number * 20, kind: ObjectKind.allCases[number % 4])
      if number == 4 {
        object = StoredObject(
          kind: .chunk, plainByteCount: 5, base: ObjectBase(testID(0), depth: 1), bytes: [1, 2])
      }
      try pack.append(id, object)
    }
    return PackIndex(pack)
  }

  @Test("what was written is read")
  func roundTrip() throws {
    #expect(try RemoteEntry(Self.entry().bytes, of: "entry") == Self.entry())
    #expect(try Checkpoint(Self.checkpoint().bytes, of: "checkpoint") == Self.checkpoint())
    #expect(try PackIndex(Self.index().bytes, of: "index") == Self.index())
  }

  @Test("cut at any length, or with any byte changed, it is refused")
  func damage() throws {
    let readers: [([UInt8], ([UInt8]) throws(DSVError) -> Void)] = [
      (Self.entry().bytes, { (bytes) throws(DSVError) in _ = try RemoteEntry(bytes, of: "entry") }),
      (Self.checkpoint().bytes, { (bytes) throws(DSVError) in _ = try Checkpoint(bytes, of: "checkpoint") }),
      (try Self.index().bytes, { (bytes) throws(DSVError) in _ = try PackIndex(bytes, of: "index") }),
    ]
    for (bytes, read) in readers {
      for length in 0..<bytes.count {
        #expect(throws: DSVError.self) { try read(Array(bytes[..<length])) }
        var other = bytes
        other[length] ^= 0x10
        #expect(throws: DSVError.self) { try read(other) }
      }
      #expect(throws: DSVError.self) { try read(bytes + [0]) }
    }
  }

  /// With a checksum made right again, so that what stands behind it is looked at.
  @Test("changed by somebody who knows the checksum, it is read or refused, and nothing else")
  func hostile() throws {
    var random = SeededGenerator(seed: 11)
    for _ in 0..<20_000 {
      let which = random.below(3)
      var bytes = Array(
        [Self.entry().bytes, Self.checkpoint().bytes, try Self.index().bytes][which].dropLast(8))
      for _ in 0..<1 + random.below(3) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
      if random.oneIn(4) { bytes.removeLast(random.below(bytes.count)) }
      var writer = ByteWriter()
      writer.write(bytes: bytes)
      writer.write(Hash64.of(bytes))
      do {
        switch which {
        case 0: _ = try RemoteEntry(writer.bytes, of: "entry")
        case 1: _ = try Checkpoint(writer.bytes, of: "checkpoint")
        default: _ = try PackIndex(writer.bytes, of: "index")
        }
      } catch {
        #expect([.corrupt, .unsupportedFormat].contains(error.code))
      }
    }
  }

  @Test("keys say what they are of")
  func keys() {
    let id = PackID([UInt8](1...16))
    #expect(RemoteLayout.pack(id) == "packs/0102030405060708090a0b0c0d0e0f10.pack")
    #expect(RemoteLayout.packID(ofKey: RemoteLayout.pack(id)) == id)
    #expect(RemoteLayout.packID(ofKey: RemoteLayout.index(id)) == id)
    for key in [
      "packs/x.pack", "packs/0102030405060708090a0b0c0d0e0f10", "log/0102030405060708090a0b0c0d0e0f10.pack",
    ] {
      #expect(RemoteLayout.packID(ofKey: key) == nil)
    }
    #expect(RemoteLayout.entry(26) == "log/000000000000001a")
    #expect(RemoteLayout.number(ofKey: RemoteLayout.entry(26), behind: "log/") == 26)
    #expect(RemoteLayout.number(ofKey: "log/checkpoint/1", behind: "log/") == nil)
    for key in [
      RemoteLayout.pack(id), RemoteLayout.index(id), RemoteLayout.entry(1), RemoteLayout.checkpoint(64),
    ] {
      #expect(BucketKey.isValid(key))
    }
  }
}
