import DSVColumns
package import DSVFormat
import DSVStore
import DSVTables

/// What a place lacks of some commits and all that they need: what a push carries.
///
/// Where the place holds an object, it holds what that leads to as well, so nothing below it is looked at. Reads commits,
/// snapshots and nodes that are missing, and of chunks only those that refer to blobs. Memory: some 50 bytes a missing object.
package struct MissingObjects {
  /// The parents before their children.
  package private(set) var commits: [CommitID] = []
  package private(set) var snapshots: [AnyID] = []
  package private(set) var nodes: [AnyID] = []
  package private(set) var chunks: [AnyID] = []

  private var seen: Set<AnyID> = []
  private let versions: VersionReader
  private let isHeld: (AnyID) throws(DSVError) -> Bool

  /// - Parameter isHeld: whether the place holds an object.
  package init(_ versions: VersionReader, isHeld: @escaping (AnyID) throws(DSVError) -> Bool) {
    (self.versions, self.isHeld) = (versions, isHeld)
  }

  package var isEmpty: Bool { commits.isEmpty }
  package var count: Int { commits.count + snapshots.count + nodes.count + chunks.count }
  package func contains(_ id: AnyID) -> Bool { seen.contains(id) }

  /// In the order in which they lie in packs: what a reader wants first lies together.
  package var all: [AnyID] { commits.map { AnyID($0) } + snapshots + nodes + chunks }

  /// Whether the object is missing and was not met before.
  private mutating func insert(_ id: AnyID) throws(DSVError) -> Bool {
    if seen.contains(id) { return false }
    if try isHeld(id) { return false }
    seen.insert(id)
    return true
  }

  /// Adds a commit, and all that led to it.
  package mutating func add(_ tip: CommitID) throws(DSVError) {
    enum Visit {
      case enter(CommitID)
      case leave(CommitID, SnapshotID)
    }
    var waiting: [Visit] = [.enter(tip)]
    while let visit = waiting.popLast() {
      switch visit {
      case .enter(let id):
        guard try insert(AnyID(id)) else { continue }
        let commit = try versions.commit(id)
        waiting.append(.leave(id, commit.root))
        waiting += commit.parents.reversed().map { .enter($0) }
      case .leave(let id, let root):
        try add(root)
        commits.append(id)
      }
    }
  }

  private mutating func add(_ snapshot: SnapshotID) throws(DSVError) {
    guard try insert(AnyID(snapshot)) else { return }
    snapshots.append(AnyID(snapshot))
    for table in try versions.snapshot(snapshot).tables {
      for column in table.columns { try add(column) }
    }
  }

  private mutating func add(_ column: ColumnRoot) throws(DSVError) {
    switch column.place {
    case .empty: return
    case .inline: if let chunk = try versions.objects.inlineChunk(column) { try addBlobs(chunk) }
    // Of a root that is a chunk nothing says whether it refers to blobs.
    case .object(let id, let level): try add(id, level: level, hasBlobs: true)
    }
  }

  private mutating func add(_ id: ColumnID, level: Int, hasBlobs: Bool) throws(DSVError) {
    guard try insert(AnyID(id)) else { return }
    if level > 0 {
      nodes.append(AnyID(id))
      for child in try versions.objects.node(id, level: level).children {
        try add(child.id, level: level - 1, hasBlobs: child.hasBlobs)
      }
    } else {
      chunks.append(AnyID(id))
      if hasBlobs { try addBlobs(try versions.objects.chunk(id)) }
    }
  }

  private mutating func addBlobs(_ chunk: Chunk) throws(DSVError) {
    guard chunk.array.blobs != nil else { return }
    for index in 0..<chunk.count where chunk.array.isBlob(index) {
      let blob = try BlobReference(chunk.array.bytes(index)).root
      if seen.contains(AnyID(blob)) { continue }
      if try isHeld(AnyID(blob)) { continue }
      let stored = try versions.objects.store.read(AnyID(blob))
      let level = stored.kind == .node ? try versions.objects.decodedNode(blob, stored).level : 0
      try add(blob, level: level, hasBlobs: false)
    }
  }
}
