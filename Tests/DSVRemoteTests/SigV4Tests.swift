import DSVRemote
import Foundation
import Testing

@Suite struct SigV4Tests {
  typealias Pair = (name: String, value: String)

  static func pairs(_ text: Substring) -> [Pair] {
    text.isEmpty
      ? []
      : text.split(separator: "&").map { pair in
        let parts = pair.split(separator: "=", omittingEmptySubsequences: false).map {
          $0.removingPercentEncoding ?? "?"
        }
        return (parts[0], parts[1])
      }
  }

  static let credentials = [
    AWSCredentials(
      accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    AWSCredentials(accessKeyID: "minioadmin", secretKey: "minioadmin"),
    AWSCredentials(
      accessKeyID: "ASIAEXAMPLEEXAMPLE00", secretKey: "s/+cre=t",
      sessionToken: "FwoGZXIvYXdzE//token+with/slashes=and==equals"),
  ]

  @Test("1,000 requests are signed as botocore signs them")
  func botocore() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized
    let text = try String(contentsOf: root.appending(path: "fixtures/sigv4/requests.tsv"), encoding: .utf8)
    var count = 0
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      let parts = line.split(separator: "\t", omittingEmptySubsequences: false)
      let who = Self.credentials[try #require(Int(parts[6]))]
      let (path, body) = (
        try #require(parts[2].removingPercentEncoding), try #require(parts[5].removingPercentEncoding)
      )
      let digest = SigV4.digest(Array(body.utf8))
      var headers = Self.pairs(parts[4])
      headers += [
        ("Host", String(parts[1].split(separator: "/")[1])), ("X-Amz-Date", String(parts[8])),
        ("X-Amz-Content-SHA256", digest),
      ]
      if let token = who.sessionToken { headers.append(("X-Amz-Security-Token", token)) }
      let request = SigV4.Request(
        String(parts[0]), path: path, query: Self.pairs(parts[3]), headers: headers, payloadDigest: digest)
      let signature = SigV4(who, region: String(parts[7])).authorization(for: request, date: String(parts[8]))
      #expect(signature.hasSuffix("Signature=\(parts[9])"), "\(line)")
      count += 1
    }
    #expect(count == 1000)
  }

  struct Vector: Sendable {
    let name: String
    let method: String
    let path: String
    let query: [Pair]
    let headers: [Pair]
    let body: String
    let signature: String

    init(
      _ name: String, _ method: String = "GET", _ path: String = "/", query: [Pair] = [],
      headers: [Pair] = [],
      body: String = "", signature: String
    ) {
      (self.name, self.method, self.path, self.query) = (name, method, path, query)
      (self.headers, self.body, self.signature) = (headers, body, signature)
    }
  }

  static let unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

  /// Of AWS's own test suite, what is not about paths that other services than S3 make shorter.
  static let suite = [
    Vector("get-vanilla", signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    Vector(
      "get-unreserved", "GET", "/" + unreserved,
      signature: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
    Vector(
      "get-utf8", "GET", "/\u{1234}",
      signature: "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    Vector(
      "get-vanilla-query-order-key-case", query: [("Param2", "value2"), ("Param1", "value1")],
      signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    Vector(
      "get-vanilla-query-order-value", query: [("Param1", "value2"), ("Param1", "value1")],
      signature: "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"),
    Vector(
      "get-vanilla-empty-query-key", query: [("Param1", "value1")],
      signature: "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
    Vector(
      "get-vanilla-query-unreserved", query: [(unreserved, unreserved)],
      signature: "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
    Vector(
      "get-vanilla-utf8-query", query: [("\u{1234}", "bar")],
      signature: "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
    Vector(
      "get-header-value-order", headers: ["value4", "value1", "value3", "value2"].map { ("My-Header1", $0) },
      signature: "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"),
    Vector(
      "get-header-key-duplicate", headers: ["value2", "value2", "value1"].map { ("My-Header1", $0) },
      signature: "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"),
    Vector(
      "get-header-value-trim", headers: [("My-Header1", " value1"), ("My-Header2", "\"a   b   c\"")],
      signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
    Vector(
      "post-x-www-form-urlencoded", "POST",
      headers: [("Content-Type", "application/x-www-form-urlencoded")], body: "Param1=value1",
      signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    Vector(
      "post-sts-header-before",
      headers: [("X-Amz-Security-Token", "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267")],
      signature: "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"),
  ]

  @Test("AWS's published test vectors", arguments: suite)
  func published(vector: Vector) {
    let date = "20150830T123600Z"
    let headers = vector.headers + [("Host", "example.amazonaws.com"), ("X-Amz-Date", date)]
    let request = SigV4.Request(
      vector.method, path: vector.path, query: vector.query, headers: headers,
      payloadDigest: SigV4.digest(Array(vector.body.utf8)))
    let who = AWSCredentials(
      accessKeyID: "AKIDEXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    let value = SigV4(who, region: "us-east-1", service: "service").authorization(for: request, date: date)
    #expect(value.hasSuffix("Signature=\(vector.signature)"), "\(vector.name)")
    #expect(
      value.hasPrefix("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "))
  }

  /// The four of S3's documentation.
  static let documented = [
    Vector(
      "GET object", "GET", "/test.txt", headers: [("Range", "bytes=0-9")],
      signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
    Vector(
      "PUT object", "PUT", "/test$file.text",
      headers: [("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
      body: "Welcome to Amazon S3.",
      signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
    Vector(
      "GET bucket lifecycle", query: [("lifecycle", "")],
      signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
    Vector(
      "GET bucket", query: [("max-keys", "2"), ("prefix", "J")],
      signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
  ]

  @Test("the examples of S3's documentation", arguments: documented)
  func documentation(vector: Vector) {
    let (date, digest) = (HTTPDate.compact(1_369_353_600), SigV4.digest(Array(vector.body.utf8)))
    let headers =
      vector.headers + [
        ("Host", "examplebucket.s3.amazonaws.com"), ("x-amz-date", date), ("x-amz-content-sha256", digest),
      ]
    let request = SigV4.Request(
      vector.method, path: vector.path, query: vector.query, headers: headers, payloadDigest: digest)
    let value = SigV4(Self.credentials[0], region: "us-east-1").authorization(for: request, date: date)
    #expect(value.hasSuffix("Signature=\(vector.signature)"), "\(vector.name)")
  }

  @Test("no way of printing credentials shows the secret or the token")
  func secrets() {
    let who = Self.credentials[2]
    var dumped = ""
    dump(who, to: &dumped)
    for text in ["\(who)", String(describing: [who]), String(reflecting: who), dumped] {
      #expect(text.contains("ASIAEXAMPLEEXAMPLE00"))
      #expect(!text.contains("s/+cre=t") && !text.contains("token"))
    }
  }

  @Test("dates are read and written as the calendar has them")
  func dates() {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(identifier: "GMT")
    for seconds in stride(from: 0, to: 4_200_000_000, by: 7_654_321) {
      let date = Date(timeIntervalSince1970: Double(seconds))
      formatter.dateFormat = "yyyyMMdd'T'HHmmss'Z'"
      #expect(HTTPDate.compact(seconds) == formatter.string(from: date))
      formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
      #expect(HTTPDate.seconds(formatter.string(from: date)) == seconds)
    }
    for text in [
      "", "Fri, 24 May 2013", "Fri, 24 Mai 2013 00:00:00 GMT", "Fri, 24 May 2013 24:00:00 GMT",
      "x, 1 2 3 4 GMT",
    ] {
      #expect(HTTPDate.seconds(text) == nil)
    }
  }
}
