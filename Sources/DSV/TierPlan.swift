import DSVColumns
import DSVFormat
import DSVRemote
import DSVStore
import DSVTables
import DSVVersions

/// Which objects are to leave this disk: chunks and nodes that a remote verifiably holds, and that nothing needs that stays.
struct TierPlan {
  /// Where a column of a version is to lie; the column's dotted name, `nil` for what is the table's own.
  typealias Placement = (CommitID, Table, String?) -> TierPolicy.Placement

  private(set) var dead: Set<AnyID> = []
  private(set) var deadByteCount = 0
  /// What would leave if a remote verifiably held it.
  private(set) var refusedCount = 0
  private(set) var refusedByteCount = 0

  /// Whether something that was to leave is not here, and nothing is that could: it has left before.
  var hasLeft: Bool { walk.hasSkippedGiven && walk.given.isEmpty }

  private let store: Store
  private let held: HeldObjects
  private let objects: ObjectReader
  private var walk: PlacementWalk
  /// What a rule of the policy keeps here, budget or not.
  private var pinned: Set<AnyID> = []
  /// The chunks and nodes here.
  private var places: [AnyID: Place] = [:]
  private var objectByteCount = 0

  init(_ store: Store, _ versions: VersionReader, _ held: HeldObjects) throws(DSVError) {
    (self.store, self.held, objects) = (store, held, versions.objects)
    walk = PlacementWalk(versions.objects)
    var places: [AnyID: Place] = [:]
    var byteCount = 0
    try store.forEachObject { (id, place) throws(DSVError) in
      byteCount += place.byteCount
      if place.kind == .chunk || place.kind == .node { places[id] = place }
    }
    (self.places, objectByteCount) = (places, byteCount)
  }

  // MARK: - What is where

  /// Looks at every version, the newest first, and gives up what is placed in a remote and in no version here.
  mutating func place(
    _ commits: [CommitID], _ versions: VersionReader, _ placement: Placement
  ) throws(DSVError) {
    for keeps in [true, false] {
      for (age, id) in commits.enumerated() {
        for table in try versions.snapshot(try versions.commit(id).root).tables {
          try walkTable(table, id, age, keeps, placement)
        }
      }
    }
    let (kept, given) = (walk.kept, walk.given)
    var chosen = Set(given.keys)
    // What no walk met is garbage, or stands below a node that is not here, or is a base.
    if walk.hasSkippedGiven, !walk.hasSkippedKept {
      for id in places.keys where kept[id] == nil && given[id] == nil { chosen.insert(id) }
    }
    try give(chosen)
  }

  /// Looks at every version, the newest first, for what is not to make room for other things.
  mutating func pin(
    _ commits: [CommitID], _ versions: VersionReader, _ placement: Placement
  ) throws(DSVError) {
    for (age, id) in commits.enumerated() {
      for table in try versions.snapshot(try versions.commit(id).root).tables {
        try walkTable(table, id, age, true, placement)
      }
    }
  }

  /// Keeps what is placed on this disk from making room.
  mutating func hold(
    _ commits: [CommitID], _ versions: VersionReader, _ placement: Placement
  ) throws(DSVError) {
    let own = walk
    walk = PlacementWalk(versions.objects)
    try pin(commits, versions, placement)
    pinned = Set(walk.kept.keys)
    walk = own
  }

  private mutating func walkTable(
    _ table: Table, _ commit: CommitID, _ age: Int, _ keeps: Bool, _ placement: Placement
  ) throws(DSVError) {
    var columns: [(String?, ColumnRoot)] = table.selection.map { [(nil, $0)] } ?? []
    for field in table.fields { Self.append(field, "", to: &columns) }
    for (name, root) in columns {
      switch placement(commit, table, name) {
      case .disk: if keeps { try walk.keep(root, age: age) }
      case .remote(let target): if !keeps { try walk.give(root, age: age, to: target) }
      }
    }
  }

  private static func append(
    _ field: TableField, _ prefix: String, to columns: inout [(String?, ColumnRoot)]
  ) {
    let name = prefix + field.name
    columns.append((name, field.values))
    if case .mixed(let root) = field.absence { columns.append((name, root)) }
    for child in field.children { append(child, name + ".", to: &columns) }
  }

  /// Lets go of those of some objects that are held elsewhere, and of bases that only they need.
  private mutating func give(_ chosen: Set<AnyID>) throws(DSVError) {
    var refused: Set<AnyID> = []
    for id in chosen where !dead.contains(id) {
      guard let place = places[id] else { continue }
      if try held.holds(id, walk.targets[id]) {
        dead.insert(id)
      } else {
        refused.insert(id)
        refusedCount += 1
        refusedByteCount += place.byteCount
      }
    }
    try keepWhatLeads(to: refused)
    try dropNeededBases()
  }

