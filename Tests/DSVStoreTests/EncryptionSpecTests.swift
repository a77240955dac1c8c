import DSVFormat
import DSVSystem
import Foundation
import Testing

@testable import DSVStore

/// `format-spec/encryption.md`, the fixture, the code, and a reader of its own in Python say the same of every byte.
@Suite struct EncryptionSpecTests {
  static let root = String(
    #filePath.prefix(#filePath.count - "Tests/DSVStoreTests/EncryptionSpecTests.swift".count))
  static let folder = root + "fixtures/encryption"
  static let iv = bytes(from: 0x30, count: 16)
  static let packs = [0x10, 0xa0].map { PackID(bytes(from: $0, count: 16)) }

  /// Bytes that count up, so that they can be told in a dump.
  static func bytes(from first: UInt8, count: Int = 32) -> [UInt8] { (0..<count).map { first &+ UInt8($0) } }
  static func secret(from first: UInt8) -> SecretBytes {
    bytes(from: first).withBytes { SecretBytes(copying: $0) }
  }

  /// What the fixture keeps.
  static let secrets = RingSecrets(
    idKey: secret(from: 0), keyIndexSecret: secret(from: 0x20), cutSeed: 0x0123_4567_89ab_cdef,
    logKeys: [LogKey(1, secret(from: 0x40)), LogKey(2, secret(from: 0x60))],
    packKeys: [packs[0]: PackKey(secret(from: 0x80)), packs[1]: PackKey(secret(from: 0xc0))])

  static func fixture(_ name: String) throws -> [UInt8] {
    try FileSystem.read("\(folder)/\(name)", limit: 4096)
  }

  /// The keys that open the fixture: one as it is, and a passphrase.
  static func userKeys() throws -> [UserKey] {
    let (key, passphrase) = (try fixture("key"), try fixture("passphrase"))
    return [
      .key(try #require(key.dropLast().withUnsafeBytes { FernetKey(text: $0) })),
      .passphrase(passphrase.dropLast().withUnsafeBytes { SecretBytes(copying: $0) }),
    ]
  }

  /// How the fixture was made: `DSV_WRITE_KEYRING=1 swift test --filter EncryptionSpecTests`.
  private static func write() throws {
    let keys = try userKeys()
    let cost = try #require(Scrypt.Cost(logN: 10, r: 8, p: 1))
    var keyring = try Keyring(new: keys[0], cost, secrets, ringKey: secret(from: 0xe0))
    _ = try keyring.add(keys[1], cost: cost)
    try FileSystem.replace("\(folder)/keyring", with: try keyring.bytes(iv: iv))
  }

  /// The token of a chunk in the first pack.
  static var objectToken: [UInt8] {
    let id: AnyID = AnyIDBytes.counting(from: 0x40)
    let head: [UInt8] = [ObjectKind.chunk.rawValue, 0, 12, 0, 0, 0]
    let key = PackKey(secret(from: 0x80)).key(of: id, head)
    return Array("rows!".utf8).withBytes { Fernet.seal($0, with: key, iv: iv) }
  }

  @Test("the specification shows the fixture's bytes, and the code reads and writes those")
  func bytes() throws {
    if Machine.environment("DSV_WRITE_KEYRING") != nil { try Self.write() }
    let file = try Self.fixture("keyring")
    let shown = [
      "keyring": file, "keyring body": Self.secrets.bytes.withBytes { Array($0) },
      "object token": Self.objectToken,
    ]
    let specified = try FormatSpecTests.specified("encryption.md")
    for (name, bytes) in shown.sorted(by: { $0.key < $1.key }) {
      #expect(specified[name] == bytes, "```hex \(name)\n\(FormatSpecTests.hex(bytes))")
    }
    #expect(specified.count == shown.count)
    for key in try Self.userKeys() {
      let keyring = try Keyring(opening: file, key)
      #expect(try keyring.bytes(iv: Self.iv) == file)
      #expect(keyring.generation == 2 && keyring.slots.count == 2 && keyring.packs == Self.packs)
    }
  }

  @Test("the layouts are as long as the specification says")
  func lengths() {
    #expect(KeyringLayout.Header.byteCount == 24)
    #expect(KeyringLayout.Slot.byteCount == 141)
    #expect(KeyringLayout.Body.byteCount == 80)
  }

  @Test("it has its headings and is in the index")
  func headings() throws {
    func text(_ path: String) throws -> String {
      String(decoding: try FileSystem.read(Self.root + path, limit: 1 << 20), as: UTF8.self)
    }
    let specification = try text("format-spec/encryption.md")
    for heading in ["Purpose", "Layout", "Rules", "Example", "For implementers", "Changes"] {
      #expect(specification.contains(". \(heading)"), "\(heading)")
    }
    #expect(try text("format-spec/README.md").contains("| `encryption.md` |"))
  }

  @Test("a reader that was written from the specification opens the fixture, with Python's cryptography")
  func python() throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3", Self.root + "format-spec/reader/encryption.py", Self.folder]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    try #require(
      process.terminationStatus == 0,
      "encryption.py failed, as it said above; it needs python3 and its package 'cryptography'")
    let keyring = try Keyring(opening: try Self.fixture("keyring"), try Self.userKeys()[0])
    let name: AnyID = Array("abc".utf8).withBytes { keyring.naming.id(kind: .chunk, $0) }
    let wanted = [
      "generation 2", "keys \(keyring.slots.map(\.id.description).joined(separator: " "))",
      "opened by \(keyring.slots[0].id)", "opened by \(keyring.slots[1].id)",
      "cut seed \(keyring.naming.cutSeed)", "epochs 1 2",
      "packs \(Self.packs.map(\.description).joined(separator: " "))", "chunk abc is \(name)",
      "ref heads/main is \(Self.digits(keyring.refKey("heads/main")))", "object rows!",
    ]
    #expect(text.split(separator: "\n").map(String.init) == wanted)
  }

  private static func digits(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
