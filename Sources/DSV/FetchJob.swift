import DSVColumns
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTables
import DSVVersions

/// Brings commits of a remote here, with all that they need of what is wanted.
///
/// What something leads to is put before it, so a commit that is here has all it needs, also where a fetch was broken off. Every
/// object's ID is computed anew before it is put.
final class FetchJob {
  /// What is put and not published is lost if the process ends: at most this much.
  private static let publishByteCount = 64 << 20
  /// How many chunks, and about how many bytes of them, are read and checked at once.
  private static let batchCount = 2048
  private static let batchByteCount = 32 << 20

  private let store: Store
  private let remote: OpenRemote
  private let scope: FetchScope
  private let progress: ProgressHandler
  private let pool: WorkerPool
  private let session: WriteSession
  private let objects: ObjectReader
  private let versions: VersionReader
  private let check: ObjectCheck
  private let stage: PackStage
  /// Put and not yet published, with how many bases each has.
  private var pending: [AnyID: Int] = [:]
  private var pendingByteCount = 0
  private(set) var commits: [CommitID] = []
  private var parents: [CommitID: [CommitID]] = [:]
  private(set) var objectCount = 0
  private var putByteCount = 0
  var fetchedByteCount: Int { stage.fetchedByteCount }

  init(
    _ repository: Repository, _ remote: OpenRemote, scope: FetchScope, _ progress: @escaping ProgressHandler
  ) throws(DSVError) {
    store = repository.store
    (self.remote, self.scope, self.progress, pool) = (remote, scope, progress, repository.pool)
    session = try store.session()
    // A cache of its own: what is read here is seldom wanted again.
    objects = ObjectReader(session, cache: ObjectCache(byteCountMax: 32 << 20), pool: pool)
    versions = VersionReader(objects)
    check = ObjectCheck(objects)
    stage = PackStage(remote, store, stagesPacks: scope == .all)
  }

  /// Publishes all, and what `decide` stages; numbers the new commits.
  func finish(_ decide: (Publication) throws(DSVError) -> Void) throws(DSVError) {
    let commits = try inRemoteOrder()
    try session.publish { (publication) throws(DSVError) in
      for commit in commits { _ = try publication.number(commit) }
      try decide(publication)
    }
  }

  /// The new commits in the order of the remote's numbers: a clone gives the numbers that the remote gave.
  private func inRemoteOrder() throws(DSVError) -> [CommitID] {
    var numbered: [(number: Int, commit: CommitID)] = []
    for commit in commits {
      let number = try remote.catalogue.number(of: commit) ?? .max
      // Much relies on that here: what is older has a lower number.
      for parent in parents[commit] ?? [] {
        guard try remote.catalogue.number(of: parent) ?? 0 < number else {
          throw DSVError(
            .corrupt,
            "remote '\(remote.name)' numbers version \(commit.short) before \(parent.short), which it was made from"
          )
        }
      }
      numbered.append((number, commit))
    }
    return numbered.sorted { $0.number < $1.number }.map(\.commit)
  }

  func contains(_ commit: CommitID) throws(DSVError) -> Bool { try session.contains(AnyID(commit)) }

  /// Whether `other` led to `commit`, what was just fetched counted.
  func isAncestor(_ other: CommitID, of commit: CommitID) throws(DSVError) -> Bool {
    try versions.isAncestor(other, of: commit, in: store)
  }

  // MARK: - Commits

  /// Adds the history of commits.
  func add(_ tips: [CommitID]) throws(DSVError) {
    enum Visit {
      case enter(CommitID)
      case leave(CommitID, Commit, StoredObject)
    }
    var waiting: [Visit] = tips.reversed().map { .enter($0) }
    var seen: Set<CommitID> = []
    while let visit = waiting.popLast() {
      switch visit {
      case .enter(let id):
        guard !seen.contains(id), try !session.contains(AnyID(id)) else { continue }
        seen.insert(id)
        let stored = try stage.readAhead(AnyID(id))
        let commit = try decoded(AnyID(id), stored) { (bytes, subject) throws(DSVError) in
          try Commit(bytes, of: subject)
        }
        waiting.append(.leave(id, commit, stored))
        waiting += commit.parents.reversed().map { .enter($0) }
      case .leave(let id, let commit, let stored):
        try add(commit.root, after: commit.parents)
        try put([(AnyID(id), stored)])
        commits.append(id)
        parents[id] = commit.parents
        try publishIfDue()
      }
    }
  }

