import DSVFormat
import DSVStore

/// The runs in `keys/` that belong to a table's first rows, each beginning where the one before it ends.
struct KeyChain {
  let folder: KeyFolder
  let prefix: KeyPrefix
  let family: UInt64

  /// The runs that reach furthest; none if there are none, or they cannot be read.
  func find(upTo rowCount: Int) throws(DSVError) -> [KeyRun] {
    let runs: [KeyRun]
    do throws(DSVError) { runs = try folder.runs(family) } catch { return [] }
    let last = runs.filter { $0.header.endRow <= rowCount }.sorted { $0.header.endRow > $1.header.endRow }
    var names: [Int: AnyID] = [:]
    for run in last {
      let endRow = run.header.endRow
      if names[endRow] == nil { names[endRow] = try prefix.name(ofRows: endRow) }
      if names[endRow] == run.header.end, let chain = Self.chain(to: run, in: runs) { return chain }
    }
    return []
  }

  /// What an end is called follows from all rows before it, so links that have one name join the same rows.
  private static func chain(to last: KeyRun, in runs: [KeyRun]) -> [KeyRun]? {
    var chain = [last]
    while let first = chain.first, first.header.firstRow > 0 {
      guard
        let before = runs.first(where: {
          $0.header.endRow == first.header.firstRow && $0.header.end == first.header.start
        })
      else { return nil }
      chain.insert(before, at: 0)
    }
    return chain.first?.header.start == KeyPrefix.none ? chain : nil
  }
}
