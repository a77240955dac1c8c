package import DSVFormat
package import DSVStore

/// Never instantiated: a digest is not the name of an object.
package enum LogKind {}
/// SHA-256 over an entry of a remote's log as it is stored.
package typealias LogDigest = ObjectID<LogKind>

/// How far a remote's log was read.
package struct LogPosition: Sendable, Hashable {
  /// Of the last entry; 0 before the first.
  package var number: Int
  package var digest: LogDigest

  package init(number: Int, digest: LogDigest) { (self.number, self.digest) = (number, digest) }

  package static let start = LogPosition(number: 0, digest: LogDigest(0, 0, 0, 0))
}

/// A pack as a remote's log names it.
package struct LoggedPack: Sendable, Hashable {
  package let id: PackID
  package let byteCount: Int
  /// What opens it in an encrypted remote; empty in a plain one.
  package let key: [UInt8]

  package static let keyByteCountMax = 256

  package init(_ id: PackID, byteCount: Int, key: [UInt8] = []) {
    (self.id, self.byteCount, self.key) = (id, byteCount, key)
  }
}

/// One change of a remote, as its log keeps it: all of it or nothing.
package struct RemoteEntry: Sendable, Equatable {
  package struct Move: Sendable, Equatable {
    /// `heads/main`, `tags/paper`.
    package let name: String
    package let old: CommitID?
    /// `nil` where the ref goes.
    package let new: CommitID?

    package init(_ name: String, old: CommitID?, new: CommitID?) {
      (self.name, self.old, self.new) = (name, old, new)
    }
  }

  package struct Numbered: Sendable, Equatable {
    package let number: Int
    package let commit: CommitID

    package init(_ number: Int, _ commit: CommitID) { (self.number, self.commit) = (number, commit) }
  }

  /// "dsvE"
  static let magic: UInt32 = 0x4576_7364
  static let revision: UInt16 = 1

  package let number: Int
  /// Of the entry before it, all 0 for the first: so no entry can be exchanged unnoticed.
  package let previous: LogDigest
  /// 16 random bytes, so that who made it knows it for their own.
  package let nonce: PackID
  /// Seconds since 1970.
  package let time: Int
  package var moves: [Move] = []
  package var numbered: [Numbered] = []
  package var added: [LoggedPack] = []
  /// Packs that nobody may name any more, and that are deleted after a while. Also such that no entry names.
  package var condemned: [PackID] = []
  /// Condemned packs that are gone.
  package var deleted: [PackID] = []

  package init(number: Int, previous: LogDigest, nonce: PackID, time: Int) {
    (self.number, self.previous, self.nonce, self.time) = (number, previous, nonce, time)
  }

  package static func digest(of stored: [UInt8]) -> LogDigest {
    stored.withUnsafeBytes { SHA256.id(kind: nil, $0) }
  }

  package var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.writeHeader(Self.magic, Self.revision)
    writer.write(UInt64(number))
    writer.write(previous)
    writer.write(bytes: nonce.bytes)
    writer.write(Int64(time))
    writer.writeList(moves) { writer, move in
      writer.write(move.name)
      writer.write(move.old)
      writer.write(move.new)
    }
    writer.writeList(numbered) { writer, one in
      writer.writeVarint(one.number)
      writer.write(one.commit)
    }
    writer.writeList(added) { writer, pack in writer.write(pack) }
    for list in [condemned, deleted] { writer.writeList(list) { $0.write(bytes: $1.bytes) } }
    return writer.sealed
  }

  package init(_ bytes: [UInt8], of subject: String) throws(DSVError) {
    self = try withChecked(bytes, of: subject) { (reader) throws(DSVError) in
      try reader.readHeader(Self.magic, Self.revision)
      let number = try reader.read(UInt64.self)
      guard (1...(1 << 56)).contains(number) else { throw reader.corrupt("a number is out of bounds") }
      var entry = RemoteEntry(
        number: Int(number), previous: try reader.readID(), nonce: try reader.readPackID(),
        time: Int(try reader.read(Int64.self)))
      entry.moves = try reader.readList(3) { (reader) throws(DSVError) in
        Move(try reader.readRefName(), old: try reader.readCommit(), new: try reader.readCommit())
      }
      entry.numbered = try reader.readList(33) { (reader) throws(DSVError) in
        Numbered(try reader.readVersionNumber(), try reader.readID())
      }
      entry.added = try reader.readList(18) { (reader) throws(DSVError) in try reader.readLoggedPack() }
      entry.condemned = try reader.readList(16) { (reader) throws(DSVError) in try reader.readPackID() }
      entry.deleted = try reader.readList(16) { (reader) throws(DSVError) in try reader.readPackID() }
      return entry
    }
  }
}

