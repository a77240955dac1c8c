import DSV
import DSVFormat
import DSVSystem
import DSVTables
import DSVTesting
import DSVTransforms
import DSVVersions
import Testing

/// A table with a key is a dictionary, whatever is done to it, and whatever becomes of its index.
@Suite struct KeyModelTests {
  /// What a table is to hold, and the same of each version.
  private struct Model {
    var rows: [String: String] = [:]
    var versions: [CommitID: [String: String]] = [:]
  }

  private static func line(_ key: String, _ value: Int) -> String {
    #"{"a":"\#(key.prefix(3))","b":"\#(key)","v":\#(value)}"#
  }

  private func check(_ dataset: Dataset, _ model: Model, _ commit: CommitID? = nil, _ what: String) throws {
    let rows = commit.flatMap { model.versions[$0] } ?? model.rows
    #expect(try dataset.rows(commit).sorted() == rows.values.sorted(), "\(what)")
    guard let commit = try commit ?? dataset.repository.head().commit, !rows.isEmpty else { return }
    let table = try dataset.repository.table(nil, of: commit)
    let lookup = dataset.repository.droppedRows(of: table, reader: dataset.repository.reader)
    for key in rows.keys.sorted().prefix(3) + ["no such"] {
      let fate = try lookup.fate(key: [String(key.prefix(3)), key])
      switch (fate, rows[key]) {
      case (.live(let row), let line?):
        #expect(try dataset.repository.rows(of: table).json(row) == line, "\(what)")
      case (nil, nil), (.dropped, nil): break
      default: Issue.record("\(what): \(key) is not what it is to be")
      }
    }
  }

  @Test("random changes by key give what a dictionary gives", arguments: [UInt64](1...6))
  func model(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    // Everything is indexed, or all but the newest rows, or nothing.
    let dataset = try Dataset(scannedKeyByteCountMax: [8, 600, 20_000][Int(seed) % 3])
    var model = Model()
    func key(_ number: Int) -> String { "key \(number % 7) of \(number)" }
    func lines(_ count: Int, of range: Range<Int>) -> [String: String] {
      var lines: [String: String] = [:]
      for _ in 0..<count {
        let key = key(Int.random(in: range, using: &random))
        lines[key] = Self.line(key, random.below(3))
      }
      return lines
    }
    let first = lines(40, of: 0..<60)
    try dataset.commit(first.values.sorted(), key: ["a", "b"])
    model.rows = first
    for step in 0..<40 {
      let what = "seed \(seed), step \(step)"
      switch random.below(8) {
      case 0, 1, 2:
        let new = lines(random.below(20) + 1, of: 0..<90)
        try dataset.commit(new.values.sorted(), .upsert)
        model.rows.merge(new) { $1 }
      case 3:
        let new = lines(random.below(8) + 1, of: 90..<110)
        let isNew = new.keys.allSatisfy { model.rows[$0] == nil }
        do {
          try dataset.commit(new.values.sorted(), .append)
          #expect(isNew, "\(what)")
          model.rows.merge(new) { $1 }
        } catch let error as DSVError { #expect(!isNew && error.code == .badInput, "\(what): \(error)") }
      case 4:
        let recipe = Recipe(steps: [Recipe.Step(name: "where", parameters: ["condition": .text("v > 0")])])
        let head = try dataset.repository.resolve("HEAD")
        _ = try dataset.repository.transform(head, recipe, CommitMessage("keep", author: "test", time: 0))
        model.rows = model.rows.filter { !$0.value.hasSuffix(":0}") }
      case 5:
        if let old = model.versions.keys.sorted().randomElement(using: &random) {
          let name = "branch\(step)"
          try dataset.repository.makeBranch(name, at: old)
          try dataset.repository.checkout(try dataset.repository.resolve(name))
          model.rows = model.versions[old] ?? [:]
        }
      case 6: _ = try dataset.repository.collectGarbage(keepDays: 30)
      default:
        let runs = try dataset.keyRuns()
        if let name = runs.keys.sorted().randomElement(using: &random), let bytes = runs[name] {
          var damaged = bytes
          damaged[random.below(bytes.count)] ^= 1 << UInt8(random.below(8))
          if random.oneIn(3) { damaged.removeLast(random.below(bytes.count)) }
          try FileSystem.replace("\(dataset.folder.path)/.dsv/keys/\(name)", with: damaged)
        }
      }
      if let head = try dataset.repository.head().commit { model.versions[head] = model.rows }
      try check(dataset, model, what)
    }
    for commit in model.versions.keys.sorted().suffix(10) {
      try check(dataset, model, commit, "seed \(seed)")
    }
    #expect(try dataset.repository.check().problems == [])
  }

  private func check(_ dataset: Dataset, _ model: Model, _ what: String) throws {
    try check(dataset, model, nil, what)
  }
}
