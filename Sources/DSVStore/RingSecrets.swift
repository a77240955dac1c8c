package import DSVFormat
import DSVSystem

/// The key that one pack's records are encrypted under.
package struct PackKey: Sendable, Equatable {
  let secret: SecretBytes
  private let keys: HKDF

  init(_ secret: SecretBytes) { (self.secret, keys) = (secret, HKDF(secret)) }

  package static func random() -> PackKey { PackKey(.random(KeyringLayout.Body.keyByteCount)) }

  /// The key of an object's record in this pack: another one for each object, and for each of what else is said of it in clear.
  package func key(of id: AnyID, _ head: [UInt8] = []) -> FernetKey {
    FernetKey(keys.key("dsv object", id.bytes + head))
  }

  /// For a token that carries it elsewhere; nothing else is to see it.
  package func withBytes<Value, E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> Value
  ) throws(E) -> Value { try secret.withBytes(body) }

  /// One that came out of such a token; `nil` if it is not 32 bytes.
  package init?(carried secret: SecretBytes) {
    guard secret.count == KeyringLayout.Body.keyByteCount else { return nil }
    self.init(secret)
  }

  package static func == (a: PackKey, b: PackKey) -> Bool { a.secret == b.secret }
}

/// The key that refs and what is logged are encrypted under, from one change of a repository's keys to the next.
package struct LogKey: Sendable, Equatable {
  package let epoch: UInt32
  let secret: SecretBytes
  private let keys: HKDF

  init(_ epoch: UInt32, _ secret: SecretBytes) {
    (self.epoch, self.secret, keys) = (epoch, secret, HKDF(secret))
  }

  static func random(_ epoch: UInt32) -> LogKey {
    LogKey(epoch, .random(KeyringLayout.Body.keyByteCount))
  }

  /// The key of what lies at one place: `label` says among what, `place` where.
  package func key(_ label: StaticString, _ place: [UInt8]) -> FernetKey { FernetKey(keys.key(label, place)) }

  package static func == (a: LogKey, b: LogKey) -> Bool { a.epoch == b.epoch && a.secret == b.secret }
}

/// What a keyring keeps.
package struct RingSecrets: Sendable, Equatable {
  var idKey, keyIndexSecret: SecretBytes
  var cutSeed: UInt64
  /// By epoch, ascending; at least one.
  var logKeys: [LogKey]
  var packKeys: [PackID: PackKey]

  /// Those of a new repository.
  static func random() -> RingSecrets {
    RingSecrets(
      idKey: .random(KeyringLayout.Body.keyByteCount),
      keyIndexSecret: .random(KeyringLayout.Body.keyByteCount), cutSeed: .random(in: 0 ... .max),
      logKeys: [.random(1)], packKeys: [:])
  }

  package var byteCount: Int {
    KeyringLayout.Body.byteCount + logKeys.count * KeyringLayout.Body.logKeyByteCount
      + packKeys.count * KeyringLayout.Body.packKeyByteCount
  }

  /// As they stand in a keyring's body.
  var bytes: SecretBytes {
    SecretBytes(count: byteCount) { bytes in
      var rest = bytes[...]
      func write(_ part: UnsafeRawBufferPointer) {
        rest.copyBytes(from: part)
        rest = rest.dropFirst(part.count)
      }
      func write(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.littleEndian) { write($0) }
      }
      idKey.withBytes { write($0) }
      keyIndexSecret.withBytes { write($0) }
      write(cutSeed)
      write(UInt32(logKeys.count))
      write(UInt32(packKeys.count))
      for key in logKeys {
        write(key.epoch)
        key.secret.withBytes { write($0) }
      }
      for (pack, key) in packKeys.sorted(by: { $0.key < $1.key }) {
        write(pack.high.byteSwapped)
        write(pack.low.byteSwapped)
        key.secret.withBytes { write($0) }
      }
    }
  }

  init(
    idKey: SecretBytes, keyIndexSecret: SecretBytes, cutSeed: UInt64, logKeys: [LogKey],
    packKeys: [PackID: PackKey]
  ) {
    (self.idKey, self.keyIndexSecret, self.cutSeed) = (idKey, keyIndexSecret, cutSeed)
    (self.logKeys, self.packKeys) = (logKeys, packKeys)
  }

  /// Reads a body. It is authentic, but may be what a dsv that errs has written.
  package init(_ bytes: UnsafeRawBufferPointer, of subject: String) throws(DSVError) {
    var reader = ByteReader(bytes, of: subject)
    idKey = try reader.readSecret()
    keyIndexSecret = try reader.readSecret()
    cutSeed = try reader.read(UInt64.self)
    let logKeyCount = Int(try reader.read(UInt32.self))
    let packKeyCount = Int(try reader.read(UInt32.self))
    typealias Body = KeyringLayout.Body
    guard logKeyCount > 0,
      reader.remaining == logKeyCount * Body.logKeyByteCount + packKeyCount * Body.packKeyByteCount
    else { throw reader.corrupt("\(logKeyCount) and \(packKeyCount) keys do not fill it") }
    logKeys = []
    for _ in 0..<logKeyCount {
      let epoch = try reader.read(UInt32.self)
      guard epoch > logKeys.last?.epoch ?? 0 else { throw reader.corrupt("epochs do not ascend") }
      logKeys.append(LogKey(epoch, try reader.readSecret()))
    }
    packKeys = [:]
    packKeys.reserveCapacity(packKeyCount)
    var last: PackID?
    for _ in 0..<packKeyCount {
      let pack = try reader.readPackID()
      if let last, pack <= last { throw reader.corrupt("packs do not ascend") }
      packKeys[pack] = PackKey(try reader.readSecret())
      last = pack
    }
    try reader.finish()
  }
}

extension ByteReader {
  fileprivate mutating func readSecret() throws(DSVError) -> SecretBytes {
    SecretBytes(copying: try readBytes(KeyringLayout.Body.keyByteCount))
  }
}
