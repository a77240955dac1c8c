import Foundation
import Testing

@testable import DSVFormat

@Suite struct FernetTests {
  /// An entry of the published vectors.
  struct Vector: Decodable, Sendable {
    let token: String
    let now: Date
    let secret: String
    let src: String?
    let iv: [UInt8]?
    let ttlSec: UInt64?
    let desc: String?

    var seconds: UInt64 { UInt64(now.timeIntervalSince1970) }
    var rawToken: [UInt8]? { Array(token.utf8).withUnsafeBytes { Base64URL.bytes($0) } }
  }

  static func vectors(_ name: String) throws -> [Vector] {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .iso8601
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let file = Fixture.root.appending(path: "fernet/\(name).json")
    return try decoder.decode([Vector].self, from: Data(contentsOf: file))
  }

  private static func open(
    _ token: [UInt8], _ key: FernetKey, ttl: UInt64? = nil, now: UInt64? = nil
  ) throws(DSVError) -> [UInt8] {
    try token.withUnsafeBufferPointer { (token) throws(DSVError) in
      try Fernet.open(UnsafeRawBufferPointer(token), with: key, ttl: ttl, now: now, of: "vector")
    }
  }

  private static func seal(_ plain: [UInt8], _ key: FernetKey) -> [UInt8] {
    plain.withUnsafeBytes { Fernet.seal($0, with: key) }
  }

