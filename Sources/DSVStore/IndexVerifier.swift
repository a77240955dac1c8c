import DSVFormat
import DSVSystem

/// Walks every page of an index file before LMDB may touch it.
///
/// LMDB has no checksums and follows what a page says: a flipped bit can crash the process. So a file that may
/// have been changed by somebody else is read here with plain reads, in this process (a library has no
/// program of its own to start as a child), and every number that LMDB would follow is checked first.
/// What is not checked is what LMDB never reads: free space in pages, and pages on the free list.
struct IndexVerifier {
  /// Pages that a transaction takes from the end of the file and gives back are never written. More of them than
  /// this are not believed.
  private static let unwrittenPageCountMax = 1 << 16

  private let file: File
  private var pageByteCount = 4096
  private var lastPage: UInt64 = 0
  /// One bit a page: whether it has been met.
  private var met: [UInt64] = []

  /// The newest state in the file, all of whose pages are sound.
  struct Verified: Equatable {
    let transactionID: UInt64
  }

  /// - Throws: `.corrupt` with what is wrong with the file.
  static func verify(_ path: String) throws(DSVError) -> Verified {
    var verifier = IndexVerifier(file: try File(path, .read))
    return try verifier.verify()
  }

  private init(file: File) { self.file = file }

  private mutating func verify() throws(DSVError) -> Verified {
    let meta = try newestMeta()
    lastPage = meta.lastPage
    met = [UInt64](repeating: 0, count: Int(lastPage / 64) + 1)
    try meet(0)
    try meet(1)
    var freePages: [UInt64] = []
    try walk(meta.free, isIntegerKey: true) { (key, data) throws(DSVError) in
      freePages += try Self.freeList(key, data, newest: meta.transactionID)
    }
    var tables: [(Index.Table, TableRecord)] = []
    try walk(meta.main, tables: &tables)
    for (table, record) in tables {
      try walk(record, isIntegerKey: false) { (key, data) throws(DSVError) in
        _ = try SealedValue.open(table, Array(key), Array(data))
      }
    }
    for page in freePages { try meet(page) }
    return Verified(transactionID: meta.transactionID)
  }

  /// Marks a page as used, which may happen once.
  private mutating func meet(_ page: UInt64) throws(DSVError) {
    guard page <= lastPage else { throw IndexPage.damaged(page, "it lies behind the last page") }
    let bit: UInt64 = 1 << (page % 64)
    guard met[Int(page / 64)] & bit == 0 else { throw IndexPage.damaged(page, "it is used twice") }
    met[Int(page / 64)] |= bit
  }

  private func page(_ number: UInt64) throws(DSVError) -> IndexPage {
    try IndexPage(try file.read(pageByteCount, at: Int(number) * pageByteCount), number: number)
  }
}

// MARK: - Meta pages

extension IndexVerifier {
  /// LMDB's record of one table.
  struct TableRecord {
    static let byteCount = 48
    let flags, depth: UInt64
    let branchPageCount, leafPageCount, overflowPageCount, entryCount, root: UInt64
    static let noRoot = UInt64.max

    init(_ bytes: ArraySlice<UInt8>) {
      flags = bytes.number(4, 2)
      depth = bytes.number(6, 2)
      branchPageCount = bytes.number(8, 8)
      leafPageCount = bytes.number(16, 8)
      overflowPageCount = bytes.number(24, 8)
      entryCount = bytes.number(32, 8)
      root = bytes.number(40, 8)
    }
  }

  private struct Meta {
    let pageByteCount: UInt64
    let flags: UInt64
    let mapByteCount: UInt64
    let free, main: TableRecord
    let lastPage, transactionID: UInt64
  }

  /// Both meta pages must be sound, for LMDB reads both, and they must stem from consecutive transactions.
  private mutating func newestMeta() throws(DSVError) -> Meta {
    let first = try meta(0)
    pageByteCount = Int(first.pageByteCount)
    let second = try meta(1)
    let newest = first.transactionID > second.transactionID ? first : second
    let oldest = first.transactionID > second.transactionID ? second : first
    let isNew = first.transactionID == 0 && second.transactionID == 0
    guard first.pageByteCount == second.pageByteCount,
      isNew || newest.transactionID - oldest.transactionID == 1,
      isNew || newest.transactionID & 1 == (first.transactionID > second.transactionID ? 0 : 1)
    else { throw DSVError(.corrupt, "index: its two meta pages do not fit together") }
    return newest
  }

