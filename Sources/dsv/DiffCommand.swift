import ArgumentParser
import DSV
import DSVFormat
import DSVInterchange
import DSVRecords
import DSVTables
import DSVVersions

struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare two versions: columns, rows, cells.",
    discussion: """
      Rows are matched by the table's key, or without one by their content. With one version it is compared with HEAD; \
      with none HEAD is compared with its parent.

      Examples:
        dsv diff v1 v2 --stat
        dsv diff v1 v2 --rows
        dsv diff v1 v2 --cells --json
      """)
  @Argument(help: "The older and the newer version.")
  var revisions: [String] = []
  @Flag(help: "Numbers only; the default.")
  var stat = false
  @Flag(help: "List the rows that differ.")
  var rows = false
  @Flag(help: "List the cells that differ, with the values before and after.")
  var cells = false
  @Option(help: "Only this table.")
  var table: String?
  @OptionGroup var global: GlobalOptions

  func validate() throws {
    if revisions.count > 2 { throw ValidationError("compare two versions at a time") }
  }

  func run() throws {
    let repository = try global.open()
    let (a, b) = try sides(repository)
    let listing = rows || cells ? RowListing(showsCells: cells, isJSON: global.json) : nil
    let result = try repository.diff(a, b, table: table, visit: listing?.show, progress: global.progress)
    ProgressBar.clear()
    if global.json {
      Terminal.print(Self.json(result).text)
    } else if listing == nil || stat {
      Self.tell(result)
    }
  }

  private func sides(_ repository: Repository) throws -> (CommitID?, CommitID?) {
    switch revisions.count {
    case 0:
      guard let head = try repository.head().commit else { return (nil, nil) }
      return (try repository.commit(head).parents.first, head)
    case 1:
      return (
        try global.resolve(repository, revisions[0]).commit, try global.resolve(repository, "HEAD").commit
      )
    default:
      return (
        try global.resolve(repository, revisions[0]).commit,
        try global.resolve(repository, revisions[1]).commit
      )
    }
  }

  private static func counts(_ counts: DiffCounts) -> [(String, JSON)] {
    [
      ("added", .int(counts.added)), ("removed", .int(counts.removed)), ("changed", .int(counts.changed)),
      ("moved", .int(counts.moved)), ("cells", .int(counts.cells)),
      (
        "schema",
        .array(
          counts.schema.map { change in
            .object([
              ("op", .text(change.operation.rawValue)), ("column", .text(change.column)),
              ("from", .optional(change.from?.description)), ("to", .optional(change.to?.description)),
            ])
          })
      ),
    ]
  }

  private static func json(_ result: DiffResult) -> JSON {
    let tables = result.tables.map { ($0.table, JSON.object(counts($0.value))) }
    return .object(counts(result.total) + [("tables", .object(tables))])
  }

  /// A type in a few words: a struct of many fields by their number.
  private static func shortened(_ type: DataType) -> String {
    let text = type.description
    guard text.count > 80, case .struct(let fields) = type else { return text }
    return "struct of \(fields.count) fields: \(fields.map(\.name).joined(separator: ", "))"
  }

  private static func tell(_ result: DiffResult) {
    if result.tables.isEmpty, result.tablesAdded.isEmpty, result.tablesRemoved.isEmpty {
      return Terminal.print("no difference")
    }
    for name in result.tablesAdded { Terminal.print(Terminal.green("+ table \(Terminal.shown(name))")) }
    for name in result.tablesRemoved { Terminal.print(Terminal.red("- table \(Terminal.shown(name))")) }
    for (name, counts) in result.tables {
      Terminal.print(
        "\(Terminal.bold(Terminal.shown(name))): \(Terminal.green("+\(Terminal.count(counts.added))")) "
          + "\(Terminal.red("-\(Terminal.count(counts.removed))")) rows, "
          + "\(Terminal.count(counts.changed)) changed in \(Terminal.count(counts.cells, "cell")), "
          + "\(Terminal.count(counts.moved)) moved")
      for change in counts.schema {
        let types = [change.from, change.to].compactMap { $0.map(shortened) }.joined(separator: " -> ")
        Terminal.print("  \(change.operation.rawValue) column \(Terminal.shown(change.column)): \(types)")
      }
    }
  }
}

/// Prints the rows or cells that differ, as they are found.
private struct RowListing {
  let showsCells: Bool
  let isJSON: Bool

  func show(_ row: RowDifference) throws(DSVError) {
    switch row.kind {
    case .added: tell("add", row.table, try row.newRow() ?? "", Terminal.green)
    case .removed: tell("remove", row.table, try row.oldRow() ?? "", Terminal.red)
    case .changed:
      guard showsCells else { return tell("change", row.table, try row.newRow() ?? "", Terminal.yellow) }
      let key = try row.key()
      for cell in try row.cells() { tell(cell, key, row.table) }
    }
  }

  private func tell(_ cell: RowDifference.Cell, _ key: String, _ table: String) {
    if isJSON {
      Terminal.print(
        JSON.object([
          ("op", .text("change")), ("table", .text(table)), ("key", .raw(key)),
          ("column", .text(cell.column)),
          ("from", .raw(cell.old)), ("to", .raw(cell.new)),
        ]).text)
    } else {
      Terminal.print("\(Terminal.yellow("~")) \(Terminal.shown(key)) \(Terminal.shown(cell.column))")
      Terminal.print(Terminal.red("  - \(Terminal.shown(cell.old))"))
      Terminal.print(Terminal.green("  + \(Terminal.shown(cell.new))"))
    }
  }

  private func tell(_ operation: String, _ table: String, _ row: String, _ color: (String) -> String) {
    if isJSON {
      Terminal.print(
        JSON.object([("op", .text(operation)), ("table", .text(table)), ("row", .raw(row))]).text)
    } else {
      let mark = operation == "add" ? "+" : operation == "remove" ? "-" : "~"
      Terminal.print(color("\(mark) \(Terminal.shown(row))"))
    }
  }
}
