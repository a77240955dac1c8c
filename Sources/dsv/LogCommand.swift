import ArgumentParser
import DSV
import DSVFormat
import DSVVersions

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
          + "\(Terminal.time(entry.commit.time).prefix(19))Z \(Terminal.count(entry.commit.rowCount, "row"))  "
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
