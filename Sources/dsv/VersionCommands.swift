import ArgumentParser
import DSV
import DSVColumns
import DSVFormat
import DSVTables
import DSVVersions

struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show where HEAD is and what it holds.", discussion: "Example: dsv status")
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let head = try repository.head()
    let tables = try head.commit.map { try repository.snapshot($0).tables } ?? []
    let version = try head.commit.map { try repository.versionName($0) }
    if global.json {
      Terminal.print(
        JSON.object([
          ("branch", .optional(head.branch)), ("version", .optional(version)),
          ("commit", .optional(head.commit?.description)),
          ("rows", .int(tables.reduce(0) { $0 + $1.liveCount })),
          ("tables", .object(tables.map { ($0.name, .int($0.liveCount)) })),
        ]).text)
      return
    }
    Terminal.print(head.branch.map { "on branch \(Terminal.bold($0))" } ?? "on no branch (detached)")
    guard let version else { return Terminal.print("no version yet") }
    Terminal.print("at \(Terminal.bold(version))")
    for table in tables { Terminal.print("  \(TableText.line(table))") }
  }
}

struct Info: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the repository's size.", discussion: "Example: dsv info --json")
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let info = try repository.info()
    if global.json {
      Terminal.print(
        JSON.object([
          ("rows", .int(info.rowCount)), ("bytes", .int(info.byteCount)),
          ("versions", .int(info.versionCount)),
          ("objects", .int(info.objectCount)),
        ]).text)
    } else {
      Terminal.print(
        "\(Terminal.count(info.rowCount)) rows at HEAD, \(Terminal.count(info.versionCount)) versions, "
          + "\(Terminal.count(info.objectCount)) objects, \(Terminal.size(info.byteCount))")
    }
  }
}

struct Log: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the versions that led to one, newest first.", discussion: "Example: dsv log --graph")
  @Argument(help: "Where to begin.")
  var revision = "HEAD"
  @Option(name: .customShort("n"), help: "At most this many.")
  var limit = Int.max
  @Flag(help: "Draw which version came from which.")
  var graph = false
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    if revision == "HEAD", try repository.head().commit == nil {
      return Terminal.print(global.json ? "[]" : "no version yet")
    }
    let entries = try repository.log(
      from: try global.resolve(repository, revision).commit, limit: max(0, limit))
    if global.json { return Terminal.print(JSON.array(entries.map(Self.json)).text) }
    var drawing = GraphDrawing()
    for entry in entries {
      let prefix = graph ? drawing.prefix(entry) : ""
      let names = (entry.isHead ? ["HEAD"] : []) + entry.names
      let shownNames = names.isEmpty ? "" : Terminal.yellow(" (\(names.joined(separator: ", ")))")
      let subject = entry.commit.message.split(separator: "\n").first.map(String.init) ?? ""
      Terminal.print(
        "\(prefix)\(Terminal.bold(entry.version)) \(Terminal.dim(entry.id.short))\(shownNames) "
          + "\(Terminal.time(entry.commit.time).prefix(19))Z \(Terminal.count(entry.commit.rowCount)) rows  "
          + Terminal.shown(subject))
    }
  }

  static func json(_ entry: LogEntry) -> JSON {
    .object([
      ("version", .text(entry.version)), ("commit", .text(entry.id.description)),
      ("root", .text(entry.commit.root.description)),
      ("parents", .array(entry.commit.parents.map { .text($0.description) })),
      ("author", .text(entry.commit.author)), ("time", .text(Terminal.time(entry.commit.time))),
      ("message", .text(entry.commit.message)), ("rows", .int(entry.commit.rowCount)),
      ("names", .array(entry.names.map { .text($0) })),
    ])
  }
}

/// Draws one column for each line of versions that is not yet joined.
struct GraphDrawing {
  private var columns: [CommitID] = []

