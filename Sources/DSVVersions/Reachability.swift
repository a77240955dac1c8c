import DSVColumns
package import DSVFormat
import DSVStore
import DSVTables

/// Everything that a set of commits needs: what gc keeps, what a push carries.
///
/// Reads commits, snapshots and nodes, and of chunks only those that refer to blobs. Memory: some 50 bytes an object.
package struct Reachability {
  /// Those that the commits lead to.
  private var objects: Set<AnyID> = []
  /// Those that others build on. What they lead to in turn is not needed for that, so these are not walked.
  private var bases: Set<AnyID> = []
  private let versions: VersionReader
  /// Called with each object that is needed and not there, or not to be read, with why; without it, that is thrown.
  private let onMissing: ((AnyID, DSVError) -> Void)?
  /// Whether an object that is not there is somewhere else.
  private let isElsewhere: (AnyID) throws(DSVError) -> Bool
  private let store: any ObjectStore
  /// Whether something was left out as it is somewhere else: what that leads to is not known.
  package private(set) var hasSkipped = false
  /// How many objects are nowhere that only commits need that may lack some.
  package private(set) var lackingCount = 0
  private var mayLack = false

  /// - Parameters:
  ///   - isElsewhere: asked for what is not there; what is somewhere else is left out with all below it, and is no loss.
  ///   - onMissing: makes the walk go on where something is missing.
  package init(
    _ versions: VersionReader,
    isElsewhere: @escaping (AnyID) throws(DSVError) -> Bool = { (_) throws(DSVError) in false },
    onMissing: ((AnyID, DSVError) -> Void)? = nil
  ) {
    self.versions = versions
    (self.isElsewhere, self.onMissing) = (isElsewhere, onMissing)
    store = versions.objects.store
  }

  /// Whether the commits that were added need the object.
  package func contains(_ id: AnyID) -> Bool { objects.contains(id) || bases.contains(id) }

  /// Whether the commits that were added lead to the object. What objects only build on may be there without all below it.
  package func leads(to id: AnyID) -> Bool { objects.contains(id) }

  /// Whether the object was not met before and is there. What it builds on is needed with it.
  private mutating func insert(_ id: AnyID) throws(DSVError) -> Bool {
    guard objects.insert(id).inserted else { return false }
    var isThere = false
    try attempt(id) { (walk) throws(DSVError) in
      // Asked of the store, for what is cached may be gone from it.
      guard var depth = try walk.store.baseDepth(of: id) else {
        let isElsewhere = try walk.isElsewhere(id)
        if isElsewhere || walk.mayLack {
          walk.hasSkipped = true
          if !isElsewhere { walk.lackingCount += 1 }
          return
        }
        throw DSVError(.notFound, "object \(id): it is not in this repository")
      }
      isThere = true
      var last = id
      while depth > 0, let base = try walk.store.baseID(of: last), walk.bases.insert(base).inserted {
        guard let baseDepth = try walk.store.baseDepth(of: base) else {
          throw DSVError(.corrupt, "object \(last): its base \(base) is not in this repository")
        }
        (last, depth) = (base, baseDepth)
      }
    }
    return isThere
  }

  /// Adds a commit, all that led to it, and all that they hold.
  ///
  /// - Parameter mayLack: whether what of it is nowhere is no loss, and left out with all below it. What other commits need that may not lack
  ///   anything is to be added before.
  package mutating func add(_ commit: CommitID, mayLack: Bool = false) throws(DSVError) {
    self.mayLack = mayLack
    defer { self.mayLack = false }
    var waiting = [commit]
    while let id = waiting.popLast() {
      guard try insert(AnyID(id)) else { continue }
      try attempt(AnyID(id)) { (walk) throws(DSVError) in
        let commit = try walk.versions.commit(id)
        waiting += commit.parents
        try walk.add(commit.root)
      }
    }
  }

  /// Adds what a snapshot leads to, as ``add(_:mayLack:)``.
  package mutating func add(_ snapshot: SnapshotID, mayLack: Bool) throws(DSVError) {
    self.mayLack = mayLack
    defer { self.mayLack = false }
    try add(snapshot)
  }

  private mutating func add(_ snapshot: SnapshotID) throws(DSVError) {
    guard try insert(AnyID(snapshot)) else { return }
    try attempt(AnyID(snapshot)) { (walk) throws(DSVError) in
      for table in try walk.versions.snapshot(snapshot).tables {
        for column in table.columns { try walk.add(column) }
      }
    }
  }

  private mutating func add(_ column: ColumnRoot) throws(DSVError) {
    switch column.place {
    case .empty: return
    case .inline:
      if let chunk = try versions.objects.inlineChunk(column) { try addBlobs(chunk) }
    case .object(let id, let level):
      // Of a root that is a chunk nothing says whether it refers to blobs.
      try add(id, level: level, hasBlobs: true)
    }
  }

  private mutating func add(_ id: ColumnID, level: Int, hasBlobs: Bool) throws(DSVError) {
    guard try insert(AnyID(id)) else { return }
    try attempt(AnyID(id)) { (walk) throws(DSVError) in
      if level > 0 {
        for child in try walk.versions.objects.node(id, level: level).children {
          try walk.add(child.id, level: level - 1, hasBlobs: child.hasBlobs)
        }
      } else if hasBlobs {
        try walk.addBlobs(try walk.versions.objects.chunk(id))
      }
    }
  }

  private mutating func addBlobs(_ chunk: Chunk) throws(DSVError) {
    guard chunk.array.blobs != nil else { return }
    for index in 0..<chunk.count where chunk.array.isBlob(index) {
      let blob = try BlobReference(chunk.array.bytes(index)).root
      guard try store.contains(AnyID(blob)) else {
        _ = try insert(AnyID(blob))
        continue
      }
      let stored = try versions.objects.store.read(AnyID(blob))
      let level = stored.kind == .node ? try versions.objects.decodedNode(blob, stored).level : 0
      try add(blob, level: level, hasBlobs: false)
    }
  }

  private mutating func attempt(
    _ id: AnyID, _ body: (inout Reachability) throws(DSVError) -> Void
  ) throws(DSVError) {
    do throws(DSVError) { try body(&self) } catch {
      guard let onMissing, error.code == .notFound || error.code == .corrupt else { throw error }
      onMissing(id, error)
    }
  }
}
