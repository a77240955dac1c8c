import DSVFormat
import DSVSystem

/// Where each field of the reflog lies.
enum ReflogLayout {
  /// The beginning of the file.
  enum Header {
    static let magic = 0
    static let revision = magic + 4
    static let reserved = revision + 2
    static let checksum = reserved + 2
    static let byteCount = checksum + 8

    /// "dsvL"
    static let magicValue: UInt32 = 0x4C76_7364
    static let revisionValue: UInt16 = 1
  }

  /// The beginning of a record; its body follows.
  enum Record {
    static let magic = 0
    static let bodyByteCount = magic + 4
    static let checksum = bodyByteCount + 4
    static let byteCount = checksum + 8

    /// "dsvl"
    static let magicValue: UInt32 = 0x6C76_7364
    /// Checked before anything is allocated.
    static let bodyByteCountMax = 16 << 20
  }
}

/// One publication as the reflog keeps it: all of its ref moves and version numbers, or none of them.
struct ReflogRecord: Equatable {
  struct Move: Equatable {
    let name: String
    let old: RefTarget?
    let new: RefTarget?
    let action: String
  }

  struct Numbered: Equatable {
    let number: Int
    let commit: CommitID
  }

  /// Seconds since 1970.
  let time: Int
  let numbered: [Numbered]
  let moves: [Move]
  /// What gc has deleted, if this is its record.
  var collected: CollectedCommits?

  var entries: [ReflogEntry] {
    moves.map { move in
      let number = numbered.first { .commit($0.commit) == move.new }?.number
      return ReflogEntry(
        time: time, name: move.name, old: move.old, new: move.new, number: number, action: move.action)
    }
  }
}

// MARK: - Bytes

extension ReflogRecord {
  static let fileHeader: [UInt8] = {
    var writer = ByteWriter()
    writer.write(ReflogLayout.Header.magicValue)
    writer.write(ReflogLayout.Header.revisionValue)
    writer.write(UInt16(0))
    writer.write(Hash64.of(writer.bytes))
    return writer.bytes
  }()

  /// The record's bytes: header and body.
  var bytes: [UInt8] { Self.bytes(body: body) }

  var body: [UInt8] {
    var body = ByteWriter()
    body.write(UInt64(bitPattern: Int64(time)))
    body.writeVarint(numbered.count)
    for one in numbered {
      body.writeVarint(one.number)
      body.write(one.commit)
    }
    body.writeVarint(moves.count)
    for move in moves {
      body.write(move.name)
      body.write(move.old)
      body.write(move.new)
      body.write(move.action)
    }
    if let collected { body.write(collected) }
    return body.bytes
  }

  /// A record's bytes, with its body as it is to be written.
  static func bytes(body: [UInt8]) -> [UInt8] {
    var writer = ByteWriter()
    writer.write(ReflogLayout.Record.magicValue)
    writer.write(UInt32(body.count))
    writer.write(Hash64.of(body, seed: Hash64.of(writer.bytes)))
    writer.write(bytes: body)
    return writer.bytes
  }

  /// Reads a record's body, whose checksum was found right.
  init(body: UnsafeRawBufferPointer, of subject: String) throws(DSVError) {
    var reader = ByteReader(body, of: subject)
    time = Int(Int64(bitPattern: try reader.read(UInt64.self)))
    var numbered: [Numbered] = []
    for _ in 0..<(try reader.readCount(unitByteCount: 33)) {
      numbered.append(Numbered(number: try reader.readVarint(), commit: try reader.readID()))
    }
    var moves: [Move] = []
    for _ in 0..<(try reader.readCount(unitByteCount: 4)) {
      let name = try reader.readString()
      let old = try reader.readRefTarget()
      let new = try reader.readRefTarget()
      moves.append(Move(name: name, old: old, new: new, action: try reader.readString()))
    }
    collected = reader.remaining == 0 ? nil : try reader.readCollected()
    try reader.finish()
    (self.numbered, self.moves) = (numbered, moves)
  }
}

extension ByteWriter {
  /// A ref's target: 0 for none, 1 and a commit ID, 2 and a name.
  mutating func write(_ target: RefTarget?) {
    switch target {
    case nil: write(UInt8(0))
    case .commit(let id):
      write(UInt8(1))
      write(id)
    case .symbolic(let name):
      write(UInt8(2))
      write(name)
    }
  }
}

extension ByteReader {
  mutating func readRefTarget() throws(DSVError) -> RefTarget? {
    switch try read(UInt8.self) {
    case 0: return nil
    case 1: return .commit(try readID())
    case 2: return .symbolic(try readString())
    default: throw corrupt("a ref's target has an unknown tag")
    }
  }
}