  mutating func prefix(_ entry: LogEntry) -> String {
    let own = columns.firstIndex(of: entry.id) ?? columns.count
    if own == columns.count { columns.append(entry.id) }
    let drawn = columns.indices.map { $0 == own ? "*" : "|" }.joined(separator: " ")
    var next = Array(columns[..<own].filter { $0 != entry.id })
    for parent in entry.commit.parents where !columns.contains(parent) || columns[own] == parent {
      next.append(parent)
    }
    next += columns[(own + 1)...].filter { $0 != entry.id && !next.contains($0) }
    columns = next
    return drawn + " "
  }
}

/// A table in one line.
enum TableText {
  static func line(_ table: Table) -> String {
    var text = "\(Terminal.bold(Terminal.shown(table.name))): \(Terminal.count(table.liveCount)) rows"
    let dropped = table.rowCount - table.liveCount
    if dropped > 0 { text += " (and \(Terminal.count(dropped)) dropped)" }
    text += ", \(table.fields.count) columns"
    if !table.key.isEmpty { text += ", key \(Terminal.shown(table.key.joined(separator: ", ")))" }
    return text
  }
}

struct Show: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show a version: who, when, why, from what, and its tables' columns.",
    discussion: "Example: dsv show v2")
  @Argument(help: "The version.")
  var revision = "HEAD"
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let found = try global.resolve(repository, revision)
    guard let entry = try repository.log(from: found.commit, limit: 1).first else { return }
    let tables = try repository.snapshot(found.commit).tables
    if global.json {
      return Terminal.print(try json(entry, tables, repository).text)
    }
    Terminal.print("\(Terminal.bold(entry.version)) \(entry.id)")
    Terminal.print("root    \(entry.commit.root)")
    Terminal.print("author  \(Terminal.shown(entry.commit.author))")
    Terminal.print("time    \(Terminal.time(entry.commit.time))")
    for parent in entry.commit.parents {
      Terminal.print("parent  \(try repository.versionName(parent)) \(parent.short)")
    }
    if let lineage = entry.commit.lineage {
      Terminal.print("from    \(try repository.versionName(lineage.input))")
      for stage in lineage.stages {
        Terminal.print(
          "stage   \(stage.name) (revision \(stage.revision)) \(Terminal.shown(stage.parameters))")
      }
    }
    Terminal.print("\n  \(Terminal.shown(entry.commit.message))\n")
    for table in tables {
      Terminal.print(TableText.line(table))
      for field in table.fields { Terminal.print("  \(Self.column(field))") }
    }
  }

  static func column(_ field: TableField) -> String {
    let nulls = field.values.nullCount
    let note = (field.isNullable ? "" : ", required") + (field.isSignal ? ", signal" : "")
    let empty = nulls > 0 ? ", \(Terminal.count(nulls)) empty" : ""
    return "\(Terminal.shown(field.name)): \(field.field.type)\(note)\(empty)"
  }

  private func json(_ entry: LogEntry, _ tables: [Table], _ repository: Repository) throws -> JSON {
    guard case .object(var members) = Log.json(entry) else { return .null }
    members.append(
      (
        "tables",
        .object(
          tables.map { table in
            (
              table.name,
              .object([
                ("rows", .int(table.liveCount)), ("dropped", .int(table.rowCount - table.liveCount)),
                ("key", .array(table.key.map { .text($0) })),
                (
                  "columns",
                  .array(
                    table.fields.map { field in
                      .object([
                        ("name", .text(field.name)), ("type", .text(field.field.type.description)),
                        ("nullable", .bool(field.isNullable)), ("signal", .bool(field.isSignal)),
                      ])
                    })
                ),
              ])
            )
          })
      ))
    if let lineage = entry.commit.lineage {
      let stages = lineage.stages.map { stage in
        JSON.object([
          ("name", .text(stage.name)), ("revision", .int(stage.revision)),
          ("parameters", .raw(stage.parameters)),
        ])
      }
      members.append(
        (
          "lineage",
          .object([
            ("input", .text(try repository.versionName(lineage.input))),
            ("input_commit", .text(lineage.input.description)), ("stages", .array(stages)),
            ("recipe", .text(lineage.recipe)),
          ])
        ))
    }
    return .object(members)
  }
}

