import DSVFormat
import DSVSystem
import Testing

@testable import DSVStore

/// `format-spec/store.md` and the code say the same of what is sealed in an encrypted repository.
@Suite struct SealedSpecTests {
  private static let sealer = PackSealer(
    packID: PackID(FormatSpecTests.packID), key: PackKey(EncryptionSpecTests.secret(from: 0x80)))
  private static let logKey = LogKey(2, EncryptionSpecTests.secret(from: 0x60))

  private static func token(_ plain: [UInt8], _ key: FernetKey) -> [UInt8] {
    plain.withUnsafeBytes { Fernet.seal($0, with: key, iv: EncryptionSpecTests.iv) }
  }

  private static func record() -> [UInt8] {
    let (id, object) = (FormatSpecTests.id, FormatSpecTests.object)
    let body = token(object.bytes, sealer.recordKey(id, kind: .chunk, plainByteCount: 12, base: nil))
    return PackRecord(id, object, isSealed: true, body: body).bytes + body
  }

  private static let epoch: [UInt8] = [2, 0, 0, 0]

  private static func reflog() -> [UInt8] {
    let key = logKey.key("dsv reflog", [16, 0, 0, 0, 0, 0, 0, 0])
    return ReflogRecord.bytes(body: epoch + token(FormatSpecTests.publication.body, key))
  }

  private static func ref(_ keyring: Keyring) -> (key: [UInt8], value: [UInt8]) {
    var plain = ByteWriter()
    plain.write("HEAD")
    plain.write(RefTarget.symbolic("heads/main"))
    let key = keyring.refKey("HEAD")
    return (key, epoch + token(plain.bytes, logKey.key("dsv ref", key)))
  }

  @Test("the code reads what the specification shows, and would write it")
  func bytes() throws {
    let keyring = try Keyring(
      new: try EncryptionSpecTests.userKeys()[0], .standard, EncryptionSpecTests.secrets,
      ringKey: EncryptionSpecTests.secret(from: 0xe0))
    let ref = Self.ref(keyring)
    let written = [
      "sealed record": Self.record(), "sealed reflog": Self.reflog(), "sealed ref key": ref.key,
      "sealed ref": ref.value,
    ]
    if Machine.environment("DSV_PRINT_SEALED") != nil {
      for (name, bytes) in written.sorted(by: { $0.key < $1.key }) {
        print("```hex \(name)")
        for start in stride(from: 0, to: bytes.count, by: 16) {
          print(
            bytes[start..<min(bytes.count, start + 16)].map { byte in
              (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }.joined(separator: " "))
        }
        print("```")
      }
    }
    let specified = try FormatSpecTests.specified()
    for (name, bytes) in written { #expect(specified[name] == bytes, "\(name)") }
    let codec = PackCodec(packID: Self.sealer.packID, sealer: Self.sealer)
    #expect(try codec.object(FormatSpecTests.id, in: Self.record()) == FormatSpecTests.object)
    let scratch = try Scratch()
    let keys = try StoreKeys("\(scratch.path)/keyring", making: keyring)
    #expect(try keys.openRef(ref.key, ref.value) == ("HEAD", .symbolic("heads/main")))
    let body = Array(Self.reflog()[16...])
    let plain = try body.withUnsafeBytes { try keys.openLog($0, at: 16, of: "reflog") }
    #expect(plain == FormatSpecTests.publication.body)
  }
}
