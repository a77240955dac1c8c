import DSVFormat

/// Commits that gc has deleted, as the reflog remembers it.
///
/// Their records may lie in packs that stay, while what they lead to is gone. So an index that is made again leaves them
/// out; but for those that were written again since, which lie behind what was there when gc ran.
struct CollectedCommits: Equatable {
  /// So many go into one record, whose length is bounded.
  static let countMax = 1 << 18

  var commits: [CommitID]
  /// The highest number that a pack had had.
  let lastPack: UInt32
  /// The pack that publications appended to, and how much of it there was.
  let openPack: UInt32
  let openPackByteCount: Int

  init(_ commits: [CommitID], _ state: IndexState) {
    self.commits = commits
    (lastPack, openPack) = (state.lastPack, state.openPack)
    openPackByteCount = state.openPackByteCount
  }

  fileprivate init(_ commits: [CommitID], _ lastPack: UInt32, _ openPack: UInt32, _ openPackByteCount: Int) {
    (self.commits, self.lastPack) = (commits, lastPack)
    (self.openPack, self.openPackByteCount) = (openPack, openPackByteCount)
  }

  /// Whether a record that lies there was there when gc ran.
  func hasSeen(_ place: Place) -> Bool {
    place.pack <= lastPack && !(place.pack == openPack && place.offset >= openPackByteCount)
  }
}

extension ByteWriter {
  mutating func write(_ collected: CollectedCommits) {
    write(collected.lastPack)
    write(collected.openPack)
    write(UInt64(collected.openPackByteCount))
    writeVarint(collected.commits.count)
    for commit in collected.commits { write(commit) }
  }
}

extension ByteReader {
  mutating func readCollected() throws(DSVError) -> CollectedCommits {
    let lastPack = try read(UInt32.self)
    let openPack = try read(UInt32.self)
    let openPackByteCount = try read(UInt64.self)
    guard openPackByteCount < 1 << 40 else { throw corrupt("a pack's length is out of bounds") }
    var commits: [CommitID] = []
    for _ in 0..<(try readCount(unitByteCount: 32)) { commits.append(try readID()) }
    return CollectedCommits(commits, lastPack, openPack, Int(openPackByteCount))
  }
}