  /// The tables of the versions that these commits are, without what they hold.
  func tables(at tips: [CommitID]) throws(DSVError) -> [Table] {
    func read(_ id: AnyID) throws(DSVError) -> StoredObject {
      try isHere(id) ? session.read(id) : stage.readAhead(id)
    }
    var roots: Set<SnapshotID> = []
    var tables: [Table] = []
    for id in tips {
      let commit = try decoded(AnyID(id), try read(AnyID(id))) { (bytes, subject) throws(DSVError) in
        try Commit(bytes, of: subject)
      }
      guard roots.insert(commit.root).inserted else { continue }
      let root = AnyID(commit.root)
      tables += try decoded(root, try read(root)) { (bytes, subject) throws(DSVError) in
        try Snapshot(bytes, of: subject)
      }.tables
    }
    return tables
  }

  private func decoded<Value>(
    _ id: AnyID, _ stored: StoredObject,
    _ body: (UnsafeRawBufferPointer, String) throws(DSVError) -> Value
  ) throws(DSVError) -> Value {
    // The ID comes first: what is not what it is called is not looked into.
    if let base = stored.base { try ensure(base, of: id) }
    if let problem = try check.verdict(id, stored) { throw refused(id, problem) }
    let plain = try objects.plain(id, stored)
    return try plain.withBytes { (bytes) throws(DSVError) in try body(bytes, "\(stored.kind) \(id)") }
  }

  private func refused(_ id: AnyID, _ problem: String) -> DSVError {
    DSVError(.corrupt, "object \(id) of remote '\(remote.name)': \(problem)")
  }

  // MARK: - Snapshots

  private func add(_ id: SnapshotID, after parents: [CommitID]) throws(DSVError) {
    let stored = try isHere(AnyID(id)) ? session.read(AnyID(id)) : stage.readAhead(AnyID(id))
    let snapshot = try decoded(AnyID(id), stored) { (bytes, subject) throws(DSVError) in
      try Snapshot(bytes, of: subject)
    }
    if scope != .metadata {
      var old: [String: [ColumnRoot]] = [:]
      for parent in parents {
        for table in try versions.snapshot(try versions.commit(parent).root).tables {
          for (name, column) in columns(of: table) { old[name, default: []].append(column) }
        }
      }
      var wanted = WantedColumns()
      for table in snapshot.tables {
        for (name, column) in columns(of: table) { try add(column, after: old[name] ?? [], &wanted) }
      }
      try flush(&wanted)
    }
    try put([(AnyID(id), stored)])
  }

  /// The columns of a table that are wanted, each with a name that it has in other versions too.
  private func columns(of table: Table) -> [(name: String, column: ColumnRoot)] {
    if case .table(let name) = scope, !table.name.hasSameBytes(as: name) { return [] }
    var found: [(name: String, column: ColumnRoot)] = []
    func add(_ field: TableField, _ path: String, isWanted: Bool) {
      let path = path.isEmpty ? field.name : "\(path).\(field.name)"
      let isWanted = isWanted || isNamed(path, table)
      if isWanted || field.children.contains(where: { leads($0, path, table) }) {
        found.append(("\(table.name)\0\(path)", field.values))
        if case .mixed(let absence) = field.absence { found.append(("\(table.name)\0\(path)\0", absence)) }
      }
      for child in field.children { add(child, path, isWanted: isWanted) }
    }
    for field in table.fields { add(field, "", isWanted: false) }
    if let selection = table.selection { found.append(("\(table.name)\0", selection)) }
    return found
  }

  private func isNamed(_ path: String, _ table: Table) -> Bool {
    guard case .columns(let names) = scope else { return true }
    // Without its key a table's rows cannot be told apart.
    return (names + table.key).contains { $0.hasSameBytes(as: path) }
  }

  /// Whether something below a field is wanted: then what says which of its slots have values is needed as well.
  private func leads(_ field: TableField, _ path: String, _ table: Table) -> Bool {
    let path = "\(path).\(field.name)"
    return isNamed(path, table) || field.children.contains { leads($0, path, table) }
  }

  // MARK: - Columns

  /// What columns need that is not here, until it is fetched.
  private struct WantedColumns {
    var chunks: [(id: ColumnID, hasBlobs: Bool)] = []
    /// The highest first. Put once their chunks are.
    private(set) var nodes: [AnyID] = []
    private(set) var stored: [AnyID: StoredObject] = [:]
    var seen: Set<AnyID> = []

    mutating func add(_ node: AnyID, _ object: StoredObject) {
      nodes.append(node)
      stored[node] = object
    }

