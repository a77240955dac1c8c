import Foundation

/// The files of this package, as text.
enum SourceText {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized

  struct File: Sendable {
    /// From the package's root.
    let path: String
    let lines: [String]
    var text: String { lines.joined(separator: "\n") }
    var name: String { String(path.split(separator: "/").last ?? "") }
  }

  /// Every file under a folder whose name ends so.
  static func files(_ folder: String, _ ending: String = ".swift") throws -> [File] {
    let names = try FileManager.default.subpathsOfDirectory(atPath: root.appending(path: folder).path)
    return try names.sorted().filter { $0.hasSuffix(ending) }.map { try file("\(folder)/\($0)") }
  }

  static func file(_ path: String) throws -> File {
    let text = try String(contentsOf: root.appending(path: path), encoding: .utf8)
    return File(
      path: path, lines: text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
  }

  /// A target as `Package.swift` has it.
  struct Target: Sendable {
    let name: String
    /// Targets and products that it may import.
    let dependencies: Set<String>
    let isTest: Bool
    var folder: String { (isTest ? "Tests/" : "Sources/") + name }
  }

  /// The targets in the order of `Package.swift`.
  static func targets() throws -> [Target] {
    let text = try file("Package.swift").text
    let pattern =
      #/(target|tests|executableTarget|systemLibrary)\(\s*(?:name: )?"(\w+)"(?:,\s*(?:dependencies: )?\[([^\]]*)\])?/#
    return text.matches(of: pattern).map { match in
      let list = (match.output.3 ?? "").matches(of: #/"([\w-]+)"/#).map { String($0.output.1) }
      return Target(name: String(match.output.2), dependencies: Set(list), isTest: match.output.1 == "tests")
    }
  }

  /// The module that a line imports.
  static func importedModule(_ line: String) -> String? {
    guard line.contains("import ") else { return nil }
    let pattern =
      #/^(?:@\w+(?:\(\w+\))? )*(?:public |package |internal |fileprivate |private )?import (?:struct |func |enum |class )?(\w+)/#
    return line.firstMatch(of: pattern).map { String($0.output.1) }
  }
}
