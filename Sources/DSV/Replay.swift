import DSVColumns
import DSVFormat
import DSVInterchange
import DSVRecords
import DSVStore
import DSVSystem
import DSVTables
import DSVTransforms
import DSVVersions

/// Makes commits again on another version: rows that were appended or upserted are so again, transforms run again.
///
/// Everything goes to one session, and is visible when that publishes. What cannot be made again throws `.conflict`.
struct Replay {
  private let repository: Repository
  private let session: WriteSession
  private let progress: ProgressHandler
  /// The last commit made, and what it holds.
  private(set) var tip: CommitID
  private var now: Snapshot
  private(set) var made: [CommitID] = []
  /// Those that change nothing any more: the other side has done the same.
  private(set) var skipped: [CommitID] = []
  /// Rows that the other side had changed, and that upserts have replaced.
  private(set) var replacedRowCount = 0
  private let fork: CommitID?
  private let theirs: CommitID
  /// Of each table, hashes of the keys of rows that the other side has added or changed. Memory: some 20 bytes a row.
  private var theirKeys: [String: Set<Int>] = [:]

  /// - Parameter fork: the last commit that led to both sides.
  init(
    _ repository: Repository, _ session: WriteSession, onto tip: CommitID, at now: Snapshot, fork: CommitID?,
    _ progress: @escaping ProgressHandler
  ) {
    (self.repository, self.session, self.tip, self.now) = (repository, session, tip, now)
    (self.fork, theirs, self.progress) = (fork, tip, progress)
  }

  /// Makes a commit again; one that changes nothing here is left out, and counted among `skipped`.
  mutating func make(_ id: CommitID) throws(DSVError) {
    let commit = try repository.commit(id)
    var lineage: Lineage?
    let next: Snapshot
    if let old = commit.lineage {
      (next, lineage) = try transformed(id, commit, old)
    } else {
      next = try changed(id, commit)
    }
    let snapshot = EncodedSnapshot(next, session.naming)
    guard next != now || lineage != nil else { return skipped.append(id) }
    try session.put(snapshot)
    let new = Commit(
      root: snapshot.id, parents: [tip], rowCount: next.liveCount, time: commit.time, author: commit.author,
      message: commit.message, lineage: lineage)
    tip = try session.put(new)
    now = next
    made.append(tip)
  }

  private func refusal(_ id: CommitID, _ why: String, cause: DSVError? = nil) throws(DSVError) -> DSVError {
    DSVError(
      .conflict,
      "\(try repository.versionName(id)) cannot be made again on the remote's versions: \(why); nothing was moved. 'dsv pull --help' says how to "
        + "keep yours under another name and go on from theirs",
      cause: cause)
  }

  private func parent(of commit: Commit) throws(DSVError) -> Snapshot {
    guard let parent = commit.parents.first else { return .empty }
    return try repository.snapshot(parent)
  }

  /// The tables of a commit that are not as they were in its parent.
  private func changedTables(_ commit: Commit) throws(DSVError) -> [(name: String, old: Table?, new: Table?)]
  {
    let (before, after) = (try parent(of: commit), try repository.versions.snapshot(commit.root))
    return Set((before.tables + after.tables).map { FieldName($0.name) }).map(\.text).sorted().compactMap {
      name in
      let (old, new) = (before.table(name), after.table(name))
      return old == new ? nil : (name, old, new)
    }
  }

  // MARK: - Transforms

  private func transformed(
    _ id: CommitID, _ commit: Commit, _ lineage: Lineage
  ) throws(DSVError) -> (Snapshot, Lineage) {
    let changed = try changedTables(commit)
    guard changed.count <= 1 else { throw try refusal(id, "it changed several tables") }
    do throws(DSVError) {
      let recipe = try Self.recipe(lineage)
      let name = changed.first?.name ?? recipe.table ?? Table.defaultName
      guard var table = now.table(name) else {
        throw DSVError(.conflict, "table '\(name)' is not there any more")
      }
      let (_, records) = try repository.run(recipe, on: &table, session, progress)
      return (now.replacing(table), Lineage(input: tip, stages: records, recipe: lineage.recipe))
    } catch {
      guard error.code == .badInput || error.code == .conflict else { throw error }
      throw try refusal(id, error.message, cause: error)
    }
  }

  /// What a transform ran: its recipe, or the stages that its commit names.
  private static func recipe(_ lineage: Lineage) throws(DSVError) -> Recipe {
    if !lineage.recipe.isEmpty { return try Recipe(parsing: lineage.recipe, source: "the version's recipe") }
    // JSON is YAML.
    let stages = lineage.stages.map { "  - {\(JSONText.quoted($0.name)): \($0.parameters)}\n" }.joined()
    let parsed = try Recipe(parsing: "stages:\n\(stages)", source: "the version's stages")
    return Recipe(steps: parsed.steps)
  }

