package import DSVFormat

/// An element of the XML that S3 answers with.
///
/// Read strictly and within bounds: no document types, no processing instructions, no comments, no entities but the five and
/// numbered characters. What S3 says needs none of them, and each is a way to harm whoever reads it.
package struct XMLElement: Sendable, Equatable {
  /// Without a namespace's prefix.
  package let name: String
  /// What stands in it directly.
  package private(set) var text = ""
  package private(set) var children: [XMLElement] = []

  package static let depthMax = 16
  package static let elementCountMax = 50_000

  init(_ name: String) { self.name = name }

  /// The text of the first child of that name.
  package func text(of name: String) -> String? { children.first { $0.name == name }?.text }

  package func all(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }

  /// Reads a document.
  ///
  /// - Throws: `.corrupt`, telling where.
  package init(parsing bytes: [UInt8], of subject: String) throws(DSVError) {
    var parser = XMLParser(bytes, subject)
    self = try parser.document()
  }

  fileprivate mutating func append(_ text: String) { self.text += text }
  fileprivate mutating func append(_ child: XMLElement) { children.append(child) }
}

private struct XMLParser {
  private let bytes: [UInt8]
  private let subject: String
  private var position = 0
  private var elementCount = 0

  init(_ bytes: [UInt8], _ subject: String) { (self.bytes, self.subject) = (bytes, subject) }

  mutating func document() throws(DSVError) -> XMLElement {
    if skip("\u{FEFF}") {}
    if skip("<?xml ") {
      while !skip("?>") { _ = try next() }
    }
    skipSpace()
    guard skip("<") else { throw broken("an element is wanted") }
    let root = try element(depth: 1)
    skipSpace()
    guard position == bytes.count else { throw broken("something stands behind the end") }
    return root
  }

  /// Reads on behind the `<` of an element.
  private mutating func element(depth: Int) throws(DSVError) -> XMLElement {
    elementCount += 1
    guard depth <= XMLElement.depthMax, elementCount <= XMLElement.elementCountMax else {
      throw broken("too many elements")
    }
    let name = try self.name()
    var element = XMLElement(String(name.split(separator: ":").last ?? ""))
    if try attributes() { return element }
    while true {
      if skip("</") {
        guard try self.name() == name else { throw broken("another element ends than the one that began") }
        skipSpace()
        guard skip(">") else { throw broken("'>' is wanted") }
        return element
      }
      if skip("<") { element.append(try self.element(depth: depth + 1)) } else { element.append(try text()) }
    }
  }

  /// Skips attributes and the end of a start tag; returns whether it ends the element too.
  private mutating func attributes() throws(DSVError) -> Bool {
    while true {
      skipSpace()
      if skip("/>") { return true }
      if skip(">") { return false }
      _ = try name()
      skipSpace()
      guard skip("=") else { throw broken("'=' is wanted") }
      skipSpace()
      let quote = try next()
      guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else {
        throw broken("a quote is wanted")
      }
      while true {
        let byte = try next()
        if byte == quote { break }
        if byte == UInt8(ascii: "<") { throw broken("'<' stands in a value") }
      }
    }
  }

  private mutating func name() throws(DSVError) -> String {
    let start = position
    while position < bytes.count, isName(bytes[position]) { position += 1 }
    guard (1...100).contains(position - start) else { throw broken("a name is wanted") }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private func isName(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: ":"), UInt8(ascii: "-"), UInt8(ascii: "_"),
      UInt8(ascii: "."):
      true
    default: false
    }
  }

  /// Reads up to the next `<`.
  private mutating func text() throws(DSVError) -> String {
    var result: [UInt8] = []
    while true {
      guard position < bytes.count else { throw broken("it ends too early") }
      switch bytes[position] {
      case UInt8(ascii: "<"):
        guard let text = String(validating: result, as: UTF8.self) else { throw broken("text is no UTF-8") }
        return text
      case UInt8(ascii: "&"): result += try reference().utf8
      default:
        result.append(bytes[position])
        position += 1
      }
    }
  }

  private mutating func reference() throws(DSVError) -> String {
    for (name, text) in [("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'")]
    where skip(name) {
      return text
    }
    guard skip("&#") else { throw broken("no such entity") }
    let radix = skip("x") ? 16 : 10
    let start = position
    while try next() != UInt8(ascii: ";") {}
    let digits = String(decoding: bytes[start..<position - 1], as: UTF8.self)
    guard digits.utf8.count <= 8, digits.first?.isHexDigit == true, let number = UInt32(digits, radix: radix),
      let scalar = Unicode.Scalar(number)
    else { throw broken("no such character") }
    return String(Character(scalar))
  }

  private mutating func next() throws(DSVError) -> UInt8 {
    guard position < bytes.count else { throw broken("it ends too early") }
    defer { position += 1 }
    return bytes[position]
  }

  private mutating func skip(_ text: String) -> Bool {
    guard bytes[position...].starts(with: text.utf8) else { return false }
    position += text.utf8.count
    return true
  }

  private mutating func skipSpace() {
    while position < bytes.count, [9, 10, 13, 32].contains(bytes[position]) { position += 1 }
  }

  private func broken(_ what: String) -> DSVError {
    DSVError(.corrupt, "\(subject): the answer's XML is broken at byte \(position): \(what)")
  }
}
