import ArgumentParser
import DSV
import DSVColumns
import DSVFormat
import DSVTables
import DSVVersions

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
