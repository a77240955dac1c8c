import DSVColumns
import DSVFormat
import DSVStore
import DSVTables
import DSVVersions
import Testing

/// What a reader must refuse, and as what.
@Suite struct RefusalTests {
  /// How a plain chunk's bytes are taken; `nil` if they are accepted.
  private func code(_ plain: [UInt8]) -> DSVError.Code? {
    do throws(DSVError) {
      var failure: DSVError?
      plain.withUnsafeBytes { bytes in
        do throws(DSVError) {
          let chunk = try Chunk(copying: bytes, of: "test")
          if let problem = chunk.problem { throw DSVError(.corrupt, problem) }
        } catch { failure = error }
      }
      if let failure { throw failure }
      return nil
    } catch { return error.code }
  }

  private func snapshotCode(_ bytes: [UInt8]) -> DSVError.Code? {
    bytes.withUnsafeBytes { bytes in
      do throws(DSVError) {
        _ = try Snapshot(bytes, of: "test")
        return nil
      } catch { return error.code }
    }
  }

  @Test("a second form of the same values is refused")
  func canonicalChunks() throws {
    let int32 = try #require(try Examples.all().first { $0.name == "int32" }).plain
    #expect(code(int32) == nil)
    // Trailing bits of the validity, a null that holds something, padding, a validity bitmap without a null.
    #expect(code(int32.replacing(8, by: 0b1101)) == .corrupt)
    #expect(code(int32.replacing(20, by: 1)) == .corrupt)
    #expect(code(int32.replacing(9, by: 1)) == .corrupt)
    #expect(code(int32.replacing(31, by: 1)) == .corrupt)
    #expect(code(int32.replacing(8, by: 0b111)) == .corrupt)
    let blob = try #require(try Examples.all().first { $0.name == "blob" }).plain
    #expect(code(blob) == nil)
    // The reference as a null's, as none's, and of a value that is short.
    #expect(code(blob.replacing(16, by: 0b110)) == .corrupt)
    #expect(code(blob.replacing(16, by: 0)) == .corrupt)
    #expect(code(blob.replacing(blob.count - 3 - 6, by: 0)) == .corrupt)
    let list = try #require(try Examples.all().first { $0.name == "fixed-size list with nulls" }).plain
    #expect(code(list) == nil)
    // An element of a null list is not null.
    #expect(code(list.replacing(32, by: list[32] | 1 << 6)) == .corrupt)
  }

  @Test("what a later dsv may have given a meaning is unsupported, not corrupt")
  func unsupported() throws {
    let int32 = try #require(try Examples.all().first { $0.name == "int32" })
    for (offset, value) in [(0, 11), (1, 4), (1, 3), (2, 1)] as [(Int, UInt8)] {
      #expect(code(int32.plain.replacing(offset, by: value)) == .unsupportedFormat, "\(offset)")
    }
    for (offset, value) in [(0, 3), (1, 2), (2, 1), (8, 11), (10, 2), (10, 4), (9, 8)] as [(Int, UInt8)] {
      let stored = int32.stored.replacing(offset, by: value)
      #expect(decodingCode(stored, int32.plain.count) == .unsupportedFormat, "\(offset)")
    }
    // An encoding that is known, but not of this layout.
    let bools = try #require(try Examples.all().first { $0.name == "bool with nulls" })
    #expect(decodingCode(bools.stored.replacing(10, by: 1), bools.plain.count) == .unsupportedFormat)
    for name in ["node", "snapshot", "commit"] {
      let example = try #require(try Examples.all().first { $0.name == name })
      #expect(example.plain[0] == 1)
      #expect(objectCode(example.kind, example.plain.replacing(0, by: 2)) == .unsupportedFormat, "\(name)")
    }
  }