/// The whole state of a remote after an entry of its log, so that nobody need read all entries before it.
package struct Checkpoint: Sendable, Equatable {
  /// A pack that was condemned and is not deleted.
  package struct Condemned: Sendable, Equatable {
    package let pack: PackID
    /// When, in seconds since 1970.
    package let time: Int

    package init(_ pack: PackID, time: Int) { (self.pack, self.time) = (pack, time) }
  }

  /// "dsvK"
  static let magic: UInt32 = 0x4B76_7364
  static let revision: UInt16 = 1

  package let position: LogPosition
  package var refs: [RemoteEntry.Move] = []
  package var numbered: [RemoteEntry.Numbered] = []
  package var packs: [LoggedPack] = []
  package var condemned: [Condemned] = []

  package init(_ position: LogPosition) { self.position = position }

  package var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.writeHeader(Self.magic, Self.revision)
    writer.write(UInt64(position.number))
    writer.write(position.digest)
    writer.writeList(refs) { writer, ref in
      writer.write(ref.name)
      writer.write(ref.new)
    }
    writer.writeList(numbered) { writer, one in
      writer.writeVarint(one.number)
      writer.write(one.commit)
    }
    writer.writeList(packs) { writer, pack in writer.write(pack) }
    writer.writeList(condemned) { writer, one in
      writer.write(bytes: one.pack.bytes)
      writer.write(Int64(one.time))
    }
    return writer.sealed
  }

  package init(_ bytes: [UInt8], of subject: String) throws(DSVError) {
    self = try withChecked(bytes, of: subject) { (reader) throws(DSVError) in
      try reader.readHeader(Self.magic, Self.revision)
      let number = try reader.read(UInt64.self)
      guard (1...(1 << 56)).contains(number) else { throw reader.corrupt("a number is out of bounds") }
      var state = Checkpoint(LogPosition(number: Int(number), digest: try reader.readID()))
      state.refs = try reader.readList(2) { (reader) throws(DSVError) in
        RemoteEntry.Move(try reader.readRefName(), old: nil, new: try reader.readCommit())
      }
      state.numbered = try reader.readList(33) { (reader) throws(DSVError) in
        RemoteEntry.Numbered(try reader.readVersionNumber(), try reader.readID())
      }
      state.packs = try reader.readList(18) { (reader) throws(DSVError) in try reader.readLoggedPack() }
      state.condemned = try reader.readList(24) { (reader) throws(DSVError) in
        Condemned(try reader.readPackID(), time: Int(try reader.read(Int64.self)))
      }
      return state
    }
  }
}

extension ByteWriter {
  fileprivate mutating func write(_ pack: LoggedPack) {
    write(bytes: pack.id.bytes)
    writeVarint(pack.byteCount)
    writeVarint(pack.key.count)
    write(bytes: pack.key)
  }
}

extension ByteReader {
  fileprivate mutating func readLoggedPack() throws(DSVError) -> LoggedPack {
    let id = try readPackID()
    let byteCount = try readVarint()
    let keyByteCount = try readCount(unitByteCount: 1)
    guard byteCount < 1 << 40, keyByteCount <= LoggedPack.keyByteCountMax else {
      throw corrupt("a length is out of bounds")
    }
    return LoggedPack(id, byteCount: byteCount, key: [UInt8](try readBytes(keyByteCount)))
  }

  fileprivate mutating func readVersionNumber() throws(DSVError) -> Int {
    let number = try readVarint()
    guard (1..<Int(UInt32.max)).contains(number) else { throw corrupt("a version number is out of bounds") }
    return number
  }

  /// A branch's or tag's name with what it is in front.
  fileprivate mutating func readRefName() throws(DSVError) -> String {
    let name = try readString()
    for prefix in [RefName.branch(""), RefName.tag("")] where name.hasPrefix(prefix) {
      do throws(DSVError) { try RefName.check(String(name.dropFirst(prefix.count))) } catch {
        throw corrupt(error.message)
      }
      return name
    }
    throw corrupt("a ref that is no branch and no tag")
  }
}
