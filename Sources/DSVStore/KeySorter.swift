package import DSVFormat
import DSVSystem

/// Puts any number of keys in order. Holds one batch; what is more lies in temporary files.
package struct KeySorter {
  /// So many runs of a size are merged into one.
  private static let runCountMax = 8

  private let makeFile: () throws(DSVError) -> TemporaryFile
  /// The last batch, which needs no file if it is the only one.
  private var last: KeyBatch?
  private var runs: [(tier: Int, run: KeyRun, owner: TemporaryFile)] = []

  package init(makeFile: @escaping () throws(DSVError) -> TemporaryFile) { self.makeFile = makeFile }

  /// Takes a batch that is in order.
  package mutating func add(_ batch: KeyBatch) throws(DSVError) {
    if let last { try spill(last) }
    last = batch
  }

  private mutating func spill(_ batch: KeyBatch) throws(DSVError) {
    guard !batch.entries.isEmpty else { return }
    let first = batch.entries.reduce(Int.max) { min($0, $1.row) }
    try append(tier: 0, first, batch.entries.count) { (body) throws(DSVError) in
      for entry in batch.entries { try body(entry) }
    }
    while let tier = runs.last?.tier,
      runs.suffix(Self.runCountMax).count(where: { $0.tier == tier }) == Self.runCountMax
    {
      let merged = runs.suffix(Self.runCountMax).map(\.run)
      let first = merged.reduce(Int.max) { min($0, $1.header.firstRow) }
      let owners = runs.suffix(Self.runCountMax)
      runs.removeLast(Self.runCountMax)
      try append(tier: tier + 1, first, merged.reduce(0) { $0 + $1.header.rowCount }) {
        (body) throws(DSVError) in
        try KeyMerge.forEach(merged, body)
      }
      withExtendedLifetime(owners) {}
    }
  }

  private mutating func append(
    tier: Int, _ firstRow: Int, _ count: Int,
    _ entries: ((KeyEntry) throws(DSVError) -> Void) throws(DSVError) -> Void
  ) throws(DSVError) {
    let owner = try makeFile()
    let none = AnyID(0, 0, 0, 0)
    let writer = KeyRunWriter(
      KeyRunHeader(family: 0, start: none, end: none, firstRow: firstRow, rowCount: count), to: owner.file)
    try entries { (entry) throws(DSVError) in try writer.append(entry) }
    try writer.finish()
    runs.append((tier, try KeyRun(owner.file), owner))
  }

  /// Calls `body` with every key that was added, and with those of `others`, in order. Called once, after the last batch.
  package mutating func forEachEntry(
    with others: [KeyRun] = [], _ body: (KeyEntry) throws(DSVError) -> Void
  ) throws(DSVError) {
    if runs.isEmpty, others.isEmpty {
      for entry in last?.entries ?? [] { try body(entry) }
      return
    }
    if let last { try spill(last) }
    last = nil
    try KeyMerge.forEach(others + runs.map(\.run), body)
  }
}

extension KeyMerge {
  static func forEach(
    _ runs: [KeyRun], _ body: (KeyEntry) throws(DSVError) -> Void
  ) throws(DSVError) {
    var merge = try KeyMerge(runs)
    while let entry = try merge.next() { try body(entry) }
  }
}
