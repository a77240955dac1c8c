import ArgumentParser
import DSV
import DSVFormat
import DSVSystem
import DSVTables
import DSVTransforms

struct Transform: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run a filter or a recipe over a version; what comes out is the next version.",
    discussion: """
      The quality filter computes the signals of the Gopher, C4 and FineWeb rules as columns and drops the rows that \
      fail the profile's thresholds. A row that is dropped stays stored, with the rule it failed: see 'dsv dropped' \
      and 'dsv why'. Profiles: fineweb (the default), gopher, c4.

      Examples:
        dsv transform --filter quality -m "FineWeb's rules"
        dsv transform --filter quality --profile gopher v1 --branch gopher -m "Gopher's rules"
        dsv transform --recipe recipe.yaml -m "cleaned"
      """)
  @Argument(help: "The version; one that is no branch's tip needs --branch.")
  var revision = "HEAD"
  @Option(help: "One stage: quality.")
  var filter: String?
  @Option(help: "A YAML file that lists stages.", completion: .file(extensions: ["yaml", "yml"]))
  var recipe: String?
  @Option(help: "The quality filter's profile.")
  var profile: String?
  @Option(help: "The quality filter's column of text.")
  var column: String?
  @Option(help: "The table.")
  var table: String?
  @Option(help: "The branch that the result goes to: a new one, or one whose tip the version is.")
  var branch: String?
  @Option(name: .shortAndLong, help: "What this version is.")
  var message: String?
  @Option(help: "Who made it.")
  var author: String?
  @OptionGroup var global: GlobalOptions

  func validate() throws {
    if (filter == nil) == (recipe == nil) { throw ValidationError("name either --filter or --recipe") }
    if recipe != nil, profile != nil || column != nil {
      throw ValidationError("--profile and --column go with --filter; a recipe says them itself")
    }
  }

  func run() throws {
    // A long document takes many times its size while it is measured.
    Machine.returnLargeBuffers()
    let repository = try global.open()
    let found = try global.resolve(repository, revision)
    let result = try repository.transform(
      found, try steps(), table: table, branch: branch,
      CommitMessage(message ?? defaultMessage, author: author),
      progress: global.progress)
    ProgressBar.clear()
    if global.json {
      let members: [(String, JSON)] = [
        ("rows_in", .int(result.rowsIn)), ("rows_out", .int(result.rowsOut)),
        ("dropped", .counts(result.dropped)),
      ]
      return Terminal.print(JSON.object(repository.members(of: result.commit) + members).text)
    }
    CommitText.tell(result.commit)
    Terminal.print(
      "\(Terminal.count(result.rowsIn, "row")) in, \(Terminal.count(result.rowsOut)) kept, "
        + "\(Terminal.count(result.rowsIn - result.rowsOut)) dropped")
    for (rule, count) in result.dropped.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
      Terminal.print("  \(Terminal.count(count))  \(rule)")
    }
  }

  private var defaultMessage: String { filter.map { "filter \($0)" } ?? "recipe \(recipe ?? "")" }

  private func steps() throws -> Recipe {
    if let recipe {
      let text = try FileSystem.read(recipe, limit: Recipe.byteCountMax)
      guard let text = String(validating: text, as: UTF8.self) else {
        throw DSVError(.badInput, "\(recipe): it is not UTF-8")
      }
      return try Recipe(parsing: text, source: recipe)
    }
    var parameters: [String: Parameter] = [:]
    if let profile { parameters["profile"] = .text(profile) }
    if let column { parameters["column"] = .text(column) }
    return Recipe(steps: [Recipe.Step(name: filter ?? "", parameters: parameters)])
  }
}

struct Dropped: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the rows of a version that were dropped, and why.",
    discussion: "Example: dsv dropped v2 -n 20")
  @Argument(help: "The version.")
  var revision = "HEAD"
  @Option(help: "The table.")
  var table: String?
  @Option(help: "Only rows that this rule dropped.")
  var rule: String?
  @Option(name: .customShort("n"), help: "At most this many.")
  var limit = Int.max
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let found = try global.resolve(repository, revision)
    var count = 0
    try repository.reading { (reader) throws(DSVError) in
      let table = try repository.table(table, of: found.commit)
      if let rule { try check(rule, table.reasons.map(\.rule)) }
      let rows = repository.droppedRows(of: table, reader: reader)
      try rows.forEachRow { (row) throws(DSVError) in
        guard rule == nil || row.reason.rule == rule else { return true }
        guard count < limit else { return false }
        try Interrupts.check()
        Terminal.print(global.json ? DroppedText.json(row).text : DroppedText.line(row))
        count += 1
        return true
      }
    }
    if count == 0, !global.json {
      Terminal.note(rule == nil ? "no row was dropped" : "no row was dropped by this rule")
    }
  }

  private func check(_ rule: String, _ known: [String]) throws(DSVError) {
    if known.contains(rule) { return }
    let rules = known.isEmpty ? "no stage has run on it" : "its rules: " + known.joined(separator: ", ")
    throw DSVError(.notFound, "no rule '\(rule)' is in this version; \(rules)")
  }
}

struct Why: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say why a row is in a version, or is not.",
    discussion: """
      The row is named by its key (with several key columns, by each one's value), or by its position, counted from 0, \
      in a table without a key.

      Example: dsv why v2 4f1c09
      """)
  @Argument(help: "The version.")
  var revision: String
  @Argument(help: "The key, or the position.")
  var key: [String]
  @Option(help: "The table.")
  var table: String?
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let found = try global.resolve(repository, revision)
    let table = try repository.table(table, of: found.commit)
    let outcome = try repository.reading { (reader) throws(DSVError) in
      try fate(table.key.isEmpty, repository.droppedRows(of: table, reader: reader))
    }
    switch outcome {
    case nil:
      throw DSVError(
        .notFound, "\(try repository.versionName(found.commit)) has no row with this key, live or dropped")
    case .live(let position):
      let text = JSON.object([("live", .bool(true)), ("position", .int(position))]).text
      Terminal.print(global.json ? text : "live, at position \(position)")
    case .dropped(let row):
      Terminal.print(global.json ? DroppedText.json(row).text : DroppedText.line(row))
    }
  }

  private func fate(_ isByPosition: Bool, _ rows: DroppedRows) throws(DSVError) -> RowFate? {
    guard isByPosition else { return try rows.fate(key: key, progress: global.progress) }
    guard key.count == 1, let position = Int(key[0]) else {
      throw DSVError(.badInput, "the table has no key; name the row by its position, counted from 0")
    }
    return try rows.fate(position)
  }
}

enum DroppedText {
  static func line(_ row: DroppedRow) -> String {
    let reason = row.reason
    var text = Terminal.shown(row.key ?? "row \(row.position)") + ": " + Terminal.bold(reason.rule)
    if let value = row.value {
      text += " is \(value), wanted \(reason.condition)"
    } else if !reason.condition.isEmpty {
      text += ", wanted \(Terminal.shown(reason.condition))"
    }
    let by = [reason.stage, reason.profile].filter { !$0.isEmpty }.joined(separator: " ")
    return text + Terminal.dim(" (\(by))")
  }

  static func json(_ row: DroppedRow) -> JSON {
    .object([
      ("live", .bool(false)), ("position", .int(row.position)), ("key", row.key.map { .raw($0) } ?? .null),
      ("stage", .text(row.reason.stage)), ("profile", .text(row.reason.profile)),
      ("rule", .text(row.reason.rule)),
      ("signal", .text(row.reason.signal)), ("condition", .text(row.reason.condition)),
      ("value", row.value.map { .double($0) } ?? .null),
    ])
  }
}