    /// Takes the nodes out, the lowest first.
    mutating func takeNodes() -> [(AnyID, StoredObject)] {
      defer { (nodes, stored) = ([], [:]) }
      return nodes.reversed().compactMap { id in stored[id].map { (id, $0) } }
    }
  }

  /// A node or chunk that is to be looked at.
  private struct Branch: Hashable {
    let id: ColumnID
    let hasBlobs: Bool
    static func == (a: Self, b: Self) -> Bool { a.id == b.id }
    func hash(into hasher: inout Hasher) { hasher.combine(id) }
  }

  /// Adds what `column` has and those of the versions before it have not: level by level, and only below what differs.
  private func add(_ column: ColumnRoot, after old: [ColumnRoot], _ wanted: inout WantedColumns)
    throws(DSVError)
  {
    guard case .object(let id, let top) = column.place else {
      if let chunk = try objects.inlineChunk(column) { try addBlobs(chunk, &wanted) }
      return
    }
    var new: [Branch] = [Branch(id: id, hasBlobs: true)]
    // An older tree that is much higher has little in common with this one.
    var roots = old.compactMap { root -> (id: ColumnID, level: Int)? in
      if case .object(let id, let level) = root.place, level <= top + 1 { (id, level) } else { nil }
    }
    var known: Set<ColumnID> = []
    for root in roots where root.level > top { known.formUnion(try knownChildren(root.id, root.level)) }
    roots.removeAll { $0.level > top }
    for level in stride(from: top, through: 0, by: -1) {
      known.formUnion(roots.filter { $0.level == level }.map(\.id))
      let common = known.intersection(new.map(\.id))
      new.removeAll { common.contains($0.id) }
      if new.isEmpty { return }
      if level == 0 { break }
      new = try children(of: new, level: level, &wanted)
      var below: Set<ColumnID> = []
      for id in known.subtracting(common) { below.formUnion(try knownChildren(id, level)) }
      known = below
    }
    for chunk in new where wanted.seen.insert(AnyID(chunk.id)).inserted {
      wanted.chunks.append((chunk.id, chunk.hasBlobs))
    }
    if wanted.chunks.count >= Self.batchCount { try flush(&wanted) }
  }

  /// What is below a node of an older version, wherever that is; nothing where it cannot be had.
  private func knownChildren(_ id: ColumnID, _ level: Int) throws(DSVError) -> [ColumnID] {
    do throws(DSVError) { return try objects.node(id, level: level).children.map(\.id) } catch {
      guard error.code == .notFound else { throw error }
      return []
    }
  }

  /// Reads nodes, from here or from the remote, and gives what is below them.
  private func children(
    of branches: [Branch], level: Int, _ wanted: inout WantedColumns
  ) throws(DSVError) -> [Branch] {
    var missing: [AnyID] = []
    for branch in branches where try !isHere(AnyID(branch.id)) && !wanted.seen.contains(AnyID(branch.id)) {
      missing.append(AnyID(branch.id))
      wanted.seen.insert(AnyID(branch.id))
    }
    for (id, stored) in zip(missing, try stage.read(missing)) {
      // One that builds on another can only be read once that is here.
      if let base = stored.base { try ensure(base, of: id) }
      if let problem = try check.verdict(id, stored) { throw refused(id, problem) }
      wanted.add(id, stored)
    }
    var result: [Branch] = []
    var seen: Set<ColumnID> = []
    for branch in branches {
      let node: TreeNode
      if let stored = wanted.stored[AnyID(branch.id)] {
        node = try objects.decodedNode(branch.id, stored)
      } else {
        node = try objects.node(branch.id, level: level)
      }
      guard node.level == level else { throw refused(AnyID(branch.id), "level \(node.level), not \(level)") }
      for child in node.children where seen.insert(child.id).inserted {
        result.append(Branch(id: child.id, hasBlobs: child.hasBlobs))
      }
    }
    return result
  }

  /// Fetches the chunks, and then puts the nodes, the lowest first.
  private func flush(_ wanted: inout WantedColumns) throws(DSVError) {
    while !wanted.chunks.isEmpty {
      let chunks = wanted.chunks
      wanted.chunks = []
      var missing: [AnyID] = []
      for chunk in chunks where try !isHere(AnyID(chunk.id)) { missing.append(AnyID(chunk.id)) }
      try fetch(missing)
      for chunk in chunks where chunk.hasBlobs { try addBlobs(try objects.chunk(chunk.id), &wanted) }
    }
    for (id, stored) in wanted.takeNodes() { try put([(id, stored)], isChecked: true) }
    try publishIfDue()
  }