struct Checkout: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Move HEAD to a branch or a version.",
    discussion:
      "Moves a name, not data: it costs the same at any size; 'dsv export' writes files.\n\nExample: dsv checkout v12"
  )
  @Argument(help: "The branch or version.")
  var revision: String
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let found = try global.resolve(repository, revision)
    try repository.checkout(found)
    let version = try repository.versionName(found.commit)
    if global.json {
      Terminal.print(
        JSON.object([
          ("branch", .optional(found.branch)), ("version", .text(version)),
          ("commit", .text(found.commit.description)),
        ]).text)
    } else if let branch = found.branch {
      Terminal.print("on branch \(Terminal.bold(branch)) at \(version)")
    } else {
      Terminal.print(
        "at \(Terminal.bold(version)), on no branch: to keep commits made here, make one with 'dsv branch NAME'"
      )
    }
  }
}

struct Branch: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List, make or delete branches.",
    discussion: "Examples:\n  dsv branch\n  dsv branch cleaning v2\n  dsv branch --delete cleaning")
  @Argument(help: "The new branch.")
  var name: String?
  @Argument(help: "Where it begins.")
  var revision = "HEAD"
  @Flag(name: .shortAndLong, help: "Delete it.")
  var delete = false
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    guard let name else {
      let head = try repository.head()
      let branches = try repository.branches()
      if global.json {
        let list = try branches.map { try NameText.json($0, repository, isCurrent: $0.name == head.branch) }
        return Terminal.print(JSON.array(list).text)
      }
      for branch in branches {
        let mark = branch.name == head.branch ? "* " : "  "
        Terminal.print("\(mark)\(Terminal.bold(branch.name)) \(try repository.versionName(branch.commit))")
      }
      return
    }
    if delete { return try repository.deleteBranch(name) }
    try repository.makeBranch(name, at: try global.resolve(repository, revision).commit)
  }
}

struct Tag: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List, make or delete tags.",
    discussion: "Examples:\n  dsv tag\n  dsv tag paper v3\n  dsv tag --delete paper")
  @Argument(help: "The new tag.")
  var name: String?
  @Argument(help: "What it names.")
  var revision = "HEAD"
  @Flag(name: .shortAndLong, help: "Delete it.")
  var delete = false
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    guard let name else {
      let tags = try repository.tags()
      if global.json {
        return Terminal.print(JSON.array(try tags.map { try NameText.json($0, repository) }).text)
      }
      for tag in tags {
        Terminal.print("\(Terminal.bold(tag.name)) \(try repository.versionName(tag.commit))")
      }
      return
    }
    if delete { return try repository.deleteTag(name) }
    try repository.makeTag(name, at: try global.resolve(repository, revision).commit)
  }
}

enum NameText {
  static func json(_ named: NamedCommit, _ repository: Repository, isCurrent: Bool? = nil) throws -> JSON {
    var members: [(String, JSON)] = [
      ("name", .text(named.name)), ("version", .text(try repository.versionName(named.commit))),
      ("commit", .text(named.commit.description)),
    ]
    if let isCurrent { members.append(("current", .bool(isCurrent))) }
    return .object(members)
  }
}

struct Fingerprint: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compute the root that a version's live rows would have by themselves.",
    discussion: """
      Two versions with the same live rows have the same fingerprint, whatever was dropped, computed or keyed on the
      way. Writes nothing.

      Example: dsv fingerprint v3
      """)
  @Argument(help: "The version.")
  var revision = "HEAD"
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let found = try global.resolve(repository, revision)
    let id = try repository.fingerprint(found.commit, progress: global.progress)
    ProgressBar.clear()
    if global.json {
      Terminal.print(JSON.object([("fingerprint", .text(id.description))]).text)
    } else {
      Terminal.print(id.description)
    }
  }
}
