import Testing

@testable import DSVFormat

@Suite struct HKDFTests {
  /// RFC 5869, A.1 to A.3.
  static let vectors: [(inputKey: String, salt: String, info: String, key: String)] = [
    (
      String(repeating: "0b", count: 22), "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
      """
      3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865
      """
    ),
    (
      counting(0x00..<0x50), counting(0x60..<0xb0), counting(0xb0..<0x100),
      """
      b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09
      da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87
      """
    ),
    (
      String(repeating: "0b", count: 22), "", "",
      """
      8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8
      """
    ),
  ]

  private static func counting(_ range: Range<Int>) -> String {
    range.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  @Test("the vectors of RFC 5869 come out", arguments: 0..<3)
  func reference(number: Int) {
    let vector = Self.vectors[number]
    let hkdf = HKDF(SecretBytes(bytes(hex: vector.inputKey)), salt: bytes(hex: vector.salt))
    let wanted = bytes(hex: vector.key)
    #expect(hkdf.key(info: bytes(hex: vector.info), byteCount: wanted.count).exposed == wanted)
    #expect(hkdf.key(info: bytes(hex: vector.info), byteCount: 8).exposed == Array(wanted[..<8]))
  }

  @Test("the longest key begins as shorter ones do")
  func longest() {
    let hkdf = HKDF(SecretBytes.random(32))
    let key = hkdf.key("label", [1, 2], byteCount: HKDF.byteCountMax)
    #expect(hkdf.key("label", [1, 2]).exposed == Array(key.exposed[..<32]))
    #expect(hkdf.key("label", [1, 3]) != hkdf.key("label", [1, 2]))
  }
}

@Suite struct ScryptTests {
  @Test("the vectors of RFC 7914 come out, and the one that takes 1 GiB is refused")
  func reference() throws {
    let vectors: [(passphrase: String, salt: String, logN: UInt8, r: UInt32, p: UInt32, key: String)] = [
      (
        "", "", 4, 1, 1,
        """
        77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17
        e8d3e0fb2e0d3628cf35e20c38d18906
        """
      ),
      (
        "password", "NaCl", 10, 8, 16,
        """
        fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830da
        c727afb94a83ee6d8360cbdfa2cc0640
        """
      ),
      (
        "pleaseletmein", "SodiumChloride", 14, 8, 1,
        """
        7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9
        e61e85dc0d651e40dfcf017b45575887
        """
      ),
    ]
    for vector in vectors {
      let cost = try #require(Scrypt.Cost(logN: vector.logN, r: vector.r, p: vector.p))
      let key = try Scrypt.key(
        64, passphrase: SecretBytes(Array(vector.passphrase.utf8)), salt: Array(vector.salt.utf8), cost)
      #expect(key.exposed == bytes(hex: vector.key))
    }
    #expect(Scrypt.Cost(logN: 20, r: 8, p: 1) == nil)
  }

  @Test("a cost that is none, or takes too much memory or time, is no cost")
  func bounds() {
    let standard = Scrypt.Cost.standard
    #expect(Scrypt.Cost(logN: standard.logN, r: standard.r, p: standard.p) == standard)
    #expect(standard.memoryByteCount >> 20 == 128)
    #expect(Scrypt.Cost(logN: 19, r: 8, p: 2) != nil)
    for (logN, r, p) in [
      (0, 8, 1), (17, 0, 1), (17, 8, 0), (17, 8, 9), (19, 8, 3), (20, 8, 1), (22, 2, 1), (23, 1, 1),
      (64, 8, 1),
      (255, 8, 1), (1, .max, 1), (1, 1, .max), (1, .max, .max), (17, 8, .max), (22, .max, .max),
    ] as [(UInt8, UInt32, UInt32)] {
      #expect(Scrypt.Cost(logN: logN, r: r, p: p) == nil, "\(logN) \(r) \(p)")
    }
  }
}