  /// Adds the trees of a chunk's blobs. What is here of them is not trusted to be all there.
  private func addBlobs(_ chunk: Chunk, _ wanted: inout WantedColumns) throws(DSVError) {
    guard chunk.array.blobs != nil else { return }
    for index in 0..<chunk.count where chunk.array.isBlob(index) {
      let blob = try BlobReference(chunk.array.bytes(index)).root
      guard wanted.seen.insert(AnyID(blob)).inserted else { continue }
      let stored = try isHere(AnyID(blob)) ? session.read(AnyID(blob)) : stage.read([AnyID(blob)])[0]
      guard stored.kind == .node else {
        wanted.chunks.append((blob, false))
        continue
      }
      if let base = stored.base { try ensure(base, of: AnyID(blob)) }
      if let problem = try check.verdict(AnyID(blob), stored) { throw refused(AnyID(blob), problem) }
      wanted.add(AnyID(blob), stored)
      var below = [Branch(id: blob, hasBlobs: false)]
      for level in stride(from: try objects.decodedNode(blob, stored).level, to: 0, by: -1) {
        below = try children(of: below, level: level, &wanted)
      }
      for chunk in below where wanted.seen.insert(AnyID(chunk.id)).inserted {
        wanted.chunks.append((chunk.id, false))
      }
    }
  }

  // MARK: - Objects

  private func isHere(_ id: AnyID) throws(DSVError) -> Bool { try session.contains(id) }

  private func fetch(_ ids: [AnyID]) throws(DSVError) {
    var batch: [AnyID] = []
    var byteCount = 0
    for id in ids {
      batch.append(id)
      byteCount += try remote.catalogue.place(of: id)?.byteCount ?? 0
      guard batch.count >= Self.batchCount || byteCount >= Self.batchByteCount else { continue }
      try put(Array(zip(batch, try stage.read(batch))))
      (batch, byteCount) = ([], 0)
      try publishIfDue()
    }
    if !batch.isEmpty { try put(Array(zip(batch, try stage.read(batch)))) }
  }

  /// Puts objects, those first that others may build on.
  ///
  /// - Parameter isChecked: whether their IDs were computed already.
  private func put(_ found: [(AnyID, StoredObject)], isChecked: Bool = false) throws(DSVError) {
    let byDepth = Dictionary(grouping: found) { $0.1.base?.depth ?? 0 }
    for (_, group) in byDepth.sorted(by: { $0.key < $1.key }) {
      for (id, stored) in group { if let base = stored.base { try ensure(base, of: id) } }
      if !isChecked {
        let check = check
        let problems = group.map { (id, stored) in
          (id, pool.submit { () throws(DSVError) in try check.verdict(id, stored) })
        }
        for (id, problem) in problems { if let problem = try problem.value() { throw refused(id, problem) } }
      }
      for (id, stored) in group { try putChecked(id, stored) }
    }
    try progress(
      Progress(phase: "fetching from \(remote.name)", done: putByteCount, total: nil, unit: .bytes))
  }

  private func putChecked(_ id: AnyID, _ stored: StoredObject) throws(DSVError) {
    if try isHere(id) { return }
    var object = stored
    if let base = stored.base, let depth = try depth(of: base.id), depth >= base.depth {
      // Here it is stored more densely than there.
      object = try objects.whole(id, stored)
    }
    try session.put(id, object)
    pending[id] = object.base?.depth ?? 0
    pendingByteCount += object.bytes.count
    putByteCount += object.bytes.count
    objectCount += 1
  }

  private func depth(of id: AnyID) throws(DSVError) -> Int? {
    if let depth = try store.baseDepth(of: id) { return depth }
    return pending[id]
  }

  /// Sees to it that what an object builds on is here.
  private func ensure(_ base: ObjectBase, of id: AnyID) throws(DSVError) {
    if try isHere(base.id) { return }
    let stored = try stage.read([base.id])[0]
    guard stored.base?.depth ?? 0 < base.depth else {
      throw refused(id, "its base \(base.id) has too many bases of its own")
    }
    try put([(base.id, stored)])
  }

  private func publishIfDue() throws(DSVError) {
    guard pendingByteCount >= Self.publishByteCount else { return }
    try session.publish { (_) throws(DSVError) in }
    (pending, pendingByteCount) = ([:], 0)
  }
}
