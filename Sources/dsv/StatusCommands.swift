import ArgumentParser
import DSV
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
        "\(Terminal.count(info.rowCount, "row")) at HEAD, \(Terminal.count(info.versionCount, "version")), "
          + "\(Terminal.count(info.objectCount, "object")), \(Terminal.size(info.byteCount))")
    }
  }
}

/// A table in one line.
enum TableText {
  static func line(_ table: Table) -> String {
    var text = "\(Terminal.bold(Terminal.shown(table.name))): \(Terminal.count(table.liveCount, "row"))"
    let dropped = table.rowCount - table.liveCount
    if dropped > 0 { text += " (and \(Terminal.count(dropped)) dropped)" }
    text += ", \(table.fields.count) columns"
    if !table.key.isEmpty { text += ", key \(Terminal.shown(table.key.joined(separator: ", ")))" }
    return text
  }
}
