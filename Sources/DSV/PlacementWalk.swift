import DSVColumns
import DSVFormat
import DSVStore

/// Walks from columns to the chunks and nodes on this disk that they need: first those of columns that are to stay here, from
/// the newest version to the oldest, then those of columns that need not.
///
/// Reads nodes, and of chunks only those that refer to blobs. Fetches nothing. Memory: some 60 bytes an object.
struct PlacementWalk {
  /// What is to stay, and the age of the newest version that needs it: 0 for the newest of all.
  private(set) var kept: [AnyID: Int] = [:]
  /// What no column needs that is to stay here.
  private(set) var given: [AnyID: Int] = [:]
  /// Whether a node was not here, so that what it leads to is not known: of columns that stay, of the others.
  private(set) var hasSkippedKept = false
  private(set) var hasSkippedGiven = false
  /// The remote that what is given up must lie in, where one is named.
  private(set) var targets: [AnyID: String] = [:]
  private let reader: ObjectReader

  /// - Parameter reader: of what is here.
  init(_ reader: ObjectReader) { self.reader = reader }

  mutating func keep(_ column: ColumnRoot, age: Int) throws(DSVError) {
    try add(column, Visit(age: age, keeps: true, target: nil))
  }

  mutating func give(_ column: ColumnRoot, age: Int, to target: String?) throws(DSVError) {
    try add(column, Visit(age: age, keeps: false, target: target))
  }

  private struct Visit {
    let age: Int
    let keeps: Bool
    let target: String?
  }

  /// Whether an object is here and was not met before.
  private mutating func insert(_ id: AnyID, _ visit: Visit) throws(DSVError) -> Bool {
    if kept[id] != nil || given[id] != nil { return false }
    guard try reader.store.contains(id) else {
      if visit.keeps { hasSkippedKept = true } else { hasSkippedGiven = true }
      return false
    }
    if visit.keeps { kept[id] = visit.age } else { given[id] = visit.age }
    if let target = visit.target { targets[id] = target }
    return true
  }

  private mutating func add(_ column: ColumnRoot, _ visit: Visit) throws(DSVError) {
    switch column.place {
    case .empty: return
    case .inline:
      if let chunk = try reader.inlineChunk(column) { try addBlobs(chunk, visit) }
    case .object(let id, let level): try add(id, level: level, hasBlobs: true, visit)
    }
  }

  private mutating func add(
    _ id: ColumnID, level: Int, hasBlobs: Bool, _ visit: Visit
  ) throws(DSVError) {
    guard try insert(AnyID(id), visit) else { return }
    if level > 0 {
      for child in try reader.node(id, level: level).children {
        try add(child.id, level: level - 1, hasBlobs: child.hasBlobs, visit)
      }
    } else if hasBlobs {
      try addBlobs(try reader.chunk(id), visit)
    }
  }

  private mutating func addBlobs(_ chunk: Chunk, _ visit: Visit) throws(DSVError) {
    guard chunk.array.blobs != nil else { return }
    for index in 0..<chunk.count where chunk.array.isBlob(index) {
      let blob = try BlobReference(chunk.array.bytes(index)).root
      guard try reader.store.contains(AnyID(blob)) else {
        _ = try insert(AnyID(blob), visit)
        continue
      }
      let stored = try reader.store.read(AnyID(blob))
      let level = stored.kind == .node ? try reader.decodedNode(blob, stored).level : 0
      try add(blob, level: level, hasBlobs: false, visit)
    }
  }
}
