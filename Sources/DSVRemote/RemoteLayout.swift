import DSVFormat
package import DSVStore
import DSVSystem

/// What a remote's keys are called, and how long each value may be. `format-spec/transfer.md` says what they mean.
package enum RemoteLayout {
  package static let format = "format"
  package static let packPrefix = "packs/"
  package static let entryPrefix = "log/0"
  package static let checkpointPrefix = "log/checkpoint/"
  package static let keyringPrefix = "keyring/"

  /// A pack that has reached this length takes no more records.
  package static let packByteCount = 32 << 20
  /// So no pack has more bytes: it was shorter than that, and took one record more.
  package static let packByteCountMax =
    packByteCount + PackLayout.storedByteCountMax + PackLayout.recordHeaderByteCount
  /// A checkpoint follows each entry whose number is a multiple of this.
  package static let checkpointInterval = 64
  /// How long a push that was broken off finds again what it put: 30 days.
  package static let journalSecondCountMax = 30 * 86_400

  // Longest values, checked before they are read.
  package static let formatByteCountMax = 65_536
  package static let entryByteCountMax = 64 << 20
  package static let checkpointByteCountMax = 64 << 20
  package static let indexByteCountMax = 64 << 20

  package static func pack(_ id: PackID) -> String { "\(packPrefix)\(id).pack" }
  package static func index(_ id: PackID) -> String { "\(packPrefix)\(id).idx" }
  package static func entry(_ number: Int) -> String { "log/\(digits(number))" }
  package static func checkpoint(_ number: Int) -> String { "\(checkpointPrefix)\(digits(number))" }
  package static func keyring(_ number: Int) -> String { "\(keyringPrefix)\(digits(number))" }

  /// The pack that a key of one belongs to, or of its index.
  package static func packID(ofKey key: String) -> PackID? {
    guard key.hasPrefix(packPrefix) else { return nil }
    let name = key.dropFirst(packPrefix.count)
    guard name.hasSuffix(".pack") || name.hasSuffix(".idx"), let dot = name.firstIndex(of: ".") else {
      return nil
    }
    return PackID(hex: name[..<dot])
  }

  /// The number that a key behind `prefix` ends with.
  package static let numberLimit = 1 << 60

  package static func number(ofKey key: String, behind prefix: String) -> Int? {
    let digits = key.dropFirst(prefix.count)
    guard key.hasPrefix(prefix), digits.utf8.count == 16,
      digits.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
    else { return nil }
    // Numbers grow by one: none that is larger was given by anybody who means well, and the next one must be a number too.
    return Int(digits, radix: 16).flatMap { $0 < numberLimit ? $0 : nil }
  }

  private static func digits(_ number: Int) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// What the value of ``format`` is.
  package static let formatText = "dsv 1\nremote 1\n"
  package static let encryptedFormatText = "dsv 1\nremote 1\nreader-required encryption\n"
}

extension ByteReader {
  /// Reads what each of these values begins with: magic number, revision and a reserved field.
  mutating func readHeader(_ magic: UInt32, _ revision: UInt16) throws(DSVError) {
    guard try read(UInt32.self) == magic else { throw corrupt("a wrong magic number") }
    let found = (try read(UInt16.self), try read(UInt16.self))
    guard found == (revision, 0) else { throw unsupported("revision \(found.0)") }
  }

  mutating func readCommit() throws(DSVError) -> CommitID? {
    switch try read(UInt8.self) {
    case 0: return nil
    case 1: return try readID()
    default: throw corrupt("a ref's target has an unknown tag")
    }
  }

  /// A list of what `body` reads, each at least `unitByteCount` bytes.
  mutating func readList<Value>(
    _ unitByteCount: Int, _ body: (inout ByteReader) throws(DSVError) -> Value
  ) throws(DSVError) -> [Value] {
    var values: [Value] = []
    for _ in 0..<(try readCount(unitByteCount: unitByteCount)) { values.append(try body(&self)) }
    return values
  }
}

extension ByteWriter {
  mutating func writeHeader(_ magic: UInt32, _ revision: UInt16) {
    write(magic)
    write(revision)
    write(UInt16(0))
  }

  mutating func write(_ commit: CommitID?) {
    write(UInt8(commit == nil ? 0 : 1))
    if let commit { write(commit) }
  }

  mutating func writeList<Value>(_ values: [Value], _ body: (inout ByteWriter, Value) -> Void) {
    writeVarint(values.count)
    for value in values { body(&self, value) }
  }

  /// The bytes, and behind them their checksum.
  var sealed: [UInt8] {
    var all = self
    all.write(Hash64.of(bytes))
    return all.bytes
  }
}

/// What `bytes` hold in front of their checksum, which is verified.
func withChecked<Value>(
  _ bytes: UnsafeRawBufferPointer, of subject: String, _ body: (inout ByteReader) throws(DSVError) -> Value
) throws(DSVError) -> Value {
  let plain = UnsafeRawBufferPointer(rebasing: bytes.dropLast(8))
  guard bytes.count >= 8,
    UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: plain.count, as: UInt64.self))
      == Hash64.of(plain)
  else { throw DSVError(.corrupt, "\(subject): it does not match its checksum") }
  var reader = ByteReader(plain, of: subject)
  let value = try body(&reader)
  try reader.finish()
  return value
}

func withChecked<Value>(
  _ bytes: [UInt8], of subject: String, _ body: (inout ByteReader) throws(DSVError) -> Value
) throws(DSVError) -> Value {
  try bytes.withBytes { (bytes) throws(DSVError) in try withChecked(bytes, of: subject, body) }
}
