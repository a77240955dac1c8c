import DSVFormat
import DSVRemote
import DSVTesting
import Foundation
import Testing

/// Bytes that no honest server sends.
@Suite struct HostileAnswerTests {
  static func receive(
    _ lines: [String], _ body: [[UInt8]], limit: Int, range: Range<Int>? = nil
  ) -> (HTTPReceiver, goesOn: Bool) {
    var receiver = HTTPReceiver(limit: limit, range: range)
    for line in lines {
      guard Array("\(line)\r\n".utf8).withUnsafeBytes({ receiver.receive(line: $0) }) else {
        return (receiver, false)
      }
    }
    for piece in body {
      guard piece.withUnsafeBytes({ receiver.receive(body: $0) }) else { return (receiver, false) }
    }
    return (receiver, true)
  }

  @Test("a head is read, the last of several, and its headers are found by small letters")
  func head() {
    let lines = [
      "HTTP/1.1 100 Continue", "", "HTTP/1.1 206 Partial Content", "ETag:  \"x y\" ", "A: 1", "a:2", "",
    ]
    let (receiver, goesOn) = Self.receive(lines, [[1], [2, 3]], limit: 3)
    #expect(goesOn && receiver.status == 206 && receiver.response.body == [1, 2, 3])
    #expect(receiver.response.header("etag") == "\"x y\"" && receiver.response.header("a") == "1")
    #expect(receiver.response.headers.count == 3)
  }

  @Test("a body beyond its limit is refused by its length, or where it passes the limit")
  func bodies() {
    let told = Self.receive(["HTTP/1.1 200 OK", "Content-Length: 1000000000000", ""], [], limit: 10)
    #expect(!told.goesOn && told.0.failure?.kind == .tooLarge)
    let untold = Self.receive(["HTTP/1.1 200 OK"], [[1, 2, 3], [4]], limit: 3)
    #expect(!untold.goesOn && untold.0.failure?.kind == .tooLarge)
    // Of a refusal, the beginning is enough.
    let page = [UInt8](repeating: 60, count: 40_000)
    let refusal = Self.receive(
      ["HTTP/1.1 404 Not Found", "Content-Length: 100000000"], [page, page, page], limit: 3)
    #expect(!refusal.goesOn && refusal.0.failure == nil && refusal.0.isEnough)
    #expect(refusal.0.response.body.count == HTTPResponse.errorByteCountMax)
  }

  @Test("of a whole value, the part that was asked for is kept, however it comes in pieces")
  func parts() {
    let whole = (0..<100).map { UInt8($0) }
    for size in [1, 7, 33, 100] {
      let pieces = stride(from: 0, to: 100, by: size).map { Array(whole[$0..<min(100, $0 + size)]) }
      let head = ["HTTP/1.1 200 OK", "Content-Length: 100"]
      let (receiver, _) = Self.receive(head, pieces, limit: 20, range: 30..<50)
      #expect(receiver.response.body == Array(whole[30..<50]) && receiver.isEnough && receiver.failure == nil)
      let part = Self.receive(
        head + ["Content-Range: bytes 30-49/100"], [Array(whole[30..<50])], limit: 20, range: 30..<50)
      #expect(part.0.response.body == Array(whole[30..<50]), "200 of a part")
      let short = Self.receive(head, pieces, limit: 20, range: 90..<110)
      #expect(short.0.response.body == Array(whole[90...]) && !short.0.isEnough)
    }
  }

  @Test("headers without end, and what is no HTTP, are broken off")
  func floods() {
    let many = ["HTTP/1.1 200 OK"] + (0..<200).map { "x-\($0): v" }
    #expect(Self.receive(many, [], limit: 1).0.failure?.kind == .tooLarge)
    let long = ["HTTP/1.1 200 OK"] + (0..<20).map { _ in "x: \(String(repeating: "v", count: 9000))" }
    #expect(Self.receive(long, [], limit: 1).0.failure?.kind == .tooLarge)
    for lines in [["HTTP/1.1"], ["HTTP/1.1 999999 X"], ["HTTP/1.1 200 OK", "no colon"], ["HTTP/1.1 -1 X"]] {
      #expect(Self.receive(lines, [], limit: 1).0.failure?.kind == .malformed)
    }
  }

  static func parse(_ text: String) throws -> XMLElement {
    try XMLElement(parsing: Array(text.utf8), of: "test")
  }

  static let document = """
    <?xml version="1.0" encoding="UTF-8"?>
    <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/" a = 'b'>
      <Name>b&amp;&lt;&gt;&quot;&apos;&#65;&#x1F642;</Name><Empty/><Contents><Key>ä</Key></Contents><x:Contents></x:Contents >
    </ListBucketResult>

    """

  @Test("XML as S3 writes it is read")
  func xml() throws {
    let list = try Self.parse(Self.document)
    #expect(
      list.name == "ListBucketResult" && list.text(of: "Name") == "b&<>\"'A🙂" && list.text(of: "Empty") == "")
    #expect(list.all("Contents").count == 2 && list.all("Contents")[0].text(of: "Key") == "ä")
    #expect(list.text(of: "Missing") == nil)
  }

  @Test("XML that is cut short anywhere is refused")
  func cutShort() {
    let bytes = Array(Self.document.utf8)
    let end = bytes.count - 1
    for count in 0..<end - 1 {
      #expect(throws: DSVError.self, "\(count) bytes") {
        try XMLElement(parsing: Array(bytes[..<count]), of: "test")
      }
    }
  }

  @Test("what XML can do harm with is refused")
  func harm() {
    let deep = String(repeating: "<a>", count: 100) + String(repeating: "</a>", count: 100)
    let many = "<a>" + String(repeating: "<b/>", count: 60_000) + "</a>"
    for text in [
      "", "a", "<a>", "<a></b>", "<a/><b/>", "<a/>x", "<a b/>", "<a b=c/>", "<a b='<'/>", "<a b='x/>", deep,
      many,
      "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "<a>&x;</a>", "<a>&amp</a>", "<a><!-- c --></a>",
      "<a><![CDATA[x]]></a>",
      "<a><?php ?></a>", "<a>&#;</a>", "<a>&#xD800;</a>", "<a>&#x110000;</a>", "<a>&#-5;</a>",
      "<a>&#99999999999;</a>",
      "< a/>", "<\(String(repeating: "n", count: 101))/>",
    ] {
      let error = #expect(throws: DSVError.self, "\(text.prefix(60))") { try Self.parse(text) }
      #expect(error?.code == .corrupt)
    }
    #expect(throws: DSVError.self) {
      try XMLElement(parsing: [60, 97, 62, 0xFF, 60, 47, 97, 62], of: "test")
    }
  }

  @Test("any change of one byte of XML is read or refused, and never traps")
  func mutations() {
    var generator = SeededGenerator(seed: 11)
    let bytes = Array(Self.document.utf8)
    for _ in 0..<5000 {
      var changed = bytes
      for _ in 0...generator.below(3) { changed[generator.below(bytes.count)] = UInt8(generator.below(256)) }
      _ = try? XMLElement(parsing: changed, of: "test")
    }
  }
}