  // MARK: - Rows

  private mutating func changed(_ id: CommitID, _ commit: Commit) throws(DSVError) -> Snapshot {
    var result = now
    for (name, old, new) in try changedTables(commit) {
      guard let new else { throw try refusal(id, "it took table '\(name)' away") }
      guard let target = now.table(name) else {
        guard old == nil else { throw try refusal(id, "table '\(name)' is not there any more") }
        result = result.replacing(new)
        continue
      }
      if target == new { continue }
      if target == old {
        result = result.replacing(new)
        continue
      }
      guard let old else { throw try refusal(id, "the remote has a table '\(name)' by now") }
      result = result.replacing(try added(id, commit, old, new, to: target))
    }
    return result
  }

  /// `target` with the rows that `new` has more than `old`, or other than it.
  private mutating func added(
    _ id: CommitID, _ commit: Commit, _ old: Table, _ new: Table, to target: Table
  ) throws(DSVError) -> Table {
    guard old.key == new.key, target.key == old.key else {
      throw try refusal(id, "a table's key was changed")
    }
    let theirKeys = try theirKeys(of: old)
    var (positions, replacedCount): ([Int], Int) = ([], 0)
    var (isAppend, isReplayable) = (true, true)
    let result = try repository.diff(
      commit.parents.first, id, table: new.name,
      visit: { (row) throws(DSVError) in
        if row.kind != .added { isAppend = false }
        guard row.kind != .removed, let position = row.newPosition, position >= old.rowCount else {
          isReplayable = false
          return
        }
        positions.append(position)
        if !theirKeys.isEmpty, theirKeys.contains(try row.key().hashValue) { replacedCount += 1 }
      }, progress: progress)
    let isSchemaKept = old.fields.allSatisfy { field in
      new.field(field.name).map { $0.field == field.field } ?? false
    }
    guard isReplayable, isSchemaKept, result.total.moved == 0 else {
      throw try refusal(
        id, "in table '\(new.name)' it does something else than to append or upsert rows")
    }
    guard !positions.isEmpty else { throw try refusal(id, "it changes how table '\(new.name)' is stored") }
    var options = CommitOptions()
    options.table = new.name
    options.mode = isAppend ? .append : .upsert
    let sink = ColumnSink(session, pool: repository.pool)
    let reader = ObjectReader(session, cache: repository.reader.cache, pool: repository.pool)
    let loader = TableLoader(
      options: options, old: target, oldQuarantine: nil, sink: sink, reader: reader,
      keys: repository.store.keyFolder,
      keyLimits: repository.keyLimits)
    let rows = try spool(new, positions.sorted())
    do throws(DSVError) {
      let file = InputFile(rows, name: "its rows", format: .jsonl)
      let table = try loader.load([file], progress).table
      for field in new.fields where table.field(field.name)?.field.type != field.field.type {
        throw DSVError(.conflict, "column '\(field.name)' of table '\(new.name)' would have another type")
      }
      replacedRowCount += isAppend ? 0 : replacedCount
      return table
    } catch {
      guard error.code == .badInput || error.code == .conflict else { throw error }
      // What helps who commits anew does not help here.
      guard isAppend, replacedCount > 0 else { throw try refusal(id, error.message, cause: error) }
      throw try refusal(
        id,
        "\(replacedCount) of the rows that it appends to table '\(new.name)' have a key (\(new.key.joined(separator: ", "))) that the "
          + "remote's versions have added too")
    }
  }

  /// Finds the rows that the other side has added or changed since the fork, in time by how many these are.
  private mutating func theirKeys(of table: Table) throws(DSVError) -> Set<Int> {
    if table.key.isEmpty { return [] }
    if let known = theirKeys[table.name] { return known }
    var keys: Set<Int> = []
    _ = try repository.diff(
      fork, theirs, table: table.name,
      visit: { (row) throws(DSVError) in
        if row.kind != .removed { keys.insert(try row.key().hashValue) }
      }, progress: progress)
    theirKeys[table.name] = keys
    return keys
  }

  /// Rows of a table, one JSON object a line, in a file of their own.
  private func spool(_ table: Table, _ positions: [Int]) throws(DSVError) -> Spool {
    let spool = try repository.store.spool()
    let lookup = repository.rows(of: table)
    var text: [UInt8] = []
    for position in positions {
      text += Array(try lookup.json(position).utf8)
      text.append(UInt8(ascii: "\n"))
      guard text.count >= 1 << 20 else { continue }
      try spool.append(text)
      text = []
    }
    try spool.append(text)
    return spool
  }
}