  @Test("a dictionary has no more entries than its array has slots")
  func dictionaryEntries() throws {
    // Texts without bytes; the dictionary's lengths and numbers have no bits.
    func stored(slots: UInt8, entries: UInt8) -> [UInt8] {
      [0, 0, 0, 0, 13, 0, 0, 0] + [7, 0, 2, 0, slots, 0, 0, 0] + [entries, 0, 0, 0] + [0]
    }
    #expect(decodingCode(stored(slots: 3, entries: 3), 24) == nil)
    #expect(decodingCode(stored(slots: 3, entries: 4), 24) == .corrupt)
    #expect(decodingCode(stored(slots: 3, entries: 0), 24) == .corrupt)
  }

  private func decodingCode(_ stored: [UInt8], _ plainByteCount: Int) -> DSVError.Code? {
    stored.withUnsafeBytes { bytes in
      do throws(DSVError) {
        _ = try ChunkDecoder(zstd: Zstd()).chunk(bytes, plainByteCount: plainByteCount, of: "test")
        return nil
      } catch { return error.code }
    }
  }

  private func objectCode(_ kind: ObjectKind, _ bytes: [UInt8]) -> DSVError.Code? {
    bytes.withUnsafeBytes { bytes in
      do throws(DSVError) {
        switch kind {
        case .node: _ = try TreeNode(bytes, of: "test")
        case .snapshot: _ = try Snapshot(bytes, of: "test")
        default: _ = try Commit(bytes, of: "test")
        }
        return nil
      } catch { return error.code }
    }
  }

  @Test("every prefix of a node, a snapshot and a commit is corrupt, and so is a byte too many")
  func truncation() throws {
    for example in try Examples.all() where example.kind != .chunk {
      #expect(objectCode(example.kind, example.plain) == nil)
      for count in 0..<example.plain.count {
        #expect(
          objectCode(example.kind, Array(example.plain[..<count])) == .corrupt, "\(example.name), \(count)")
      }
      #expect(objectCode(example.kind, example.plain + [0]) == .corrupt)
    }
  }

  @Test("a flipped bit in a snapshot is refused, or gives another snapshot, which is written as it was read")
  func snapshotBits() throws {
    let plain = try Examples.snapshot().plain
    for bit in 0..<plain.count * 8 {
      let changed = plain.replacing(bit / 8, by: plain[bit / 8] ^ 1 << UInt8(bit % 8))
      guard snapshotCode(changed) == nil else { continue }
      #expect(try changed.withUnsafeBytes { try Snapshot($0, of: "test").bytes } == changed, "bit \(bit)")
    }
  }

  @Test("tables that contradict themselves are corrupt")
  func tables() throws {
    func code(_ change: (inout Table) -> Void) throws -> DSVError.Code? {
      var table = try Examples.table()
      change(&table)
      return snapshotCode(Snapshot(tables: [table]).bytes)
    }
    #expect(try code { _ in } == nil)
    #expect(try code { $0.liveCount = 3 } == .corrupt)
    #expect(try code { $0.selection = nil } == .corrupt)
    #expect(try code { $0.reasons = [] } == .corrupt)
    #expect(try code { $0.reasons += $0.reasons } == .corrupt)
    #expect(try code { $0.fields[1].name = "id" } == .corrupt)
    #expect(try code { $0.fields[0].absence = .missing } == .corrupt)
    #expect(try code { $0.fields[0].children = $0.fields[2].children } == .corrupt)
    #expect(try code { $0.fields[0].type = .timestamp(.second, zone: "]") } == .unsupportedFormat)
  }

  @Test("a column without a value of a wide struct comes back")
  func wideStruct() throws {
    let example = try Example("wide", .list(.struct([Layout](repeating: .fixed(8), count: 2000)))) {
      $0.appendNested()
    }
    #expect(decodingCode(example.stored, example.plain.count) == nil)
  }
}

extension [UInt8] {
  fileprivate func replacing(_ offset: Int, by value: UInt8) -> [UInt8] {
    var result = self
    result[offset] = value
    return result
  }
}
