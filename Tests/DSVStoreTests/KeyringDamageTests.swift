import DSVFormat
import DSVSystem
import Testing

@testable import DSVStore

/// Keyrings that an accident or somebody has changed.
@Suite struct KeyringDamageTests {
  private typealias Layout = KeyringLayout

  /// The checksum put right: what somebody would do who wants a change not to be noticed.
  private static func rechecked(_ bytes: [UInt8]) -> [UInt8] {
    let content = Array(bytes.dropLast(8))
    return content + withUnsafeBytes(of: Hash64.of(content).littleEndian) { Array($0) }
  }

  @Test("a keyring with any byte changed, or cut at any length, is corrupt")
  func accident() throws {
    let (keyring, keys) = try KeyringTests.sample()
    let bytes = try keyring.bytes()
    for position in bytes.indices {
      for mask: UInt8 in [1, 0x80, 0xff] {
        var other = bytes
        other[position] ^= mask
        for key in keys { #expect(code { try Keyring(opening: other, key) } == .corrupt) }
      }
      #expect(code { try Keyring(opening: Array(bytes[..<position]), keys[0]) } == .corrupt)
    }
    #expect(code { try Keyring(opening: bytes + [0], keys[0]) } == .corrupt)
  }

  @Test("nor does it open for anybody who made the checksum fit again")
  func purpose() throws {
    let (keyring, keys) = try KeyringTests.sample()
    let bytes = try keyring.bytes()
    let refusals: [DSVError.Code?] = [.corrupt, .wrongKey, .unsupportedFormat]
    for position in bytes.indices.dropLast(8) {
      for bit in 0..<8 {
        var other = bytes
        other[position] ^= 1 << UInt8(bit)
        other = Self.rechecked(other)
        for key in keys[..<2] {
          let found = code { try Keyring(opening: other, key) }
          #expect(refusals.contains(found), "byte \(position), bit \(bit): \(String(describing: found))")
        }
      }
    }
    for length in 0..<bytes.count - 8 {
      let other = Self.rechecked(Array(bytes[..<length]) + [UInt8](repeating: 0, count: 8))
      #expect(code { try Keyring(opening: other, keys[0]) } == .corrupt)
    }
  }

  @Test("a later revision is told from damage")
  func revision() throws {
    let (keyring, keys) = try KeyringTests.sample()
    var bytes = try keyring.bytes()
    bytes[Layout.Header.revision] = 2
    #expect(code { try Keyring(opening: Self.rechecked(bytes), keys[0]) } == .unsupportedFormat)
    #expect(code { try Keyring(opening: bytes, keys[0]) } == .corrupt)
  }

  @Test("what another state of it was made of does not fit, slot or body or generation")
  func spliced() throws {
    var (keyring, keys) = try KeyringTests.sample()
    let old = try keyring.bytes()
    try keyring.rotate(to: .random(), keeping: Array(keys[1...]))
    let new = try keyring.bytes()
    #expect(old.count + Layout.Body.logKeyByteCount / 16 * 16 <= new.count)
    let slots = Layout.Header.byteCount..<Layout.Header.byteCount + 3 * Layout.Slot.byteCount
    // The old slot of a user key that is still one: it wraps the ring key from before.
    let slot = slots.lowerBound + Layout.Slot.byteCount..<slots.lowerBound + 2 * Layout.Slot.byteCount
    var other = new
    other.replaceSubrange(slot, with: old[slot])
    #expect(code { try Keyring(opening: Self.rechecked(other), keys[1]) } == .corrupt)
    // The old slots and body with the new generation: a roll-back that would not be noticed.
    other = old
    let generation = Layout.Header.generation..<Layout.Header.slotCount
    other.replaceSubrange(generation, with: new[generation])
    #expect(code { try Keyring(opening: Self.rechecked(other), keys[1]) } == .corrupt)
    // A slot taken out.
    other = new
    other.removeSubrange(slots.upperBound - Layout.Slot.byteCount..<slots.upperBound)
    other[Layout.Header.slotCount] = 2
    #expect(code { try Keyring(opening: Self.rechecked(other), keys[1]) } == .corrupt)
    // The same slot twice.
    other = new
    other.replaceSubrange(slot, with: new[slots.lowerBound..<slot.lowerBound])
    #expect(code { try Keyring(opening: Self.rechecked(other), keys[1]) } == .corrupt)
  }

  @Test(
    "counts that the file cannot hold, and passphrases that cost too much, are refused before anything is done"
  )
  func bounds() throws {
    let (keyring, keys) = try KeyringTests.sample()
    let bytes = try keyring.bytes()
    for field in [Layout.Header.slotCount, Layout.Header.bodyByteCount] {
      for value: UInt32 in [0, 1, 65, 0x7fff_ffff, .max] {
        var other = bytes
        withUnsafeBytes(of: value.littleEndian) { other.replaceSubrange(field..<field + 4, with: $0) }
        #expect(code { try Keyring(opening: Self.rechecked(other), keys[0]) } == .corrupt)
      }
    }
    let passphrase = Layout.Header.byteCount + 2 * Layout.Slot.byteCount
    for logN: UInt8 in [0, 23, 64, 255] {
      var other = bytes
      other[passphrase + Layout.Slot.logN] = logN
      #expect(code { try Keyring(opening: Self.rechecked(other), keys[2]) } == .corrupt)
    }
    for field in [Layout.Slot.r, Layout.Slot.p] {
      for value: UInt32 in [0, 1 << 20, .max] {
        var other = bytes
        withUnsafeBytes(of: value.littleEndian) {
          other.replaceSubrange(passphrase + field..<passphrase + field + 4, with: $0)
        }
        #expect(code { try Keyring(opening: Self.rechecked(other), keys[2]) } == .corrupt)
      }
    }
  }
}

@Suite struct KeyringFileTests {
  @Test("the file is its owner's alone, and is made once")
  func create() throws {
    let scratch = try Scratch()
    let file = KeyringFile("\(scratch.path)/keyring")
    let key = UserKey.random()
    #expect(code { try file.open(key) } == .notFound)
    let keyring = try Keyring(new: key)
    try file.create(keyring)
    #expect(try file.status()?.isPrivate == true)
    #expect(try file.open(key).isSame(as: keyring))
    #expect(code { try file.create(keyring) } == .conflict)
  }

  @Test(
    "a fault at any step leaves the old keyring or the new one, and the next write removes what was begun")
  func faults() throws {
    let key = UserKey.random()
    var stepCount = 0
    repeat {
      let scratch = try Scratch()
      let file = KeyringFile("\(scratch.path)/keyring")
      var keyring = try Keyring(new: key)
      try file.create(keyring)
      let old = keyring.generation
      keyring.addPack(PackID(high: 1, low: 1))
      try FileSystem.replace("\(file.path).0123456789abcdef", with: [1, 2, 3])
      Faults.arm(under: scratch.path, first: stepCount)
      let failure = code { try file.replace(keyring) }
      let reached = Faults.disarm(under: scratch.path)
      let opened = try file.open(key)
      #expect([old, keyring.generation].contains(opened.generation))
      if failure == nil { #expect(opened.generation == keyring.generation && reached <= stepCount) }
      try file.replace(keyring)
      #expect(try file.reopen(opened).packs == keyring.packs)
      #expect(try FileSystem.list(scratch.path) == ["keyring"])
      if failure == nil { break }
      stepCount += 1
    } while stepCount < 20
    // Removing what lay around; making, writing, syncing, renaming; syncing the folder.
    #expect(stepCount == 6)
  }
}
