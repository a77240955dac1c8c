import DSVColumns
public import DSVFormat
import DSVInterchange
package import DSVRecords
import DSVStore
import DSVSystem
import DSVTables
import DSVVersions

/// How files become a table's next content.
public struct CommitOptions: Sendable {
  public enum Mode: String, Sendable, CaseIterable {
    /// The table is the files' rows and nothing else.
    case replace
    /// The rows come after those that are there.
    case append
    /// As `append`, and rows with the same key are replaced.
    case upsert
  }
  public enum BadRows: String, Sendable, CaseIterable {
    /// The first row that cannot be taken ends it.
    case fail
    /// Such rows go to a table of their own, `NAME.quarantine`, as they are, with the reason.
    case quarantine
  }
  public var table = Table.defaultName
  public var mode = Mode.replace
  /// Dotted names of the columns that identify a row; empty keeps what the table has.
  public var key: [String] = []
  /// By default each file's ending tells.
  package var format: RecordFormat?
  /// The table's fields; `nil` infers them from all rows.
  public var schema: [Field]?
  public var badRows = BadRows.fail
  /// Whether rows that are appended may change a column's type to one that holds both.
  public var widens = false

  public init() {}
}

extension Repository {
  /// For how long an append that others came before is tried again, and at least ten times.
  private static let retryNanoseconds: UInt64 = 60_000_000_000

  /// Commits the rows of files, `-` for standard input, as one table's content.
  ///
  /// Nothing is visible before it is done. Memory: about 100 MB for any size of input, and one row's.
  public func commit(
    _ paths: [String], _ message: CommitMessage, _ options: CommitOptions = CommitOptions(),
    progress: @escaping ProgressHandler = { _ in }
  ) throws(DSVError) -> CommitResult {
    let makeSpool = { () throws(DSVError) in try self.store.spool() }
    let files = try paths.map { (path) throws(DSVError) in
      try InputFile(path, format: options.format, makeSpool: makeSpool)
    }
    if let first = files.first, files.contains(where: { $0.format != first.format }) {
      throw DSVError(
        .badInput, "the files are of different formats; commit them one after another with --append")
    }
    return try commit(files, message, options, progress)
  }

  /// Commits rows that are in memory, one JSON object a line, as one table's content: what ``commit(_:_:_:progress:)``
  /// does for a file that holds these bytes, without the file.
  ///
  /// With ``CommitOptions/Mode-swift.enum/append`` this is the quickest way to make a few rows durable. Messages call line
  /// 3 of them `rows:3`.
  public func commit(
    rows lines: [UInt8], _ message: CommitMessage, _ options: CommitOptions = CommitOptions()
  ) throws(DSVError) -> CommitResult {
    try commit([InputFile(lines, name: "rows", format: .jsonl)], message, options) { _ in }
  }

  private func commit(
    _ files: [InputFile], _ message: CommitMessage, _ options: CommitOptions,
    _ progress: @escaping ProgressHandler
  ) throws(DSVError) -> CommitResult {
    let deadline = Clock.monotonicNanoseconds() + Self.retryNanoseconds
    for attempt in 1... {
      do throws(DSVError) {
        return try commitOnce(files, message, options, progress)
      } catch {
        // Somebody else's commit came first: what is appended to is another table now.
        guard error.code == .conflict, options.mode != .replace,
          attempt < 10 || Clock.monotonicNanoseconds() < deadline
        else { throw error }
      }
    }
    throw DSVError(.busy, "others kept committing first")
  }

  private func commitOnce(
    _ files: [InputFile], _ message: CommitMessage, _ options: CommitOptions,
    _ progress: @escaping ProgressHandler
  ) throws(DSVError) -> CommitResult {
    let session = try store.session()
    let sink = ColumnSink(session, pool: pool)
    let objects = ObjectReader(session, cache: reader.cache, pool: pool)
    let tip = try head().commit
    let before = try tip.map { (id) throws(DSVError) in try snapshot(id) }
    let quarantine = Quarantine.name(of: options.table)
    let loader = TableLoader(
      options: options, old: before?.table(options.table), oldQuarantine: before?.table(quarantine),
      sink: sink, reader: objects, keys: store.keyFolder, keyLimits: keyLimits)
    let loaded = try loader.load(files, progress)
    var result = try publish(
      session, to: .head, base: options.mode == .replace ? nil : .some(tip), message
    ) { (snapshot) throws(DSVError) in
      // What others did to other tables meanwhile stays; what they did to this one nobody has meant to replace.
      guard snapshot.table(options.table) == before?.table(options.table) else {
        throw DSVError(
          .conflict,
          "another commit changed table '\(options.table)' while this one was made, and it was not replaced: look at it ('dsv log'), and run this "
            + "again if it is to be")
      }
      let new = snapshot.replacing(loaded.table)
      // Rows of a content that was replaced are no more to be looked after.
      if let gathered = loaded.quarantine { return new.replacing(gathered) }
      return new.table(quarantine).map(Quarantine.holds) == true ? new.removing(quarantine) : new
    }
    result.quarantinedCount = loaded.quarantinedCount
    return result
  }
}
