import DSVColumns
import DSVExpression
import DSVFormat
import DSVRecords
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import DSVTransforms
import DSVVersions

/// A format whose reader is given bytes that may be anything: it may refuse them, and must not crash.
package enum FuzzTarget: String, CaseIterable, Sendable {
  /// A chunk's plain form.
  case chunk
  /// A chunk as it is stored, behind four bytes that say how long its plain form is.
  case storedChunk
  case node, snapshot, commit
  case jsonl, csv
  case schema, recipe, expression
  /// Values of a remote, without their checksums.
  case packIndex, remoteEntry, checkpoint
  /// A keyring without the checksum that ends it, or what its body holds.
  case keyring
  /// Whole files of a repository.
  case pack, reflog, index
  /// What such files keep behind checksums.
  case sealed
  /// What a server of S3 answers.
  case answer

  private static let objects = ObjectReader(
    MemoryObjectStore(), cache: ObjectCache(byteCountMax: 1 << 20), pool: WorkerPool(threadCount: 0))

  /// Where files lie that are read by their path.
  private static let folder = Result { try TemporaryFolder(inMemory: true) }

  /// Reads `bytes` as this format, as far as they go.
  package func run(_ bytes: UnsafeRawBufferPointer) {
    do throws(DSVError) {
      try read(bytes)
    } catch {
      // Refused, with a reason; that the reason can be told is part of the test.
      precondition(!error.message.isEmpty)
    }
  }

  /// Whether these bytes are what the reader is for.
  package func takes(_ bytes: UnsafeRawBufferPointer) -> Bool {
    do throws(DSVError) {
      try read(bytes)
      return true
    } catch { return false }
  }

  private func read(_ bytes: UnsafeRawBufferPointer) throws(DSVError) {
    switch self {
    case .chunk: _ = try Chunk(copying: bytes, of: "fuzz").problem
    case .storedChunk:
      guard bytes.count >= 4 else { return }
      let byteCount = Int(UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)))
      let stored = StoredObject(kind: .chunk, plainByteCount: byteCount, bytes: Array(bytes[4...]))
      _ = try ObjectCheck(Self.objects).verdict(AnyID(0, 0, 0, 0), stored)
    case .node: _ = try TreeNode(bytes, of: "fuzz")
    case .snapshot: _ = try Snapshot(bytes, of: "fuzz")
    case .commit: _ = try Commit(bytes, of: "fuzz")
    case .jsonl: try Self.readRows(bytes, .jsonl)
    case .csv: try Self.readRows(bytes, .csv)
    case .packIndex:
      let index = try PackIndex(Self.checked(bytes), of: "fuzz")
      precondition(index.bytes == Self.checked(bytes))
    case .remoteEntry:
      let entry = try RemoteEntry(Self.checked(bytes), of: "fuzz")
      precondition(entry.bytes == Self.checked(bytes))
    case .checkpoint: _ = try Checkpoint(Self.checked(bytes), of: "fuzz")
    case .schema: _ = try SchemaFile.read(Array(bytes), source: "fuzz")
    case .recipe: _ = try Recipe(parsing: String(decoding: bytes, as: UTF8.self), source: "fuzz")
    case .keyring: try Self.readKeyring(bytes)
    case .expression:
      // What is written from a parsed expression is parsed to the same one.
      let expression = try Expression(parsing: String(decoding: bytes, as: UTF8.self))
      let again = try Expression(parsing: "\(expression)")
      precondition(again == expression)
    case .pack: try Self.readFile(bytes, .pack)
    case .reflog: try Self.readFile(bytes, .reflog)
    case .index: try Self.readFile(bytes, .index)
    case .sealed: try StoreFile.readSealed(Array(bytes))
    case .answer: try AnswerReader.read(bytes)
    }
  }

  /// What is read only behind a checksum, with the right one.
  private static func checked(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    var writer = ByteWriter()
    writer.write(bytes: bytes)
    writer.write(Hash64.of(bytes))
    return writer.bytes
  }

  /// The key of `fixtures/encryption`.
  private static let userKey = UserKey.key(
    FernetKey(SecretBytes(count: FernetKey.byteCount) { $0.copyBytes(from: 0x50..<0x70) }))

  /// What is opened is written as it was; nothing that is wrong takes a passphrase's time.
  private static func readKeyring(_ bytes: UnsafeRawBufferPointer) throws(DSVError) {
    var file = Array(bytes)
    withUnsafeBytes(of: Hash64.of(bytes).littleEndian) { file.append(contentsOf: $0) }
    do throws(DSVError) {
      let keyring = try Keyring(try SealedKeyring(file, of: "fuzz"), userKey, of: "fuzz")
      let byteCount = try keyring.bytes().count
      precondition(byteCount == file.count)
    } catch { precondition(!error.message.isEmpty) }
    let secrets = try RingSecrets(bytes, of: "fuzz")
    precondition(secrets.byteCount == bytes.count)
  }

  private static func readFile(_ bytes: UnsafeRawBufferPointer, _ kind: StoreFile) throws(DSVError) {
    guard case .success(let folder) = folder else { preconditionFailure("no folder can be made") }
    try FileSystem.replace("\(folder.path)/data.mdb", with: Array(bytes), isDurable: false)
    try kind.read(in: folder.path)
  }

  /// Rows are read the same whatever pieces their bytes come in.
  private static func readRows(_ bytes: UnsafeRawBufferPointer, _ format: RecordFormat) throws(DSVError) {
    var counts: [Int] = []
    for pieceByteCount in [Int.max, 1 + bytes.count / 3] {
      var position = 0
      let reader = RecordReader(source: "fuzz", format: format) { (room) throws(DSVError) -> Int in
        let count = min(room.count, bytes.count - position, pieceByteCount)
        room.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[position..<position + count]))
        position += count
        return count
      }
      var (goodCount, badCount) = (0, 0)
      reading: while true {
        switch try reader.next() {
        case .end: break reading
        case .badRow(let row): badCount += row.message.isEmpty ? 0 : 1
        case .record(let record):
          var text = ByteBuffer()
          var cursor = EventCursor(record.events)
          cursor.appendCanonicalJSON(to: &text)
          goodCount += 1
        }
      }
      counts += [goodCount, badCount]
    }
    precondition(Array(counts[..<2]) == Array(counts[2...]))
  }
}
