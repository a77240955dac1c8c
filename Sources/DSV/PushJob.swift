import DSVColumns
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVVersions

/// Performs what ``Push`` decides.
struct PushJob {
  private let repository: Repository
  private let remote: OpenRemote
  private let progress: ProgressHandler
  /// What the next entry will name.
  private var packs: [UploadedPack] = []
  private var commits: [CommitID] = []
  /// How far the log was read when the refs were looked at: the entry that moves them is the next one or none.
  private var position = LogPosition.start
  private(set) var result: PushResult
  private var generator = SystemRandomNumberGenerator()

  init(_ repository: Repository, _ remote: OpenRemote, _ progress: @escaping ProgressHandler) {
    (self.repository, self.remote, self.progress) = (repository, remote, progress)
    result = PushResult(remote: remote.name)
  }

  private var catalogue: Catalogue { remote.catalogue }

  mutating func run(_ wishes: [(name: String, commit: CommitID?)]) throws(DSVError) -> [String: Push.Outcome]
  {
    var push = Push(wishes)
    while true {
      switch push.next() {
      case .readOn:
        if try !remote.readOn(isPushing: true) {
          try remote.log.make()
          try remote.readOn(isPushing: true)
        }
        try repository.bringBack(remote, progress)
        let catalogue = catalogue
        position = try catalogue.position
        try push.readOn { (name) throws(DSVError) in try catalogue.ref(name) }
      case .compare(let moves):
        var relations: [Push.Relation] = []
        for move in moves { relations.append(try relation(move)) }
        try push.compared(relations)
      case .upload(let moves):
        try upload(moves.compactMap(\.new))
        push.uploaded()
      case .create(let moves):
        if try create(moves) { push.created() } else { push.cameSecond() }
      case .finish: return push.outcomes
      }
    }
  }

  private func relation(_ move: RemoteEntry.Move) throws(DSVError) -> Push.Relation {
    guard let old = move.old, let new = move.new else { return .ahead }
    guard try repository.store.contains(AnyID(old)) else { return .diverged }
    if try repository.isAncestor(old, of: new) { return .ahead }
    return try repository.isAncestor(new, of: old) ? .behind : .diverged
  }

  // MARK: - Uploading

  /// The packs that earlier pushes put, that serve this one, and that are there still: a clean-up may have deleted them since.
  ///
  /// Only those that would serve are asked for: who often comes second leaves many behind that never will.
  private func usablePacks(_ missing: MissingObjects) throws(DSVError) -> [UploadedPack] {
    try remote.journal.forget(before: Clock.secondsSince1970() - RemoteLayout.journalSecondCountMax)
    var journalled = try remote.journal.packs()
    for id in journalled.map(\.index.packID) where try catalogue.pack(id) != nil {
      try remote.journal.remove([id])
    }
    var isThere: Set<PackID> = []
    while true {
      let usable = try UsablePacks(journalled, missing, catalogue).accepted
      var gone: Set<PackID> = []
      for pack in usable where !isThere.contains(pack.index.packID) {
        let id = pack.index.packID
        if try remote.holds(pack) { isThere.insert(id) } else { gone.insert(id) }
      }
      if gone.isEmpty { return usable }
      try remote.journal.remove(Array(gone))
      journalled.removeAll { gone.contains($0.index.packID) }
    }
  }

  /// Sees to it that packs hold all that the tips need and the remote lacks.
  private mutating func upload(_ tips: [CommitID]) throws(DSVError) {
    try progress(Progress(phase: "comparing with \(remote.name)", done: 0, total: nil, unit: .objects))
    let catalogue = catalogue
    var missing = MissingObjects(repository.versions) { (id) throws(DSVError) in try catalogue.contains(id) }
    for tip in tips { try missing.add(tip) }
    commits = missing.commits
    packs = try usablePacks(missing)
    var held: [AnyID: Int] = [:]
    for pack in packs { for entry in pack.index.entries { held[entry.id] = entry.baseDepth } }
    let wanted = missing.all.filter { held[$0] == nil }
    var total = 0
    for id in wanted { total += try repository.store.place(of: id)?.byteCount ?? 0 }
    let uploads = PackUploads(
      remote.bucket, remote.sealer, remote.journal, packByteCount: repository.options.remotePackByteCount)
    for (number, id) in wanted.enumerated() {
      try uploads.append(id, try stored(id, missing, held))
      if number & 0x3f == 0 {
        try progress(
          Progress(
            phase: "pushing to \(remote.name)", done: min(uploads.byteCount, total), total: total,
            unit: .bytes))
      }
    }
    let new = try uploads.finish()
    packs += new
    result.byteCount += new.reduce(0) { $0 + $1.index.packByteCount + $1.index.bytes.count }
    (result.commitCount, result.objectCount, result.packCount) = (commits.count, missing.count, packs.count)
  }

