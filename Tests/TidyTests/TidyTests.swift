import Foundation
import Testing

/// Rules about the source text itself, so that a reviewer never has to say them twice.
@Suite struct TidyTests {
  static let functionLineCountMax = 70
  static let systemModules: Set<String> = ["Dispatch", "Glibc", "Synchronization"]

  @Test("a target depends only on those above it in Package.swift, and there is nothing else in Sources")
  func order() throws {
    let targets = try SourceText.targets()
    #expect(targets.count > 20, "Package.swift is not understood any more")
    let names = Set(targets.map(\.name))
    var above = Set<String>()
    for target in targets {
      let below = target.dependencies.intersection(names).subtracting(above)
      #expect(below.isEmpty, "\(target.name) depends on \(below.sorted()), which stand below it")
      above.insert(target.name)
    }
    let folders = try FileManager.default.contentsOfDirectory(
      atPath: SourceText.root.appending(path: "Sources").path)
    #expect(Set(folders).subtracting(names).isEmpty)
  }

  @Test("a file imports only what its target declares")
  func layering() throws {
    for target in try SourceText.targets() {
      let allowed =
        target.dependencies.union(Self.systemModules).union(target.isTest ? ["Foundation", "Testing"] : [])
      for file in try SourceText.files(target.folder) {
        for module in file.lines.compactMap(SourceText.importedModule) {
          #expect(allowed.contains(module), "\(file.path) imports \(module)")
        }
      }
    }
  }

  @Test("what a target declares, it imports")
  func needlessDependencies() throws {
    let names = Set(try SourceText.targets().map(\.name))
    for target in try SourceText.targets() {
      let files = try SourceText.files(target.folder)
      let imported = Set(files.flatMap { $0.lines.compactMap(SourceText.importedModule) })
      // Tests that run the command need it built, not imported.
      let needless = target.dependencies.intersection(names).subtracting(imported).subtracting(["dsv"])
      #expect(needless.isEmpty, "\(target.name) never imports \(needless.sorted())")
    }
  }

  @Test(
    "each C library is imported in one file",
    arguments: [
      "CArrow": "DSV/Batch+Arrow.swift", "CCrypto": "DSVFormat/LibCrypto.swift",
      "CCurl": "DSVRemote/Curl.swift", "CLMDB": "DSVStore/LMDB.swift",
      "CSimdjson": "DSVRecords/Simdjson.swift", "CXXHash": "DSVFormat/Hash64.swift",
      "CZstd": "DSVFormat/Zstd.swift",
    ].sorted { $0.key < $1.key })
  func oneFileForEachLibrary(library: String, home: String) throws {
    let files = try SourceText.files("Sources").filter {
      $0.lines.contains { SourceText.importedModule($0) == library }
    }
    #expect(files.map(\.path) == ["Sources/\(home)"])
  }

  /// Text that may not stand in Sources, and what to write instead.
  static let banned = [
    "try!": "throw", "fatalError(": "preconditionFailure for our mistakes, else throw",
    " as! ": "as? and throw", "FIXME": "mend it, or say what is so", "TODO": "mend it, or say what is so",
    "debugPrint(": "the caller's note", "NSLog(": "the caller's note",
  ]

  @Test("nothing that is banned stands in Sources")
  func bannedText() throws {
    for file in try SourceText.files("Sources") {
      let mayPrint = file.path.hasPrefix("Sources/dsv/") || file.path.hasPrefix("Sources/DSVBench/")
      for (number, line) in file.lines.enumerated() {
        for (text, instead) in Self.banned where line.contains(text) {
          Issue.record("\(file.path):\(number + 1): instead of \(text) \(instead)")
        }
        let prints = line.trimmingPrefix { $0 == " " }.hasPrefix("print(")
        #expect(mayPrint || !prints, "\(file.path):\(number + 1): instead of print the caller's note")
      }
    }
  }

  @Test("no function outgrows a screen")
  func functionLength() throws {
    for file in try SourceText.files("Sources") {
      for (start, line) in file.lines.enumerated() {
        guard line.contains("func ") || line.contains("init") else { continue }
        let head = #/^( *)(?:[a-z@()]+ )*(?:func|init|deinit)\b/#
        guard let indent = line.firstMatch(of: head)?.output.1 else { continue }
        // It ends at the first brace that stands where it began; one without a body ends at once.
        let end = file.lines[start...].firstIndex { $0 == indent + "}" } ?? start
        let isOneLine =
          line.hasSuffix("}") || file.lines[start...].prefix(8).allSatisfy { !$0.hasSuffix("{") }
        #expect(isOneLine || end - start < Self.functionLineCountMax, "\(file.path):\(start + 1)")
      }
    }
  }

  @Test("what is unchecked says why")
  func unchecked() throws {
    for file in try SourceText.files("Sources") {
      for (number, line) in file.lines.enumerated()
      where line.contains("@unchecked Sendable") || line.contains("nonisolated(unsafe)") {
        let around = file.lines[max(0, number - 3)...min(file.lines.count - 1, number + 2)]
        #expect(around.contains { $0.contains("//") }, "\(file.path):\(number + 1) says no reason")
      }
    }
  }

  @Test("every file of the format's specification is read by a test")
  func specification() throws {
    let tests = try SourceText.files("Tests").map(\.text)
    for file in try SourceText.files("format-spec", ".md") where file.name != "README.md" {
      #expect(
        tests.contains { $0.contains("format-spec/\(file.name)") || $0.contains("\"\(file.name)\"") },
        "\(file.path)")
    }
  }

  @Test("nothing names the machine that it was written on")
  func placeNames() throws {
    let folders = ["work", "root", "home"].map { "/\($0)/" }
    let files =
      try SourceText.files("Sources") + SourceText.files("Tests") + SourceText.files("fixtures", ".md")
      + SourceText.files("fixtures", ".py") + SourceText.files("format-spec", ".md")
      + ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "Makefile", "Package.swift", ".ci/run"].map(
        SourceText.file)
    for file in files {
      for (number, line) in file.lines.enumerated() {
        for folder in folders {
          #expect(!line.contains("\"\(folder)") && !line.contains(" \(folder)"), "\(file.path):\(number + 1)")
        }
      }
    }
  }
}
