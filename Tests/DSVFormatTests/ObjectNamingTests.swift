import DSVFormat
import Testing

@Suite struct ObjectNamingTests {
  /// RFC 4231, 4.2 to 4.8 without the one that is cut short.
  static let vectors: [(key: [UInt8], message: [UInt8], digest: String)] = [
    (
      [UInt8](repeating: 0x0b, count: 20), Array("Hi There".utf8),
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    ),
    (
      Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    ),
    (
      [UInt8](repeating: 0xaa, count: 20), [UInt8](repeating: 0xdd, count: 50),
      "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
    ),
    (
      Array(0x01...0x19), [UInt8](repeating: 0xcd, count: 50),
      "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
    ),
    (
      [UInt8](repeating: 0xaa, count: 131),
      Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    ),
    (
      [UInt8](repeating: 0xaa, count: 131),
      Array(
        """
        This is a test using a larger than block-size key and a larger than block-size data. The key needs to be \
        hashed before being used by the HMAC algorithm.
        """.utf8), "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"
    ),
  ]

  private static func id(_ naming: ObjectNaming, _ kind: ObjectKind?, _ content: [UInt8]) -> AnyID {
    content.withUnsafeBytes { naming.id(kind: kind, $0) }
  }

  @Test("the vectors of RFC 4231 come out, time and again", arguments: 0..<6)
  func reference(number: Int) {
    let vector = Self.vectors[number]
    let naming = ObjectNaming(idKey: SecretBytes(vector.key), cutSeed: 7)
    #expect(naming.cutSeed == 7 && naming.isKeyed)
    for _ in 0..<3 { #expect(Self.id(naming, nil, vector.message).description == vector.digest) }
  }

  @Test("the kind is the first byte of what is hashed, keyed or not")
  func kind() {
    let keyed = ObjectNaming(idKey: .random(32), cutSeed: 1)
    for naming in [ObjectNaming.plain, keyed] {
      #expect(
        Self.id(naming, .commit, [1, 2]) == Self.id(naming, nil, [ObjectKind.commit.rawValue, 1, 2]))
      #expect(Self.id(naming, .commit, [1, 2]) != Self.id(naming, .node, [1, 2]))
    }
  }

  @Test("plain names are SHA-256, and no key's names are another's")
  func plain() {
    let content = Array("abc".utf8)
    let sha: AnyID = content.withUnsafeBytes { SHA256.id(kind: .chunk, $0) }
    #expect(Self.id(.plain, .chunk, content) == sha)
    #expect(ObjectNaming.plain.cutSeed == 0 && !ObjectNaming.plain.isKeyed)
    let keyed = (0..<2).map { _ in Self.id(ObjectNaming(idKey: .random(32), cutSeed: 0), .chunk, content) }
    #expect(Set(keyed + [sha]).count == 3)
  }
}

@Suite struct SecretBytesTests {
  @Test("secrets of every size hold what was put there, begin as zeros, and say nothing of it")
  func contents() {
    var secrets: [SecretBytes] = []
    for count in [0, 1, 32, 63, 64, 65, 4096, 100_000] {
      for _ in 0..<300 where count < 4096 || secrets.count < 2000 {
        secrets.append(
          SecretBytes(count: count) { bytes in
            #expect(bytes.allSatisfy { $0 == 0 })
            bytes.copyBytes(from: (0..<count).map { UInt8(truncatingIfNeeded: $0 + secrets.count) })
          })
      }
    }
    for (number, secret) in secrets.enumerated() where number % 50 == 0 {
      #expect(secret.exposed == (0..<secret.count).map { UInt8(truncatingIfNeeded: $0 + number) })
      #expect("\(secret)" == "\(secret.count) secret bytes")
    }
  }

  @Test("the memory of a secret that is gone is empty when another one gets it")
  func wiped() {
    for _ in 0..<2000 {
      let secret = SecretBytes(count: 32) { bytes in
        #expect(bytes.allSatisfy { $0 == 0 })
        bytes.initializeMemory(as: UInt8.self, repeating: 0xa5)
      }
      #expect(secret.count == 32)
    }
  }
}
