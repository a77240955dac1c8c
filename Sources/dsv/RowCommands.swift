import ArgumentParser
import DSV
import DSVFormat
import DSVRecords
import DSVSystem
import DSVTables
import DSVVersions

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a version's rows to a file or standard output.",
    discussion: """
      Conditions are written as in SQL: comparisons, and/or/not, in (…), between, like, is null, is missing, and \
      functions such as length, contains, starts_with, ends_with, lower, upper, trim.

      Examples:
        dsv export v2 -o clean.jsonl
        dsv export --columns id,text --where "lang = 'en' and length(text) > 500"
        dsv export v2 --where "quality.gopher_quality.words > 1000" --signals --explain
      """)
  @Argument(help: "The version.")
  var revision = "HEAD"
  @Option(name: .shortAndLong, help: "The file; it appears only when it is complete.", completion: .file())
  var output: String?
  @Option(help: "The table.")
  var table: String?
  @Option(help: "The columns, with commas between; a name that has one in double quotes.")
  var columns: ColumnList?
  @Option(name: .customLong("where"), help: "Only the rows for which this is true.")
  var condition: String?
  @Option(help: "jsonl or csv. By default by the file's ending.")
  var format: RecordFormat?
  @Flag(help: "Write the columns that transforms computed, too.")
  var signals = false
  @Flag(help: "Write the rows that were dropped, too.")
  var dropped = false
  @Flag(help: "Say on standard error which chunks the statistics ruled out.")
  var explain = false
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let found = try global.resolve(repository, revision)
    var options = ExportOptions()
    options.columns = columns?.names ?? []
    options.condition = condition
    options.format = format ?? RecordFormat(fileName: output ?? "")
    options.includesSignals = signals
    options.includesDropped = dropped
    let progress = global.progress
    let count = try repository.reading { (reader) throws(DSVError) in
      let export = try RowExport(try repository.table(table, of: found.commit), options, reader: reader)
      if explain { try Explanation.tell(export.filter) }
      guard let output, output != "-" else { return try export.run(progress: progress, Terminal.writeRows) }
      return try OutputFile.write(output) { (write) throws(DSVError) in
        try export.run(progress: progress, write)
      }
    }
    ProgressBar.clear()
    guard let output, output != "-" else { return }
    if global.json {
      Terminal.print(JSON.object([("path", .text(output)), ("rows", .int(count))]).text)
    } else {
      Terminal.print("\(Terminal.count(count, "row")) in \(output)")
    }
  }
}

/// Says what the statistics saved.
enum Explanation {
  static func tell(_ filter: RowFilter) throws(DSVError) {
    let prunings = try filter.prunings()
    for pruning in prunings {
      Terminal.note(
        "column \(pruning.column): statistics rule out \(Terminal.count(pruning.skippedChunkCount)) of "
          + "\(Terminal.count(pruning.chunkCount, "chunk")), \(Terminal.count(pruning.skippedRowCount, "row"))"
      )
    }
    if prunings.isEmpty { Terminal.note("no column's statistics are used") }
  }
}

struct HeadRows: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "head", abstract: "Show a version's first rows.", discussion: "Example: dsv head v1 -n 3")
  @Argument(help: "The version.")
  var revision = "HEAD"
  @Option(name: .customShort("n"), help: "How many.")
  var limit = 10
  @Option(help: "The table.")
  var table: String?
  @Option(help: "The columns, with commas between; a name that has one in double quotes.")
  var columns: ColumnList?
  @Option(name: .customLong("where"), help: "Only rows for which this is true.")
  var condition: String?
  @Flag(help: "Show the columns that transforms computed, too.")
  var signals = false
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    var options = ExportOptions()
    options.limit = max(0, limit)
    options.columns = columns?.names ?? []
    options.condition = condition
    options.includesSignals = signals
    let found = try global.resolve(repository, revision)
    let progress = global.progress
    try repository.reading { (reader) throws(DSVError) in
      _ = try RowExport(try repository.table(table, of: found.commit), options, reader: reader)
        .run(progress: progress, Terminal.writeRows)
    }
    ProgressBar.clear()
  }
}

struct Count: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Count a version's rows.", discussion: "Example: dsv count v2 --where \"lang = 'de'\"")
  @Argument(help: "The version.")
  var revision = "HEAD"
  @Option(help: "The table; without it all tables, unless there is a condition.")
  var table: String?
  @Option(name: .customLong("where"), help: "Only rows for which this is true.")
  var condition: String?
  @Flag(help: "Say on standard error which chunks the statistics ruled out.")
  var explain = false
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let found = try global.resolve(repository, revision)
    var count = 0
    if table == nil, condition == nil {
      count = try repository.commit(found.commit).rowCount
    } else {
      count = try repository.reading { (reader) throws(DSVError) in
        let table = try repository.table(table, of: found.commit)
        let filter = try RowFilter(table, where: try table.condition(condition), reader: reader)
        if explain { try Explanation.tell(filter) }
        return try filter.count()
      }
    }
    Terminal.print(global.json ? JSON.object([("rows", .int(count))]).text : String(count))
  }
}

/// A file that appears under its name only when it is complete.
enum OutputFile {
  static func write<Value>(
    _ path: String, _ body: ((UnsafeRawBufferPointer) throws(DSVError) -> Void) throws(DSVError) -> Value
  ) throws(DSVError) -> Value {
    // A device or a pipe is written to as it is.
    if let status = try FileSystem.status(path), !status.isRegular {
      if status.isFolder { throw DSVError(.badInput, "\(path): it is a folder; name a file") }
      let file = try File(path, .update)
      return try body { (bytes) throws(DSVError) in try file.writeNext(bytes) }
    }
    let folder = FileSystem.parent(of: path)
    guard try FileSystem.status(folder)?.isFolder == true else {
      throw DSVError(.notFound, "\(path): there is no folder \(folder)")
    }
    let temporary = FileSystem.temporaryName(beside: path)
    do throws(DSVError) {
      let file = try File(temporary, .create)
      let value = try body { (bytes) throws(DSVError) in try file.writeNext(bytes) }
      try file.sync()
      try FileSystem.rename(temporary, to: path)
      return value
    } catch {
      if try FileSystem.exists(temporary) { try FileSystem.remove(temporary) }
      throw error
    }
  }
}
