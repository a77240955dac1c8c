package import DSVFormat

/// Seals and opens the records of one pack of an encrypted repository or remote, under the pack's key.
///
/// Each record has a Fernet key of its own, which follows from the pack's key and from all that stands in clear beside the
/// token: so a token that stands elsewhere, or under another header, is no token. Normative text: `format-spec/encryption.md`.
package struct PackSealer: Sendable {
  /// What the pack's header says it is called.
  package let packID: PackID
  package let key: PackKey

  package init(packID: PackID, key: PackKey) { (self.packID, self.key) = (packID, key) }

  /// For a new pack: a random name and a random key.
  package init() { self.init(packID: .random(), key: .random()) }

  /// How long the token of a stored form of so many bytes is.
  package static func tokenByteCount(_ byteCount: Int) -> Int { Fernet.tokenByteCount(byteCount) }

  /// The key of one record's token.
  package func recordKey(
    _ id: AnyID, kind: ObjectKind, plainByteCount: Int, base: ObjectBase?
  ) -> FernetKey {
    var writer = ByteWriter()
    writer.write(kind.rawValue)
    writer.write(UInt8(base?.depth ?? 0))
    writer.write(UInt32(plainByteCount))
    if let base { writer.write(base.id) }
    return key.key(of: id, writer.bytes)
  }

  /// The token of an object's stored bytes.
  package func seal(_ id: AnyID, _ object: StoredObject) -> [UInt8] {
    let key = recordKey(id, kind: object.kind, plainByteCount: object.plainByteCount, base: object.base)
    return object.bytes.withUnsafeBytes { Fernet.seal($0, with: key) }
  }

  /// The object whose header says this and whose token is `token`.
  ///
  /// - Throws: `.corrupt` if it was not sealed under this pack's key, with this header.
  package func open(
    _ id: AnyID, kind: ObjectKind, plainByteCount: Int, base: ObjectBase?, token: UnsafeRawBufferPointer
  ) throws(DSVError) -> StoredObject {
    let key = recordKey(id, kind: kind, plainByteCount: plainByteCount, base: base)
    let bytes = try Fernet.open(token, with: key, of: "object \(id)")
    return StoredObject(kind: kind, plainByteCount: plainByteCount, base: base, bytes: bytes)
  }
}

/// Makes and reads a pack's bytes where the pack is no file of this repository: one that travels to a remote.
///
/// A pack is ``header`` followed by records.
package struct PackCodec: Sendable {
  package let packID: PackID
  /// `nil` for a plain pack.
  package let sealer: PackSealer?

  package init(packID: PackID, sealer: PackSealer?) {
    precondition(sealer == nil || sealer?.packID == packID)
    (self.packID, self.sealer) = (packID, sealer)
  }

  /// For a new pack.
  package init(isSealed: Bool) {
    sealer = isSealed ? PackSealer() : nil
    packID = sealer?.packID ?? .random()
  }

  package static let headerByteCount = PackLayout.Header.byteCount

  package var header: [UInt8] { PackHeader(packID: packID.bytes).bytes }

  /// The name of the pack that begins with these bytes.
  package static func packID(header bytes: [UInt8], of subject: String) throws(DSVError) -> PackID {
    PackID(try PackHeader(bytes, path: subject).packID)
  }

  /// An object's record, header and body, sealed if the pack is.
  package func record(_ id: AnyID, _ object: StoredObject) -> [UInt8] {
    let record = EncodedRecord(id, object, sealer)
    return record.head.bytes + record.body
  }

  /// How long that is.
  package func recordByteCount(_ object: StoredObject) -> Int {
    PackLayout.recordByteCount(object, isSealed: sealer != nil)
  }

  /// The object in a record, header and body and nothing else.
  ///
  /// - Throws: `.corrupt` if it is not that object's record, or not whole, or not sealed under this pack's key. What the content is
  ///   worth only its ID tells, which is to be recomputed.
  package func object(_ id: AnyID, in record: [UInt8]) throws(DSVError) -> StoredObject {
    let head = record.withUnsafeBytes { PackRecord($0) }
    guard let head, head.id == id, record.count == head.byteCount else {
      throw DSVError(.corrupt, "object \(id): its record in pack \(packID) is damaged")
    }
    let body = Array(record[PackLayout.Record.byteCount...])
    guard sealer != nil || body.withUnsafeBytes({ head.matches($0) }) else {
      throw DSVError(.corrupt, "object \(id): its record in pack \(packID) is damaged")
    }
    return try head.object(body, sealer)
  }
}

/// A record that is ready to be written.
struct EncodedRecord {
  let head: PackRecord
  let body: [UInt8]
  /// The pack under whose key it is sealed; `nil` if it is not.
  let packID: PackID?

  init(_ id: AnyID, _ object: StoredObject, _ sealer: PackSealer?) {
    packID = sealer?.packID
    if let sealer {
      let token = sealer.seal(id, object)
      body = object.base.map { $0.id.key + token } ?? token
    } else {
      body = object.body
    }
    head = PackRecord(id, object, isSealed: sealer != nil, body: body)
  }
}