  /// An object as it is to travel: as it is stored here, if what it builds on is on the remote or goes there as well.
  private func stored(_ id: AnyID, _ missing: MissingObjects, _ held: [AnyID: Int]) throws(DSVError)
    -> StoredObject
  {
    let stored = try repository.store.read(id)
    guard let base = stored.base else { return stored }
    let isKept: Bool
    if let depth = try catalogue.baseDepth(of: base.id) {
      isKept = depth < base.depth
    } else if let depth = held[base.id] {
      isKept = depth < base.depth
    } else {
      // What goes with it has no more bases there than here.
      isKept = missing.contains(base.id)
    }
    return isKept ? stored : try repository.reader.whole(id, stored)
  }

  // MARK: - The entry

  /// - Returns: `false` if somebody else came first.
  private mutating func create(_ moves: [RemoteEntry.Move]) throws(DSVError) -> Bool {
    var entry = RemoteEntry(
      number: position.number + 1, previous: position.digest, nonce: .random(),
      time: Clock.secondsSince1970())
    entry.moves = moves
    entry.added = packs.map(\.logged)
    var number = try catalogue.lastVersion
    // One that the remote has lost comes again, and keeps the number that it has there.
    for commit in commits where try catalogue.number(of: commit) == nil {
      number += 1
      entry.numbered.append(RemoteEntry.Numbered(number, commit))
    }
    guard try remote.create(entry) != nil else {
      // Those who lose at once do not come back at once.
      Clock.sleep(nanoseconds: UInt64.random(in: 0..<50_000_000, using: &generator))
      return false
    }
    let indexes = Dictionary(packs.map { ($0.index.packID, $0.index) }) { first, _ in first }
    try remote.readOn(known: indexes)
    try remote.journal.remove(packs.map(\.index.packID))
    if entry.number % RemoteLayout.checkpointInterval == 0 { try putCheckpoint() }
    return true
  }

  /// It only makes the way shorter: a push does not fail for it.
  private func putCheckpoint() throws(DSVError) {
    do throws(DSVError) { if let state = try catalogue.checkpoint() { try remote.log.put(state) } } catch {
      repository.options.note(
        "remote '\(remote.name)': its checkpoint could not be written: \(error.message)")
    }
  }
}

/// Which packs that an earlier push put, and the log does not name, serve this one.
struct UsablePacks {
  private(set) var accepted: [UploadedPack] = []

  /// Takes packs in which nothing lies but what this push needs or the remote has already, and which go together with what the
  /// remote holds: what objects in them build on must have fewer bases than they, and what is there already must lie in them whole.
  init(_ candidates: [UploadedPack], _ missing: MissingObjects, _ catalogue: Catalogue) throws(DSVError) {
    var packs: [UploadedPack] = []
    for pack in candidates where try catalogue.pack(pack.index.packID) == nil {
      var isFit = true
      var isNeeded = false
      for entry in pack.index.entries where isFit {
        if missing.contains(entry.id) {
          isNeeded = true
        } else if entry.baseDepth > 0 {
          isFit = false
        } else {
          isFit = try catalogue.contains(entry.id)
        }
      }
      if isFit, isNeeded { packs.append(pack) }
    }
    while true {
      var depths: [AnyID: Int] = [:]
      var twice: Set<PackID> = []
      for pack in packs {
        for entry in pack.index.entries {
          if depths[entry.id] == nil {
            depths[entry.id] = entry.baseDepth
          } else if entry.baseDepth > 0 {
            twice.insert(pack.index.packID)
          }
        }
      }
      var sound: [UploadedPack] = []
      for pack in packs where !twice.contains(pack.index.packID) {
        if try Self.isSound(pack, depths, catalogue) { sound.append(pack) }
      }
      if sound.count == packs.count { break }
      packs = sound
    }
    accepted = packs
  }

  private static func isSound(
    _ pack: UploadedPack, _ depths: [AnyID: Int], _ catalogue: Catalogue
  ) throws(DSVError) -> Bool {
    for entry in pack.index.entries where entry.baseDepth > 0 {
      guard let base = pack.bases[entry.id] else { return false }
      var depth = depths[base]
      if let held = try catalogue.baseDepth(of: base) { depth = held }
      guard let depth, depth < entry.baseDepth else { return false }
    }
    return true
  }
}
