import DSVFormat
import Testing

/// The reference's own vectors: key 00…0f, input 00, 00 01, …
@Suite struct SipHashTests {
  /// `vectors_sip128` of https://github.com/veorq/SipHash, the first 16 of them.
  static let vectors = [
    "a3817f04ba25a8e66df67214c7550293", "da87c1d86b99af44347659119b22fc45",
    "8177228da4a45dc7fca38bdef60affe4", "9c70b60c5267a94e5f33b6b02985ed51",
    "f88164c12d9c8faf7d0f6e7c7bcd5579", "1368875980776f8854527a07690e9627",
    "14eeca338b208613485ea0308fd7a15e", "a1f1ebbed8dbc153c0b84aa61ff08239",
    "3b62a9ba6258f5610f83e264f31497b4", "264499060ad9baabc47f8b02bb6d71ed",
    "00110dc378146956c95447d3f3d0fbba", "0151c568386b6677a2b4dc6f81e5dc18",
    "d626b266905ef35882634df68532c125", "9869e247e9c08b10d029934fc4b952f7",
    "31fcefac66d7de9c7ec7485fe4494902", "5493e99933b0a8117e08ec0f97cfc3d9",
  ]

  @Test("the vectors of the reference come out")
  func reference() {
    let hash = SipHash(key: 0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)
    for (count, vector) in Self.vectors.enumerated() {
      let digest = (0..<UInt8(count)).map { $0 }.withUnsafeBytes { hash.digest($0) }
      let hex = [digest.first, digest.second].map { word in
        (0..<8).map { index in
          let byte = UInt8(truncatingIfNeeded: word >> UInt64(8 * index))
          return (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
      }.joined()
      #expect(hex == vector, "\(count) bytes")
    }
  }
}