  private func meta(_ number: UInt64) throws(DSVError) -> Meta {
    let page = try file.read(4096, at: Int(number) * pageByteCount)
    func damaged(_ what: String) -> DSVError { IndexPage.damaged(number, what) }
    guard try IndexPage(page, number: number).kind == .meta else { throw damaged("it is no meta page") }
    guard page.number(16, 4) == 0xBEEF_C0DE, page.number(20, 4) == 1 else {
      throw damaged("it is not of LMDB's data version 1")
    }
    let meta = Meta(
      pageByteCount: page.number(40, 4), flags: page.number(44, 2), mapByteCount: page.number(32, 8),
      free: TableRecord(page[40..<88]), main: TableRecord(page[88..<136]),
      lastPage: page.number(136, 8), transactionID: page.number(144, 8))
    let fileByteCount = try file.byteCount()
    // 8: the free list's keys are integers. Nothing else was ever asked for.
    guard meta.pageByteCount == 4096, meta.flags & ~8 == 0, meta.main.flags == 0,
      meta.lastPage >= 1, meta.lastPage < UInt64(fileByteCount / 4096 + Self.unwrittenPageCountMax),
      meta.mapByteCount < 1 << 46, meta.transactionID < 1 << 62
    else { throw damaged("a field is out of bounds") }
    return meta
  }

  /// Reads one entry of the free list: pages that the transaction `key` gave free, in descending order.
  private static func freeList(
    _ key: ArraySlice<UInt8>, _ data: ArraySlice<UInt8>, newest: UInt64
  ) throws(DSVError) -> [UInt64] {
    func damaged(_ what: String) -> DSVError { DSVError(.corrupt, "index: the free list: \(what)") }
    guard key.count == 8, key.number(0, 8) <= newest, data.count >= 8 else {
      throw damaged("an entry is wrong")
    }
    let count = data.number(0, 8)
    guard count <= (data.count - 8) / 8 else { throw damaged("an entry is too short") }
    let pages = (0..<Int(count)).map { data.number(8 + 8 * $0, 8) }
    for (page, next) in zip(pages, pages.dropFirst()) where page <= next {
      throw damaged("it is not in order")
    }
    return pages
  }
}

// MARK: - Trees

extension IndexVerifier {
  /// What a walk counts, to be compared with the table's record, and the last key that it met.
  private struct Tally {
    var branchPages: UInt64 = 0
    var leafPages: UInt64 = 0
    var overflowPages: UInt64 = 0
    var entries: UInt64 = 0
    var lastKey: ArraySlice<UInt8>?
  }

  /// Walks the main tree, which holds nothing but the records of our tables.
  private mutating func walk(
    _ main: TableRecord, tables: inout [(Index.Table, TableRecord)]
  ) throws(DSVError) {
    var found: [(Index.Table, TableRecord)] = []
    try walk(main, isIntegerKey: false, holdsTables: true) { (key, data) throws(DSVError) in
      let table = Index.Table.allCases.first { Array($0.name.utf8) == Array(key) }
      guard let table, data.count == TableRecord.byteCount else {
        throw DSVError(.corrupt, "index: there is a table that is not ours")
      }
      let record = TableRecord(data)
      guard record.flags == 0 else { throw DSVError(.corrupt, "index: table \(table) has unknown flags") }
      found.append((table, record))
    }
    guard found.count == Index.Table.allCases.count else {
      throw DSVError(.corrupt, "index: a table is missing")
    }
    tables = found
  }

