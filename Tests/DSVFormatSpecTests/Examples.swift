import DSVColumns
import DSVFormat
import DSVStore
import DSVTables
import DSVVersions
import Synchronization

/// Keeps objects in a dictionary.
final class MemoryObjects: ObjectSink {
  let objects = Mutex<[AnyID: StoredObject]>([:])
  let naming = ObjectNaming.plain
  func contains(_ id: AnyID) throws(DSVError) -> Bool { objects.withLock { $0[id] != nil } }
  func read(_ id: AnyID) throws(DSVError) -> StoredObject {
    guard let object = objects.withLock({ $0[id] }) else { throw DSVError(.notFound, "no object \(id)") }
    return object
  }
  func put(_ id: AnyID, _ object: StoredObject) throws(DSVError) { objects.withLock { $0[id] = object } }
}

/// An object of known content: what `fixtures/v1/objects` and the specification show.
struct Example {
  let name: String
  let kind: ObjectKind
  let plain: [UInt8]
  let stored: [UInt8]

  var id: AnyID { plain.withUnsafeBytes { SHA256.id(kind: kind, $0) } }

  init(_ name: String, _ kind: ObjectKind, _ plain: [UInt8]) {
    (self.name, self.kind, self.plain) = (name, kind, plain)
    stored = StoredBytes.store(plain)
  }

  /// A chunk of what `body` appends.
  init(_ name: String, _ layout: Layout, _ body: (ArrayBuilder) -> Void) throws {
    let builder = ArrayBuilder(layout)
    body(builder)
    let plain = GrowingBytes()
    builder.writePlain(to: plain)
    let chunk = try Chunk(taking: plain, of: name)
    (self.name, kind, self.plain) = (name, .chunk, Array(chunk.plainBytes))
    stored = ChunkEncoder(zstd: Zstd()).store(chunk)
  }
}

extension ArrayBuilder {
  func append(text: String) { Array(text.utf8).withUnsafeBytes { append($0) } }
}

/// An ID whose bytes count up.
func countingID<Kind>(from first: UInt8) -> ObjectID<Kind> {
  func word(_ start: UInt8) -> UInt64 { (0..<8).reduce(0) { $0 << 8 | UInt64(first + start + $1) } }
  return ObjectID(word(0), word(8), word(16), word(24))
}

enum Examples {
  /// One chunk for each layout and encoding.
  static func chunks() throws -> [Example] {
    try fixedChunks() + byteChunks() + nestedChunks()
  }

  private static func fixedChunks() throws -> [Example] {
    [
      try Example("none with nulls", .none) {
        for n in 0..<9 { n % 4 == 1 ? $0.appendNull() : $0.appendValue() }
      },
      try Example("bool with nulls", .bool) {
        for n in 0..<19 { n % 5 == 3 ? $0.appendNull() : $0.append(n % 2 == 0) }
      },
      try Example("int8 constant", .fixed(1)) { for _ in 0..<5 { $0.append(fixed: UInt8(7)) } },
      try Example("int16 constant with nulls", .fixed(2)) {
        for n in 0..<9 { n % 3 == 0 ? $0.appendNull() : $0.append(fixed: Int16(-300)) }
      },
      try Example("int32", .fixed(4)) {
        $0.append(fixed: Int32(7))
        $0.appendNull()
        $0.append(fixed: Int32(-2))
      },
      try Example("int64 packed", .fixed(8)) { for n in 0..<40 { $0.append(fixed: Int64(n * n - 100)) } },
      try Example("int64 plain", .fixed(8)) { for n in 0..<5 { $0.append(fixed: Int64(n - 2) << 60) } },
      try Example("float64, -0, infinity and two NaN", .fixed(8)) {
        for value in [0.5, -0.0, .infinity, .nan] { $0.append(fixed: value) }
        $0.append(fixed: Double(bitPattern: 0xfff8_0000_0000_0007))
      },
      try Example("decimal128", .fixed(16)) { for n in 0..<3 { $0.append(fixed: Int128(n - 1) << 80) } },
    ]
  }

  private static func byteChunks() throws -> [Example] {
    [
      try Example("text", .bytes) {
        $0.append(text: "a")
        $0.append(text: "")
        $0.appendNull()
        $0.append(text: "bcd")
      },
      try Example("dictionary", .bytes) { for n in 0..<16 { $0.append(text: n % 2 == 0 ? "no" : "yes") } },
      try Example("dictionary with nulls", .bytes) {
        for n in 0..<30 { n % 7 == 2 ? $0.appendNull() : $0.append(text: "entry \(n % 3)") }
      },
      try Example("text constant with nulls", .bytes) {
        for n in 0..<12 { n % 5 == 4 ? $0.appendNull() : $0.append(text: "the same") }
      },
      try Example("text zstd", .bytes) {
        for n in 0..<40 { $0.append(text: "Sentence \(n) of some text. ") }
      },
      try Example("blob", .bytes) {
        $0.append(text: "short")
        $0.append(BlobReference(root: countingID(from: 0x40), valueByteCount: 300_000))
        $0.appendNull()
      },
    ]
  }

  private static func nestedChunks() throws -> [Example] {
    [
      try Example("list", .list(.fixed(1))) {
        for value in [1, 2] as [Int8] { $0.children[0].append(fixed: value) }
        $0.appendNested()
        $0.appendNull()
        $0.appendNested()
      },
      try Example("list of lists of text", .list(.list(.bytes))) {
        for n in 0..<3 {
          for inner in 0..<n {
            for word in 0...inner { $0.children[0].children[0].append(text: "w\(word)") }
            $0.children[0].appendNested()
          }
          $0.appendNested()
        }
      },
      try Example("fixed-size list with nulls", .fixedSizeList(.fixed(4), count: 3)) {
        for n in 0..<4 {
          guard n != 2 else {
            $0.appendNull()
            continue
          }
          for element in 0..<3 { $0.children[0].append(fixed: Float(n) + Float(element) / 4) }
          $0.appendNested()
        }
      },
      try Example("list of structs", .list(.struct([.bytes, .bool]))) {
        let element = $0.children[0]
        for n in 0..<3 {
          element.children[0].append(text: "p\(n)")
          n == 1 ? element.children[1].appendNull() : element.children[1].append(n == 0)
          element.appendNested()
        }
        element.appendNull()
        $0.appendNested()
        $0.appendNull()
      },
      try Example("list of structs, none", .list(.struct([.fixed(8), .bytes]))) {
        $0.appendNested()
        $0.appendNull()
      },
    ]
  }
}
