/// Takes an answer in, piece by piece, and no more of it than it may have.
///
/// Knows nothing of where the pieces come from, so that what a hostile server can do is tried without one.
package struct HTTPReceiver {
  package private(set) var status = 0
  private var headers: [(name: String, value: String)] = []
  private var headerByteCount = 0
  private var body: [UInt8] = []
  private let limit: Int
  /// What to keep of a whole value, if it comes whole.
  private let range: Range<Int>?
  private var skipped = 0
  /// Whether there is all that is wanted, though more may come.
  package private(set) var isEnough = false
  package private(set) var failure: HTTPFailure?

  package init(limit: Int, range: Range<Int>? = nil) { (self.limit, self.range) = (limit, range) }

  package var response: HTTPResponse { HTTPResponse(status, headers: headers, body: body) }
  private var isSuccess: Bool { (200...299).contains(status) }
  /// Some servers say 200 of a part too, but then they say which.
  private var isWhole: Bool {
    range != nil && status == 200 && !headers.contains { $0.name == "content-range" }
  }

  /// Takes a line of the head in; returns whether to go on.
  package mutating func receive(line: UnsafeRawBufferPointer) -> Bool {
    headerByteCount += line.count
    guard headerByteCount <= HTTPResponse.headerByteCountMax, headers.count <= HTTPResponse.headerCountMax
    else {
      return stop(HTTPFailure(.tooLarge, "the answer has more headers than any needs"))
    }
    let text = String(decoding: line, as: UTF8.self).trimmingSpace
    if text.hasPrefix("HTTP/") {
      // Another head: what came before was an interim answer.
      let words = text.split(separator: " ")
      status = words.count > 1 ? Int(words[1]) ?? 0 : 0
      (headers, headerByteCount) = ([], line.count)
      return (100...599).contains(status) || stop(HTTPFailure(.malformed, "the answer has no status"))
    }
    guard let colon = text.firstIndex(of: ":") else {
      guard text.isEmpty else {
        return stop(HTTPFailure(.malformed, "the answer has a header without a colon"))
      }
      let length = headers.first { $0.name == "content-length" }.flatMap { Int($0.value) } ?? 0
      return !isSuccess || isWhole || length <= limit || stop(Self.tooLarge(limit))
    }
    let value = String(text[text.index(after: colon)...]).trimmingSpace
    headers.append((text[..<colon].lowercased(), value))
    return true
  }

  /// Takes bytes of the body in; returns whether to go on.
  package mutating func receive(body bytes: UnsafeRawBufferPointer) -> Bool {
    if isEnough { return false }
    guard isSuccess else {
      body += bytes.prefix(HTTPResponse.errorByteCountMax - body.count)
      isEnough = body.count == HTTPResponse.errorByteCountMax
      return !isEnough
    }
    if let range, isWhole {
      let start = min(bytes.count, max(0, range.lowerBound - skipped))
      skipped += start
      body += bytes[start...].prefix(range.count - body.count)
      isEnough = body.count == range.count
      return !isEnough
    }
    guard bytes.count <= limit - body.count else { return stop(Self.tooLarge(limit)) }
    if body.isEmpty { reserve() }
    body += bytes
    return true
  }

  private mutating func reserve() {
    let length = headers.first { $0.name == "content-length" }.flatMap { Int($0.value) }
    if let length, length > 0 { body.reserveCapacity(min(length, limit)) }
  }

  private mutating func stop(_ failure: HTTPFailure) -> Bool {
    self.failure = failure
    return false
  }

  private static func tooLarge(_ limit: Int) -> HTTPFailure {
    HTTPFailure(.tooLarge, "the answer has more than the \(limit) bytes that it may have")
  }
}

extension String {
  /// Without spaces, tabs and ends of lines around it.
  var trimmingSpace: String {
    func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
    guard let first = utf8.firstIndex(where: { !isSpace($0) }),
      let last = utf8.lastIndex(where: { !isSpace($0) })
    else { return "" }
    return String(self[first...last])
  }
}
