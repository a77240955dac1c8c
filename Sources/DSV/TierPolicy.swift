public import DSVFormat

/// Where versions, tables and columns are to lie: rules of which the last one that fits decides. What none fits lies on disk.
///
///     keep v*..HEAD on disk; older than 30d to cold
///     table raw to remote; column text older than 10 versions to remote
///
/// A rule says what, and where to. What: `table NAME`, `column NAME`, a version, `A..B` (B, what led to it, and not what led
/// to A; `v*` for A is the beginning), `older than 30d` (`h`, `d`, `w`), `older than 10 versions`, `everything`; of several all must
/// fit. Where to: `on disk`, or `to` a remote: `remote` and `cold` mean any. `keep` may stand in front.
/// Names with spaces or semicolons stand in single quotes.
public struct TierPolicy: Hashable, Sendable {
  /// Where something is to lie.
  public enum Placement: Hashable, Sendable {
    case disk
    /// Not on the disk, as soon as that remote holds it; `nil` for any remote.
    case remote(String?)
  }

  /// Which versions a rule is about.
  public enum Versions: Hashable, Sendable {
    case all
    case one(String)
    /// Without what led to `from`; `nil` for the beginning.
    case range(from: String?, to: String)
    case olderThanSeconds(Int)
    /// Followed by so many versions or more in this repository.
    case olderThanVersions(Int)
  }

  public struct Rule: Hashable, Sendable {
    public var table: String?
    /// A column, and those below it.
    public var column: String?
    public var versions: [Versions] = []
    public var placement = Placement.disk
  }

  public let rules: [Rule]
  /// As it was written.
  public let text: String

  public static let none = TierPolicy()

  private init() { (rules, text) = ([], "") }

  /// - Throws: `badInput`, which says at which byte what was expected.
  public init(_ text: String) throws(DSVError) {
    var parser = try PolicyParser(text)
    rules = try parser.rules()
    self.text = text
  }
}

extension TierPolicy.Rule {
  /// Whether the rule is about a table's column with this dotted name; `nil` for what is the table's and no column's.
  func fits(table: String, column: String?) -> Bool {
    if let wanted = self.table, wanted != table { return false }
    guard let wanted = self.column else { return true }
    guard let column else { return false }
    return column == wanted || column.hasPrefix(wanted + ".")
  }
}

/// Reads a policy's text.
private struct PolicyParser {
  private struct Token {
    let text: String
    /// Where it begins in the text, in bytes.
    let offset: Int
    var isQuoted = false
    var isEnd: Bool { text == ";" && !isQuoted }
  }

  private let tokens: [Token]
  private let end: Int
  private var next = 0

  init(_ text: String) throws(DSVError) {
    tokens = try Self.tokens(Array(text.utf8))
    end = text.utf8.count
  }

  private static func tokens(_ bytes: [UInt8]) throws(DSVError) -> [Token] {
    var tokens: [Token] = []
    var index = 0
    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
    while index < bytes.count {
      let start = index
      switch bytes[index] {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"): index += 1
      case UInt8(ascii: ";"):
        index += 1
        tokens.append(Token(text: ";", offset: start))
      case UInt8(ascii: "'"):
        guard let close = bytes[(index + 1)...].firstIndex(of: UInt8(ascii: "'")) else {
          throw DSVError(.badInput, "policy, byte \(start): this quote has no end")
        }
        tokens.append(Token(text: text(index + 1..<close), offset: start, isQuoted: true))
        index = close + 1
      default:
        while index < bytes.count, !" \t\n;'".utf8.contains(bytes[index]) { index += 1 }
        tokens.append(Token(text: text(start..<index), offset: start))
      }
    }
    return tokens
  }

  mutating func rules() throws(DSVError) -> [TierPolicy.Rule] {
    var rules: [TierPolicy.Rule] = []
    while next < tokens.count {
      if tokens[next].isEnd {
        next += 1
        continue
      }
      rules.append(try rule())
    }
    return rules
  }

  private func wanted(_ what: String) -> DSVError {
    guard next < tokens.count else {
      return DSVError(.badInput, "policy, byte \(end): \(what) is wanted, and it ends here")
    }
    return DSVError(
      .badInput, "policy, byte \(tokens[next].offset): \(what) is wanted instead of '\(tokens[next].text)'")
  }

  /// Takes the next word if it is this one.
  private mutating func take(_ word: String) -> Bool {
    guard next < tokens.count, !tokens[next].isQuoted, tokens[next].text == word else { return false }
    next += 1
    return true
  }

  private mutating func name(_ what: String) throws(DSVError) -> String {
    guard next < tokens.count, !tokens[next].isEnd, !tokens[next].text.isEmpty else { throw wanted(what) }
    next += 1
    return tokens[next - 1].text
  }

  private mutating func rule() throws(DSVError) -> TierPolicy.Rule {
    var rule = TierPolicy.Rule()
    let start = next
    _ = take("keep")
    let first = next
    while true {
      if take("on") {
        guard take("disk") else { throw wanted("'disk'") }
        break
      }
      if take("to") {
        let target = try name("'remote', 'cold', 'disk' or a remote's name")
        rule.placement =
          target == "disk" ? .disk : .remote(["remote", "cold"].contains(target) ? nil : target)
        break
      }
      try part(&rule)
    }
    if next - first <= 2 {
      next = start
      throw wanted("what it is about (say 'everything' for all)")
    }
    guard next == tokens.count || tokens[next].isEnd else { throw wanted("';'") }
    return rule
  }

  private mutating func part(_ rule: inout TierPolicy.Rule) throws(DSVError) {
    if take("everything") { return }
    if take("table") {
      guard rule.table == nil else { throw wanted("one table") }
      rule.table = try name("a table's name")
    } else if take("column") {
      guard rule.column == nil else { throw wanted("one column") }
      rule.column = try name("a column's name")
    } else if take("older") {
      guard take("than") else { throw wanted("'than'") }
      rule.versions.append(try age())
    } else {
      guard next < tokens.count, !tokens[next].isEnd else { throw wanted("'on disk' or 'to remote'") }
      let name = try name("a version")
      rule.versions.append(try versions(name))
    }
  }

  private func versions(_ text: String) throws(DSVError) -> TierPolicy.Versions {
    guard let dots = text.firstRange(of: "..") else { return .one(text) }
    let (from, to) = (String(text[..<dots.lowerBound]), String(text[dots.upperBound...]))
    guard !from.isEmpty, !to.isEmpty, !to.contains("..") else {
      throw DSVError(
        .badInput, "policy, byte \(tokens[next - 1].offset): 'A..B' is wanted instead of '\(text)'")
    }
    return .range(from: from == "v*" ? nil : from, to: to)
  }

  private mutating func age() throws(DSVError) -> TierPolicy.Versions {
    let what = "an age such as '30d', '12h', '2w' or '10 versions'"
    guard next < tokens.count else { throw wanted(what) }
    let text = tokens[next].text
    if let count = Int(text), count >= 0 {
      next += 1
      guard take("versions") || take("version") else { throw wanted("'versions'") }
      return .olderThanVersions(count)
    }
    let seconds = ["h": 3600, "d": 86_400, "w": 604_800][String(text.suffix(1))]
    guard let seconds, let count = Int(text.dropLast()), 0...100_000 ~= count else { throw wanted(what) }
    next += 1
    return .olderThanSeconds(count * seconds)
  }
}
