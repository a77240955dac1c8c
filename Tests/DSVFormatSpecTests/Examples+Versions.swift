import DSVColumns
import DSVFormat
import DSVStore
import DSVTables
import DSVVersions

extension Examples {
  static func sink(_ objects: MemoryObjects) -> ColumnSink {
    ColumnSink(objects, pool: WorkerPool(threadCount: 0))
  }

  static func column<Value>(
    _ type: DataType, _ values: [Value?], _ objects: MemoryObjects,
    _ append: (ColumnWriter, Value) throws -> Void
  ) throws -> ColumnRoot {
    let writer = ColumnWriter(type: type, sink: sink(objects))
    for value in values { if let value { try append(writer, value) } else { try writer.appendNull() } }
    return try writer.finish()
  }

  static func integers(_ values: [Int64?], _ objects: MemoryObjects) throws -> ColumnRoot {
    try column(.int64, values, objects) { try $0.append(fixed: $1) }
  }

  static func texts(_ values: [String?], _ objects: MemoryObjects) throws -> ColumnRoot {
    try column(.utf8, values, objects) { writer, text in
      try Array(text.utf8).withUnsafeBytes { try writer.append($0) }
    }
  }

  /// The column of `chunk.md`'s worked example.
  static func cutColumn(_ objects: MemoryObjects) throws -> ColumnRoot {
    try integers((0..<12_000).map { Int64($0 * 7) }, objects)
  }

  /// The node above `cutColumn`.
  static func node() throws -> Example {
    let objects = MemoryObjects()
    guard let id = try cutColumn(objects).id else { throw DSVError(.corrupt, "the column has no node") }
    let stored = try objects.read(AnyID(id))
    return Example(
      "node", .node, try StoredBytes.plain(stored.bytes, plainByteCount: stored.plainByteCount, of: "node"))
  }

  /// The table of `snapshot.md`'s example.
  static func table() throws -> Table {
    let objects = MemoryObjects()
    let id = TableField(name: "id", type: .int64, values: try integers([1, 2, 1], objects))
    var note = TableField(name: "note", type: .utf8, values: try texts(["x", nil, nil], objects))
    note.metadata = ["media-type": "text/plain"]
    note.absence = .mixed(try column(.bool, [false, true], objects) { try $0.append($1) })
    var at = TableField(
      name: "at", type: .struct([]),
      values: try column(.struct([]), [true, nil, true], objects) { writer, _ in
        writer.builder.appendValue()
        try writer.endValue()
      })
    at.absence = .missing
    at.children = [
      TableField(
        name: "d", type: .date,
        values: try column(.date, [1, nil, 2], objects) { try $0.append(fixed: $1 as Int32) })
    ]
    at.children[0].absence = .missing
    var table = Table(name: "data", fields: [id, note, at], rowCount: 3)
    table.key = ["id"]
    table.selection = try column(.uint16, [1, 0, 0], objects) { try $0.append(fixed: $1 as UInt16) }
    table.liveCount = 2
    table.reasons = [DropReason(stage: "upsert", rule: "replaced")]
    return table
  }

  static func snapshot() throws -> Example {
    Example("snapshot", .snapshot, Snapshot(tables: [try table()]).bytes)
  }

  static func commit(_ snapshot: Example) -> Commit {
    Commit(
      root: SnapshotID(snapshot.id), parents: [], rowCount: 2, time: 1_700_000_000_000_000, author: "Ada",
      message: "first")
  }

  static func commits() throws -> [Example] {
    let first = commit(try snapshot())
    let stage = StageRecord(name: "where", revision: 1, parameters: #"{"condition":"id > 1"}"#)
    let second = Commit(
      root: first.root, parents: [first.id(.plain)], rowCount: 2, time: 1_700_000_060_000_000, author: "Ada",
      message: "filtered", lineage: Lineage(input: first.id(.plain), stages: [stage]))
    return [Example("commit", .commit, first.bytes), Example("commit with lineage", .commit, second.bytes)]
  }

  static func all() throws -> [Example] {
    try chunks() + [node(), snapshot()] + commits()
  }

  /// The text chunk with two values appended, as a record holds it: over the text chunk.
  static func appendedChunk() throws -> (plain: [UInt8], body: [UInt8]) {
    let base = try chunks().first { $0.name == "text" }
    guard let base else { throw DSVError(.notFound, "no chunk of texts") }
    let whole = try Example("appended", .bytes) {
      for text in ["a", "", nil, "bcd", "ef", nil] {
        if let text { $0.append(text: text) } else { $0.appendNull() }
      }
    }
    let builder = ArrayBuilder(.bytes)
    builder.append(text: "ef")
    builder.appendNull()
    let plain = GrowingBytes()
    builder.writePlain(to: plain)
    let added = ChunkEncoder(zstd: Zstd()).store(appended: try Chunk(taking: plain, of: "appended"))
    return (whole.plain, base.id.bytes + added)
  }

  /// The bytes that the specification shows, by the name of the block that shows them.
  static func blocks() throws -> [String: [UInt8]] {
    var blocks: [String: [UInt8]] = [:]
    for example in try all() {
      switch example.name {
      case "int32", "text", "list": blocks["chunk \(example.name) plain"] = example.plain
      case "node", "snapshot", "commit", "commit with lineage": blocks[example.name] = example.plain
      default: break
      }
      if ["int32", "text", "list", "dictionary"].contains(example.name) {
        blocks["chunk \(example.name) stored"] = example.stored
      }
      if example.name == "commit" {
        blocks["object stored"] = example.stored
        blocks["object id"] = example.id.bytes
      }
    }
    let appended = try appendedChunk()
    blocks["chunk appended plain"] = appended.plain
    blocks["chunk appended body"] = appended.body
    for (name, root) in [
      "root inline": try integers([1], MemoryObjects()), "root object": try cutColumn(MemoryObjects()),
    ] {
      var writer = ByteWriter()
      root.write(to: &writer)
      blocks[name] = writer.bytes
    }
    return blocks
  }
}
