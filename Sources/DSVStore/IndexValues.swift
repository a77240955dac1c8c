package import DSVFormat

/// Where an object's record lies.
package struct Place: Sendable, Hashable {
  package let pack: UInt32
  /// Where the record's header begins.
  package let offset: Int
  package let storedByteCount: Int
  package let plainByteCount: Int
  package let kind: ObjectKind
  /// See ``ObjectBase/depth``; 0 for an object that is whole by itself.
  package let baseDepth: Int

  init(_ pack: UInt32, _ offset: Int, _ record: RecordHead) {
    self.pack = pack
    self.offset = offset
    storedByteCount = record.storedByteCount
    plainByteCount = record.plainByteCount
    kind = record.kind
    baseDepth = record.baseDepth
  }

  /// Header and body.
  package var byteCount: Int { PackLayout.Record.byteCount + storedByteCount }

  init(_ value: [UInt8], of id: AnyID) throws(DSVError) {
    self = try Index.field(value, "the place of object \(id.short)") { (reader) throws(DSVError) in
      let pack = try reader.read(UInt32.self)
      let offset = try reader.read(UInt64.self)
      let stored = Int(try reader.read(UInt32.self))
      let plain = Int(try reader.read(UInt32.self))
      let code = try reader.read(UInt8.self)
      let depth = Int(code >> 4)
      guard let kind = ObjectKind(rawValue: code & 15), depth <= ObjectBase.depthMax, offset < 1 << 40,
        stored <= PackLayout.storedByteCountMax
      else { throw reader.corrupt("a field is out of bounds") }
      return Place(pack: pack, offset: Int(offset), stored: stored, plain: plain, kind: kind, depth: depth)
    }
  }

  package init(pack: UInt32, offset: Int, stored: Int, plain: Int, kind: ObjectKind, depth: Int) {
    (self.pack, self.offset, self.kind, baseDepth) = (pack, offset, kind, depth)
    (storedByteCount, plainByteCount) = (stored, plain)
  }

  var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.write(pack)
    writer.write(UInt64(offset))
    writer.write(UInt32(storedByteCount))
    writer.write(UInt32(plainByteCount))
    writer.write(kind.rawValue | UInt8(baseDepth) << 4)
    return writer.bytes
  }
}

/// What the holder of the writer's lock needs to know, kept in the index under one key.
struct IndexState: Equatable {
  static let key = Array("state".utf8)

  /// The pack that small publications append to; 0 for none.
  var openPack: UInt32 = 0
  /// How much of the open pack is published. What lies behind is cut off by the next writer.
  var openPackByteCount = 0
  /// No pack has had a higher number. Numbers are not used twice, for readers keep packs open.
  var lastPack: UInt32 = 0
  var reflogByteCount = ReflogLayout.Header.byteCount
  /// The highest version number given.
  var lastVersion = 0

  init() {}

  init(_ value: [UInt8]) throws(DSVError) {
    self.init()
    let fields = try Index.field(value, "the index's state") { (reader) throws(DSVError) in
      (
        try reader.read(UInt32.self), try reader.read(UInt64.self), try reader.read(UInt32.self),
        try reader.read(UInt64.self), try reader.read(UInt64.self)
      )
    }
    guard fields.1 < 1 << 40, fields.3 < 1 << 60, fields.4 < 1 << 32 else {
      throw DSVError(.corrupt, "the index's state: a field is out of bounds")
    }
    (openPack, openPackByteCount, lastPack) = (fields.0, Int(fields.1), fields.2)
    (reflogByteCount, lastVersion) = (Int(fields.3), Int(fields.4))
  }

  var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.write(openPack)
    writer.write(UInt64(openPackByteCount))
    writer.write(lastPack)
    writer.write(UInt64(reflogByteCount))
    writer.write(UInt64(lastVersion))
    return writer.bytes
  }
}

extension RefTarget {
  init(_ value: [UInt8], of name: String) throws(DSVError) {
    let target = try Index.field(value, "ref \(name)") { (reader) throws(DSVError) in
      try reader.readRefTarget()
    }
    guard let target else { throw DSVError(.corrupt, "ref \(name): it has no target") }
    self = target
  }

  var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.write(self)
    return writer.bytes
  }
}

/// Everything that one write transaction changes.
struct IndexChange {
  var placed: [(AnyID, Place)] = []
  var deleted: [AnyID] = []
  /// `nil` deletes the ref.
  var refs: [(String, RefTarget?)] = []
  var numbered: [ReflogRecord.Numbered] = []
  /// Further values of the table `meta`; `nil` deletes one.
  var meta: [(key: [UInt8], value: [UInt8]?)] = []
  var state = IndexState()

  /// The refs as they stand in the index: keys, and values, of which `nil` deletes.
  func refEntries(_ keys: StoreKeys?) throws(DSVError) -> [(key: [UInt8], value: [UInt8]?)] {
    refs.map { name, target in
      guard let keys else { return (Array(name.utf8), target?.bytes) }
      return (keys.refKey(name), target.map { keys.sealRef(name, $0) })
    }
  }

  /// Makes the change. May be called again if the transaction has to be repeated.
  ///
  /// - Parameter refs: from ``refEntries(_:)``.
  func apply(
    _ refs: [(key: [UInt8], value: [UInt8]?)], in transaction: borrowing Transaction
  ) throws(DSVError) {
    for id in deleted { try transaction.delete(Index.Table.objects.rawValue, id.key) }
    // In order of keys, neighbours go to the same page.
    for (id, place) in placed.sorted(by: { $0.0 < $1.0 }) {
      try transaction.putSealed(.objects, id.key, place.bytes)
    }
    for (key, value) in refs {
      if let value {
        try transaction.putSealed(.refs, key, value)
      } else {
        try transaction.delete(Index.Table.refs.rawValue, key)
      }
    }
    for one in numbered {
      try transaction.putSealed(.versions, Index.key(one.number), one.commit.key)
      var writer = ByteWriter()
      writer.write(UInt32(one.number))
      try transaction.putSealed(.commitNumbers, one.commit.key, writer.bytes)
    }
    for (key, value) in meta {
      if let value {
        try transaction.putSealed(.meta, key, value)
      } else {
        try transaction.delete(Index.Table.meta.rawValue, key)
      }
    }
    try transaction.putSealed(.meta, IndexState.key, state.bytes)
  }
}
