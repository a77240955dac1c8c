import DSVColumns
import DSVFormat
import DSVSystem
import DSVVersions
import Testing

/// The specification, the fixtures and the code say the same of every byte.
@Suite struct SpecificationTests {
  static let files = ["object.md", "chunk.md", "tree.md", "snapshot.md", "commit.md"]

  @Test("the code writes what the specification shows")
  func blocks() throws {
    var specified: [String: [UInt8]] = [:]
    for file in Self.files {
      specified.merge(try Fixtures.hexBlocks("format-spec/\(file)")) { first, _ in first }
    }
    let written = try Examples.blocks()
    for (name, bytes) in written.sorted(by: { $0.key < $1.key }) {
      #expect(specified[name] == bytes, "```hex \(name)\n\(Fixtures.hex(bytes))")
    }
    #expect(specified.keys.sorted() == written.keys.sorted())
  }

  @Test("every file of the specification has its headings and is in the index", arguments: files)
  func headings(file: String) throws {
    let text = try Fixtures.text("format-spec/\(file)")
    for heading in ["Purpose", "Layout", "Rules", "For implementers", "Changes"] {
      #expect(text.contains(". \(heading)"), "\(file): \(heading)")
    }
    #expect(try Fixtures.text("format-spec/README.md").contains("| `\(file)` |"))
  }

  @Test("the code writes the golden objects")
  func objects() throws {
    if let folder = Machine.environment("DSV_WRITE_OBJECTS") { try write(to: folder) }
    let lines = try Fixtures.text("fixtures/v1/objects/index.tsv").split(separator: "\n")
    let examples = try Examples.all()
    #expect(lines.count == examples.count)
    for (line, example) in zip(lines, examples) {
      #expect(line == "\(example.id)\t\(example.kind)\t\(example.name)")
      #expect(try Fixtures.bytes("fixtures/v1/objects/\(example.id).plain") == example.plain)
      // Another zstd may compress otherwise: what it decodes to is compared elsewhere.
      let stored = try Fixtures.bytes("fixtures/v1/objects/\(example.id).stored")
      #expect(stored == example.stored || stored[0] == 1)
    }
  }

  @Test("the golden objects are read, and have their IDs")
  func reading() throws {
    for line in try Fixtures.text("fixtures/v1/objects/index.tsv").split(separator: "\n") {
      let id = line.prefix(64)
      let plain = try Fixtures.bytes("fixtures/v1/objects/\(id).plain")
      let stored = try Fixtures.bytes("fixtures/v1/objects/\(id).stored")
      let kind = line.split(separator: "\t")[1]
      #expect(try Self.computedID(String(kind), plain, stored) == String(id), "\(line)")
    }
  }

  private static func computedID(_ kind: String, _ plain: [UInt8], _ stored: [UInt8]) throws -> String {
    if kind == "chunk" {
      let chunk = try stored.withUnsafeBytes {
        try ChunkDecoder(zstd: Zstd()).chunk($0, plainByteCount: plain.count, of: "fixture")
      }
      #expect(Array(chunk.plainBytes) == plain && chunk.problem == nil)
      return chunk.id(.plain).description
    }
    #expect(try StoredBytes.plain(stored, plainByteCount: plain.count, of: "fixture") == plain)
    return try plain.withUnsafeBytes { bytes in
      switch kind {
      case "commit": return try Commit(bytes, of: "fixture").id(.plain).description
      case "snapshot": return try Snapshot(bytes, of: "fixture").id(.plain).description
      default:
        let node = try TreeNode(bytes, of: "fixture").bytes
        let id: AnyID = node.withUnsafeBytes { SHA256.id(kind: .node, $0) }
        return id.description
      }
    }
  }

  /// How the golden objects of a new format are made: `DSV_WRITE_OBJECTS=fixtures/v2/objects swift test`.
  private func write(to folder: String) throws {
    var index = ""
    for example in try Examples.all() {
      index += "\(example.id)\t\(example.kind)\t\(example.name)\n"
      try FileSystem.replace("\(folder)/\(example.id).plain", with: example.plain)
      try FileSystem.replace("\(folder)/\(example.id).stored", with: example.stored)
    }
    try FileSystem.replace("\(folder)/index.tsv", with: Array(index.utf8))
  }
}
