import DSV
import Foundation
import Testing

/// The README's example, letter for letter.
func readmeExample() throws {
  // BEGIN
  let repository = try Repository.initialize(at: "my-dataset")
  var options = CommitOptions()
  options.key = ["id"]
  let first = try repository.commit(["documents.jsonl"], CommitMessage("as crawled"), options)
  print(first.version, first.rowCount)
  for entry in try repository.log(from: first.commit) {
    print(entry.version, entry.commit.message)
  }
  let table = try repository.version("v1").table()
  let scan = try table.scan(Scan.Options(columns: ["id", "text"], where: "bytes > 1000"))
  while let batch = try scan.next() {
    print(batch.rowCount, batch.columns[1].string(0) ?? "")
  }
  print(try table.take(rows: [2, 0, 2]).rowCount, try repository.check().isOK)
  // END
}

@Suite struct READMETests {
  @Test("the README's Swift example is the one that runs here")
  func exampleText() throws {
    let block = try #require(
      try SourceText.file("README.md").text.firstMatch(of: #/```swift\n([\s\S]*?)```/#))
    let wanted = block.output.1.split(separator: "\n").map(String.init).filter { !$0.isEmpty }
    let lines = try SourceText.file("Tests/TidyTests/READMETests.swift").lines
    let begin = try #require(lines.firstIndex(of: "  // BEGIN"))
    let end = try #require(lines.firstIndex(of: "  // END"))
    #expect(["import DSV"] + lines[(begin + 1)..<end].map { String($0.dropFirst(2)) } == wanted)
  }

  @Test("the README's example of comparing versions is the one that a test runs")
  func diffExampleText() throws {
    let blocks = try SourceText.file("README.md").text.matches(of: #/```swift\n([\s\S]*?)```/#)
    let wanted = blocks[1].output.1.split(separator: "\n").map(String.init)
    let lines = try SourceText.file("Tests/DSVTests/DiffExampleTests.swift").lines
    let begin = try #require(lines.firstIndex(of: "    // BEGIN"))
    let end = try #require(lines.firstIndex(of: "    // END"))
    #expect(lines[(begin + 1)..<end].map { String($0.dropFirst(4)) } == wanted)
  }

  @Test("the README's example of rows in memory is the one that a test runs")
  func rowsExampleText() throws {
    let blocks = try SourceText.file("README.md").text.matches(of: #/```swift\n([\s\S]*?)```/#)
    let wanted = blocks[2].output.1.split(separator: "\n").map(String.init)
    let lines = try SourceText.file("Tests/DSVTests/RowsInMemoryTests.swift").lines
    let begin = try #require(lines.firstIndex(of: "    // BEGIN"))
    let end = try #require(lines.firstIndex(of: "    // END"))
    #expect(lines[(begin + 1)..<end].map { String($0.dropFirst(4)) } == wanted)
  }

  @Test("the README's Swift example runs")
  func exampleRuns() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "dsv-readme-\(UUID().uuidString)")
      .path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let sample = SourceText.root.appending(path: "fixtures/sample/documents.jsonl").path
    try FileManager.default.copyItem(atPath: sample, toPath: folder + "/documents.jsonl")
    await #expect(processExitsWith: .success) { [folder = folder as String] in
      #expect(FileManager.default.changeCurrentDirectoryPath(folder))
      try readmeExample()
    }
  }

  @Test("every command of the README's table is one of dsv's, and each of those is there")
  func commandTable() throws {
    let sources = try SourceText.files("Sources/dsv").map(\.text).joined(separator: "\n")
    let group = try SourceText.file("Sources/dsv/Main.swift").text.matches(of: #/(\w+)\.self/#).map {
      String($0.output.1)
    }
    let names = try group.map { type in
      let start = try #require(sources.range(of: "struct \(type): "), "\(type)")
      let rest = sources[start.upperBound...].prefix(400)
      return rest.firstMatch(of: #/commandName: "(\w+)"/#).map { String($0.output.1) } ?? type.lowercased()
    }
    let text = try SourceText.file("README.md").text
    let table = try #require(text.split(separator: "\n## ").first { $0.hasPrefix("Commands") })
    for name in names {
      #expect(table.contains(try Regex("`\(name)[ `]")), "README's table of commands lacks '\(name)'")
    }
    #expect(names.count > 15)
  }
}