  /// Keeps the nodes above objects that stay as no remote holds them, and chunks that refer to such blobs: nothing else leads gc to them.
  private mutating func keepWhatLeads(to refused: Set<AnyID>) throws(DSVError) {
    if refused.isEmpty { return }
    var below: [AnyID: [AnyID]] = [:]
    for id in dead where places[id]?.kind == .node {
      let children = try objects.decodedNode(ColumnID(id), try store.read(id)).children
      below[id] = children.map { AnyID($0.id) }
      for child in children where child.hasBlobs && places[AnyID(child.id)]?.kind == .chunk {
        below[AnyID(child.id)] = try Self.blobs(in: objects.chunk(child.id))
      }
    }
    var (staying, isChanged) = (refused, true)
    while isChanged {
      isChanged = false
      for (id, children) in below where dead.contains(id) && children.contains(where: staying.contains) {
        dead.remove(id)
        staying.insert(id)
        isChanged = true
      }
    }
  }

  private static func blobs(in chunk: Chunk) throws(DSVError) -> [AnyID] {
    var roots: [AnyID] = []
    for index in 0..<chunk.count where chunk.array.isBlob(index) {
      roots.append(AnyID(try BlobReference(chunk.array.bytes(index)).root))
    }
    return roots
  }

  /// Keeps what is needed as a base by what stays; lets go of bases that only dead objects need.
  private mutating func dropNeededBases() throws(DSVError) {
    var bases: [AnyID: AnyID] = [:]
    for (id, place) in places where place.baseDepth > 0 { bases[id] = try store.baseID(of: id) }
    var orphans = Set(dead.compactMap { bases[$0] }).filter { walk.kept[$0] == nil && walk.given[$0] == nil }
    while let id = orphans.popFirst() {
      guard !dead.contains(id), places[id] != nil, try held.holds(id, nil) else { continue }
      dead.insert(id)
      if let base = bases[id], walk.kept[base] == nil, walk.given[base] == nil { orphans.insert(base) }
    }
    for id in bases.keys where !dead.contains(id) {
      var needed = bases[id]
      while let base = needed {
        dead.remove(base)
        needed = bases[base]
      }
    }
    deadByteCount = dead.reduce(0) { $0 + (places[$1]?.byteCount ?? 0) }
  }

  // MARK: - The budget

  /// Gives up more until what stays takes no more than `byteCount`, in so far as remotes hold it: first what was fetched
  /// for a read, the oldest first, then what only old versions need.
  ///
  /// - Parameters:
  ///   - otherByteCount: what the repository takes beside its objects.
  ///   - promoted: the first words of the IDs of what was fetched, oldest first.
  ///   - isPromotedOnly: whether nothing else goes, and of that nothing which a version needs that was looked at.
  mutating func fit(
    _ byteCount: Int, otherByteCount: Int, promoted: [UInt64], isPromotedOnly: Bool = false
  ) throws(DSVError) {
    var excess = objectByteCount + otherByteCount - deadByteCount - byteCount
    guard excess > 0 else { return }
    var (bases, dependents) = try basesOfWhatStays()
    // What something needs that stays waits until that goes.
    var passed: Set<AnyID> = []
    for id in evictable(promoted, isPromotedOnly) where excess > 0 {
      var next: AnyID? = id
      while let id = next, excess > 0, let place = places[id], !dead.contains(id), !pinned.contains(id) {
        guard dependents[id, default: 0] == 0 else {
          passed.insert(id)
          break
        }
        guard try held.holds(id, walk.targets[id]) else {
          refusedCount += 1
          refusedByteCount += place.byteCount
          break
        }
        dead.insert(id)
        deadByteCount += place.byteCount
        excess -= place.byteCount
        next = bases.removeValue(forKey: id)
        if let base = next {
          dependents[base, default: 1] -= 1
          if !passed.contains(base) { next = nil }
        }
      }
    }
  }

  /// What each object that stays builds on, and how many build on each.
  private func basesOfWhatStays() throws(DSVError) -> ([AnyID: AnyID], [AnyID: Int]) {
    var (bases, dependents): ([AnyID: AnyID], [AnyID: Int]) = ([:], [:])
    for (id, place) in places where place.baseDepth > 0 && !dead.contains(id) {
      guard let base = try store.baseID(of: id) else { continue }
      bases[id] = base
      dependents[base, default: 0] += 1
    }
    return (bases, dependents)
  }

  /// Chunks and nodes in the order in which they go.
  private func evictable(_ promoted: [UInt64], _ isPromotedOnly: Bool) -> [AnyID] {
    var turns: [UInt64: Int] = [:]
    for (turn, word) in promoted.enumerated() where turns[word] == nil { turns[word] = turn }
    let kept = walk.kept
    let places = isPromotedOnly ? places.filter { turns[$0.key.w0] != nil && kept[$0.key] == nil } : places
    func order(_ id: AnyID, _ place: Place) -> (Int, Int, Int) {
      if let turn = turns[id.w0] { return (0, turn, 0) }
      let age = walk.kept[id] ?? walk.given[id] ?? .max
      // Without a node nothing below it is found quickly: chunks go first.
      return (1, -age, place.kind == .chunk ? 0 : 1)
    }
    return places.map { (order($0.key, $0.value), $0.key) }.sorted { $0 < $1 }.map(\.1)
  }
}

private func < (a: ((Int, Int, Int), AnyID), b: ((Int, Int, Int), AnyID)) -> Bool {
  a.0 != b.0 ? a.0 < b.0 : a.1 < b.1
}