  @Test("the published vectors of tokens to make are made")
  func generate() throws {
    for vector in try Self.vectors("generate") {
      let plain = Array(try #require(vector.src).utf8)
      var token = [UInt8](repeating: 0, count: Fernet.tokenByteCount(plain.count))
      let (key, iv) = (try FernetKey(vector.secret), try #require(vector.iv))
      plain.withUnsafeBytes { plain in
        iv.withUnsafeBytes { iv in
          token.withUnsafeMutableBytes {
            Fernet.seal(plain, with: key, timestamp: vector.seconds, iv: iv, into: $0)
          }
        }
      }
      #expect(token.withUnsafeBytes { Base64URL.text($0) } == vector.token)
    }
  }

  @Test("the published vectors of tokens to open are opened")
  func verify() throws {
    for vector in try Self.vectors("verify") {
      let token = try #require(vector.rawToken)
      let key = try FernetKey(vector.secret)
      let plain = try Self.open(token, key, ttl: vector.ttlSec, now: vector.seconds)
      #expect(plain == Array(try #require(vector.src).utf8))
      #expect(try Self.open(token, key) == plain)
    }
  }

  @Test("each published vector of tokens to refuse is refused for its own reason")
  func invalid() throws {
    let reasons = [
      "incorrect mac": "signature", "too short": "too short",
      "payload size not multiple of block size": "whole blocks", "payload padding error": "padding",
      "far-future TS (unacceptable clock skew)": "future", "expired TTL": "expired",
      "incorrect IV (causes padding error)": "padding",
    ]
    let vectors = try Self.vectors("invalid")
    #expect(vectors.count == 8)
    for vector in vectors {
      let name = try #require(vector.desc)
      guard name != "invalid base64" else {
        #expect(vector.rawToken == nil)
        continue
      }
      let token = try #require(vector.rawToken)
      let key = try FernetKey(vector.secret)
      let error = #expect(throws: DSVError.self) {
        try Self.open(token, key, ttl: vector.ttlSec, now: vector.seconds)
      }
      #expect(error?.code == .corrupt)
      #expect(error?.message.contains(reasons[name] ?? "?") == true, "\(name): \(String(describing: error))")
    }
  }

  @Test("what is sealed opens to the same, and two tokens of it differ", arguments: 0...130)
  func roundTrip(count: Int) throws {
    let key = FernetKey.random()
    let plain = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    let token = Self.seal(plain, key)
    #expect(token.count == Fernet.tokenByteCount(count))
    #expect((count..<count + 16).contains(Fernet.plainByteCountMax(token.count)))
    #expect(Array(token[..<9]) == [0x80, 0, 0, 0, 0, 0, 0, 0, 0])
    #expect(try Self.open(token, key) == plain)
    #expect(Self.seal(plain, key) != token)
    #expect(throws: DSVError.self) { try Self.open(token, .random()) }
  }

  @Test("a token opens where it lies, also one of many pieces")
  func inPlace() throws {
    let key = FernetKey.random()
    for count in [0, 5, 16, 16_383, 16_384, 100_001] {
      let plain = RandomSource.bytes(count)
      var token = Self.seal(plain, key)
      let opened = try token.withUnsafeMutableBytes { token in
        try Fernet.open(
          UnsafeRawBufferPointer(token), with: key,
          into: UnsafeMutableRawBufferPointer(rebasing: token[25...]), of: "token")
      }
      #expect(opened == count && Array(token[25..<25 + count]) == plain)
    }
  }

  @Test("a token with any bit flipped, or of any other length, is refused", arguments: [0, 15, 16, 40])
  func damaged(count: Int) throws {
    let key = FernetKey.random()
    let token = Self.seal(RandomSource.bytes(count), key)
    for bit in 0..<token.count * 8 {
      var other = token
      other[bit / 8] ^= 1 << UInt8(bit % 8)
      let error = #expect(throws: DSVError.self) { try Self.open(other, key) }
      #expect(error?.code == .corrupt)
    }
    for length in 0..<token.count {
      #expect(throws: DSVError.self) { try Self.open(Array(token[..<length]), key) }
      #expect(throws: DSVError.self) { try Self.open(Array(token[length...].dropFirst()), key) }
    }
    for more in 1...64 {
      #expect(throws: DSVError.self) { try Self.open(token + [UInt8](repeating: 0, count: more), key) }
    }
  }

  @Test("only the text that is written for a key is read as one")
  func keyText() throws {
    let text = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
    let key = try FernetKey(text)
    #expect(String(decoding: key.text.exposed, as: UTF8.self) == text)
    var wrong = [
      "", String(text.dropLast()), text + "\n", text + "=", " " + text.dropLast(), text.lowercased() + " ",
    ]
    // The last character but one has two bits that are no part of the key.
    wrong += "567+/".map { text.dropLast(2) + String($0) + "=" }
    wrong += ["cw/0", "cw+0", "cw 0", "cw\u{0}0", "cw=0", "cw{0", "cw@0"].map { $0 + text.dropFirst(4) }
    for text in wrong {
      #expect(Array(text.utf8).withUnsafeBytes { FernetKey(text: $0) } == nil, "\(text)")
    }
  }
}

@Suite struct Base64URLTests {
  @Test(
    "bytes of every length and value make the text that Foundation makes, and are read from it",
    arguments: 0...66)
  func matchesFoundation(count: Int) {
    for first in stride(from: 0, to: 256, by: 3) {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: first + $0 * 5) }
      let text = Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
      #expect(bytes.withUnsafeBytes { Base64URL.text($0) } == text)
      #expect(Array(text.utf8).withUnsafeBytes { Base64URL.bytes($0) } == bytes)
    }
  }

  @Test("a text is read only if it is what would be written")
  func strict() {
    var readCount = 0
    for first in UInt8.min ... .max {
      for (head, tail) in [("", "AAA"), ("A", "AA"), ("AA", "A"), ("AAA", ""), ("A", "=="), ("AA", "=")] {
        let text = Array(head.utf8) + [first] + Array(tail.utf8)
        guard let bytes = text.withUnsafeBytes({ Base64URL.bytes($0) }) else { continue }
        readCount += 1
        #expect(bytes.withUnsafeBytes { Array(Base64URL.text($0).utf8) } == text)
      }
    }
    // 64 characters in each place; 4 and 16 before padding; and padding itself in two places.
    #expect(readCount == 4 * 64 + 4 + 16 + 2)
  }
}