  private mutating func walk(
    _ table: TableRecord, isIntegerKey: Bool, holdsTables: Bool = false,
    _ visit: (ArraySlice<UInt8>, ArraySlice<UInt8>) throws(DSVError) -> Void
  ) throws(DSVError) {
    var tally = Tally()
    if table.root == TableRecord.noRoot {
      guard table.depth == 0 else { throw DSVError(.corrupt, "index: an empty table has a depth") }
    } else {
      guard 1...32 ~= table.depth else { throw DSVError(.corrupt, "index: a table is too deep") }
      let walk = Walk(isIntegerKey: isIntegerKey, holdsTables: holdsTables)
      try descend(walk, to: table.root, height: table.depth, from: nil, below: nil, &tally, visit)
    }
    guard tally.branchPages == table.branchPageCount, tally.leafPages == table.leafPageCount,
      tally.overflowPages == table.overflowPageCount, tally.entries == table.entryCount
    else { throw DSVError(.corrupt, "index: a table's counts are wrong") }
  }

  private struct Walk {
    let isIntegerKey: Bool
    let holdsTables: Bool

    func isAscending(_ a: ArraySlice<UInt8>, _ b: ArraySlice<UInt8>) -> Bool {
      if isIntegerKey, a.count == 8, b.count == 8 { return a.number(0, 8) < b.number(0, 8) }
      return a.lexicographicallyPrecedes(b)
    }
  }

  /// - Parameters:
  ///   - height: levels from `number` down to the leaves, itself counted.
  ///   - lower, upper: what the branch above says of the keys below: none is less than `lower`, all are
  ///     less than `upper`.
  private mutating func descend(
    _ walk: Walk, to number: UInt64, height: UInt64, from lower: ArraySlice<UInt8>?,
    below upper: ArraySlice<UInt8>?, _ tally: inout Tally,
    _ visit: (ArraySlice<UInt8>, ArraySlice<UInt8>) throws(DSVError) -> Void
  ) throws(DSVError) {
    try meet(number)
    let page = try page(number)
    let nodes = try page.nodes()
    guard page.kind == (height == 1 ? .leaf : .branch), nodes.count >= (height == 1 ? 1 : 2) else {
      throw IndexPage.damaged(number, "it is of another kind than its place in the tree")
    }
    if height > 1 {
      tally.branchPages += 1
      for (slot, node) in nodes.enumerated() {
        // The first key of a branch is not used: what is less than the second goes there.
        let start = slot == 0 ? lower : node.key
        let end = slot + 1 < nodes.count ? nodes[slot + 1].key : upper
        if let start, let end, !walk.isAscending(start, end) {
          throw IndexPage.damaged(number, "its keys are not in order")
        }
        try descend(walk, to: node.child, height: height - 1, from: start, below: end, &tally, visit)
      }
      return
    }
    tally.leafPages += 1
    for node in nodes {
      let isFirst = tally.lastKey.map { !walk.isAscending($0, node.key) } ?? false
      let isBelow = lower.map { walk.isAscending(node.key, $0) } ?? false
      let isAbove = upper.map { !walk.isAscending(node.key, $0) } ?? false
      guard !isFirst, !isBelow, !isAbove, !node.key.isEmpty, node.key.count <= 511,
        node.isTable == walk.holdsTables
      else { throw IndexPage.damaged(number, "its keys are not in order, or a node is of the wrong kind") }
      tally.lastKey = node.key
      tally.entries += 1
      try visit(node.key, node.isBig ? try overflow(of: node, &tally) : node.data)
    }
  }

  /// The data of a node that lie in an overflow run.
  private mutating func overflow(
    of node: IndexPage.Node, _ tally: inout Tally
  ) throws(DSVError) -> ArraySlice<UInt8> {
    let first = node.data.number(0, 8)
    let count = UInt64((IndexPage.headerByteCount - 1 + node.dataByteCount) / pageByteCount + 1)
    guard first <= lastPage, count <= lastPage - first + 1 else {
      throw IndexPage.damaged(first, "an overflow run lies behind the last page")
    }
    for page in first..<first + count { try meet(page) }
    let page = try page(first)
    guard page.kind == .overflow, page.overflowPageCount == count else {
      throw IndexPage.damaged(first, "it is not the overflow run that it should be")
    }
    tally.overflowPages += count
    let start = Int(first) * pageByteCount + IndexPage.headerByteCount
    return try file.read(node.dataByteCount, at: start)[...]
  }
}
