import DSVColumns
package import DSVFormat
import DSVStore
import DSVTables
package import DSVTransforms
import DSVVersions

/// What a transform came to.
public struct TransformResult: Sendable {
  public let commit: CommitResult
  public let rowsIn: Int
  public let rowsOut: Int
  /// Rows that were dropped, by rule.
  public let dropped: [String: Int]
}

extension Repository {
  /// Runs a recipe over a table of a version and commits what comes out.
  ///
  /// - Parameters:
  ///   - revision: what to run on.
  ///   - branch: where the result goes; `nil` for the branch that `revision` is the tip of.
  package func transform(
    _ revision: Revision, _ recipe: Recipe, table name: String? = nil, branch: String? = nil,
    _ message: CommitMessage, progress: @escaping ProgressHandler = { _ in }
  ) throws(DSVError) -> TransformResult {
    let session = try store.session()
    let target = try transformTarget(revision, branch)
    var table = try table(name ?? recipe.table, of: revision.commit)
    let rowsIn = table.liveCount
    let (dropped, records) = try run(recipe, on: &table, session, progress)
    let lineage = Lineage(input: revision.commit, stages: records, recipe: recipe.text)
    let input = try snapshot(revision.commit)
    let result = try publish(
      session, to: target, base: .some(revision.commit), message, lineage: lineage
    ) { (_) throws(DSVError) in input.replacing(table) }
    return TransformResult(commit: result, rowsIn: rowsIn, rowsOut: table.liveCount, dropped: dropped)
  }

  /// Runs a recipe's stages over a table, which becomes what comes out.
  func run(
    _ recipe: Recipe, on table: inout Table, _ session: WriteSession, _ progress: @escaping ProgressHandler
  ) throws(DSVError) -> (dropped: [String: Int], records: [StageRecord]) {
    let runner = StageRunner(
      sink: ColumnSink(session, pool: pool), reader: ObjectReader(session, cache: reader.cache, pool: pool))
    var dropped: [String: Int] = [:]
    var records: [StageRecord] = []
    for step in recipe.steps {
      let stage = try step.stage(fields: table.schema)
      let result = try runner.run(stage, on: table) { (done, total) throws(DSVError) in
        try progress(Progress(phase: stage.name, done: done, total: total, unit: .rows))
      }
      table = result.table
      dropped.merge(result.dropped) { $0 + $1 }
      records.append(
        StageRecord(
          name: stage.name, revision: stage.revision, parameters: Parameter.table(stage.parameters).json))
    }
    return (dropped, records)
  }

  func transformTarget(_ revision: Revision, _ branch: String?) throws(DSVError) -> Target {
    if let branch {
      try RefName.check(branch)
      let tip = try commitID(RefName.branch(branch))
      guard tip == nil || tip == revision.commit else {
        throw DSVError(.conflict, "branch '\(branch)' is elsewhere already; name another with --branch")
      }
      return .branch(branch, expected: revision.commit)
    }
    let head = try head()
    if head.commit == revision.commit, revision.branch == nil || revision.branch == head.branch {
      return .head
    }
    if let branch = revision.branch { return .branch(branch, expected: revision.commit) }
    throw DSVError(
      .badInput,
      "\(try versionName(revision.commit)) is no branch's tip; say with --branch NAME where the result is to go"
    )
  }
}
