import DSVFormat
import DSVSystem

/// The file `format`: which revision of the repository format this is, and what one must know to use it.
///
/// Text. The first line is `dsv 1`; each further line is `reader-required NAME` or `writer-required NAME`.
package struct RepositoryFormat: Sendable, Equatable {
  package static let revision = 1
  /// Longest format file that is read.
  static let byteCountMax = 65_536
  /// The features that this build knows.
  package static let knownFeatures: Set<String> = [encryption]
  /// Records, refs and the reflog are encrypted, and IDs and cuts are keyed: `keyring` holds the keys.
  package static let encryption = "encryption"

  /// Who does not know all of these must not read.
  package var readerRequired: Set<String> = []
  /// Who does not know all of these must not write.
  package var writerRequired: Set<String> = []

  package init() {}

  /// The file's bytes.
  var text: String {
    var lines = ["dsv \(Self.revision)"]
    lines += readerRequired.sorted().map { "reader-required \($0)" }
    lines += writerRequired.sorted().map { "writer-required \($0)" }
    return lines.map { $0 + "\n" }.joined()
  }

  /// Reads a format file.
  ///
  /// - Throws: `.unsupportedFormat` for a later revision or an unknown feature that readers must know.
  init(_ bytes: [UInt8], path: String) throws(DSVError) {
    guard let text = String(validating: bytes, as: UTF8.self), text.last == "\n" else {
      throw DSVError(.corrupt, "\(path): it is no text that ends with a line")
    }
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    let first = lines.popFirst() ?? ""
    guard first.hasPrefix("dsv "), let revision = Int(first.dropFirst(4)), revision >= 1 else {
      throw DSVError(.corrupt, "\(path): the first line is not `dsv` and a number")
    }
    guard revision == Self.revision else {
      throw DSVError(.unsupportedFormat, "\(path): revision \(revision) was written by a newer dsv")
    }
    for line in lines {
      let words = line.split(separator: " ", omittingEmptySubsequences: false)
      guard words.count == 2, !words[1].isEmpty else { throw Self.unknown(line, path) }
      switch words[0] {
      case "reader-required": readerRequired.insert(String(words[1]))
      case "writer-required": writerRequired.insert(String(words[1]))
      default: throw Self.unknown(line, path)
      }
    }
    try Self.check(readerRequired, "read", path)
  }

  /// Throws `.unsupportedFormat` unless this build knows all that writers must know.
  func checkWritable(_ path: String) throws(DSVError) {
    try Self.check(readerRequired.union(writerRequired), "write", path)
  }

  private static func check(_ features: Set<String>, _ verb: String, _ path: String) throws(DSVError) {
    guard let feature = features.subtracting(knownFeatures).min() else { return }
    throw DSVError(
      .unsupportedFormat, "\(path): to \(verb) here one must know the feature `\(feature)`; use a newer dsv")
  }

  private static func unknown(_ line: Substring, _ path: String) -> DSVError {
    DSVError(.corrupt, "\(path): a line of \(line.utf8.count) bytes is no feature")
  }
}
