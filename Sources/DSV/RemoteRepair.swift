import DSVColumns
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVVersions

/// Puts anew what was found to be damaged of a remote.
///
/// What no branch or tag of the remote leads to, nor a version that this repository has not whole, goes with a damaged pack, and then, as
/// in a clean-up, with all packs that hold such.
struct RemoteRepair {
  private let repository: Repository
  private let remote: OpenRemote
  private let inspection: RemoteInspection
  /// How far the log was read when the packs were looked at.
  private var position: LogPosition
  /// Where this repository knew the remote's branches and tags to be before it was asked.
  private let known: Set<CommitID>
  /// What this repository's own versions need of it.
  private let own: RemoteNeed?
  private let progress: ProgressHandler
  /// The packs that are given up, by slot.
  private var condemned: [UInt32: PackID] = [:]
  /// Whether something goes as nothing needs it: then nobody must come to need it meanwhile.
  private var drops = false
  /// How many bases objects have where they will be found from then on.
  private var written: [AnyID: Int] = [:]
  private(set) var result: RemoteCheckResult

  init(
    _ repository: Repository, _ remote: OpenRemote, _ inspection: RemoteInspection, at position: LogPosition,
    known: Set<CommitID>, _ progress: @escaping ProgressHandler
  ) throws(DSVError) {
    own =
      inspection.isWhole ? nil : try RemoteNeed.own(repository, remote, inspection.objects, progress)
    (self.repository, self.remote, self.inspection) = (repository, remote, inspection)
    (self.position, self.known, self.progress) = (position, known, progress)
    result = inspection.result
    for finding in inspection.findings where !finding.needsIndexOnly {
      condemned[finding.pack.slot] = finding.pack.id
    }
    result.lost = inspection.hanging
  }

  private var catalogue: Catalogue { remote.catalogue }

  /// Whether an object is put again that lies in a pack that is given up. While something hangs, all that can be.
  private func keeps(_ id: AnyID) -> Bool {
    !inspection.hanging.isEmpty || inspection.need.leads(to: id) || own?.leads(to: id) ?? false
  }

  /// Whether it is a loss if the object is whole nowhere.
  private func isNeeded(_ id: AnyID) -> Bool {
    inspection.need.leads(to: id) || own?.surelyLeads(to: id) ?? false
  }

  /// Finds out what is whole nowhere, and changes nothing.
  mutating func findLost() throws(DSVError) {
    var bad = Set(inspection.findings.flatMap(\.bad)).union(inspection.missing)
    bad.subtract(inspection.hanging)
    for id in try wanted() where bad.contains(id) && isNeeded(id) {
      if try inspection.objects.whole(id) == nil { result.lost.append(id) }
    }
  }

  /// - Returns: `false` if somebody else gave up packs meanwhile that were counted on.
  mutating func run() throws(DSVError) -> Bool {
    let others = try giveUpWhatLeadsToWhatGoes()
    for finding in inspection.findings where condemned[finding.pack.slot] == nil {
      guard let index = finding.index else { continue }
      try remote.bucket.put(RemoteLayout.index(index.packID), index.bytes)
      result.restoredIndexCount += 1
    }
    let packs = try upload(try wanted(others))
    guard !condemned.isEmpty || !packs.isEmpty else {
      // What its index says is known from now on.
      try remote.readOn()
      return true
    }
    guard try create(packs) else { return false }
    result.condemnedPackCount = condemned.count
    result.writtenPackCount = packs.count
    return true
  }

  /// Gives up each pack that holds something that nothing needs, or that builds on such, if such goes with a damaged pack.
  ///
  /// Of an object that is found on a remote all that it leads to must be there: who brings a branch back that was deleted would not
  /// send it again.
  /// - Returns: what else lies in those packs.
  private mutating func giveUpWhatLeadsToWhatGoes() throws(DSVError) -> [AnyID] {
    let goes = inspection.findings.contains { finding in
      condemned[finding.pack.slot] != nil && finding.items.contains { !keeps($0.id) }
    }
    drops = goes
    guard goes else { return [] }
    var dead: Set<UInt32> = []
    try catalogue.forEachObject { if !keeps($0) { dead.insert($1.pack.slot) } }
    try catalogue.forEachSpare { if !keeps($0) { dead.insert($1.pack.slot) } }
    for (slot, bases) in inspection.bases where !bases.allSatisfy(keeps) { dead.insert(slot) }
    for finding in inspection.findings where !finding.items.allSatisfy({ keeps($0.id) }) {
      dead.insert(finding.pack.slot)
    }
    var live: [AnyID] = []
    try catalogue.forEachObject { if dead.contains($1.pack.slot), keeps($0) { live.append($0) } }
    for slot in dead { condemned[slot] = try catalogue.pack(slot: slot)?.id }
    return live
  }

  /// What is to be put anew: of packs that are given up what lies in no other one, and what is in none. In the order in which it is put.
  ///
  /// - Parameter others: what lies in packs that are given up and not damaged.
  private func wanted(_ others: [AnyID] = []) throws(DSVError) -> [AnyID] {
    var found: [(id: AnyID, depth: Int)] = inspection.missing.map { ($0, 0) }
    var seen = Set(inspection.missing)
    func add(_ id: AnyID) throws(DSVError) {
      guard keeps(id), seen.insert(id).inserted, try depthElsewhere(id) == nil else { return }
      found.append((id, try catalogue.baseDepth(of: id) ?? 0))
    }
    for finding in inspection.findings where condemned[finding.pack.slot] != nil {
      for (id, _) in finding.items { try add(id) }
    }
    for id in others { try add(id) }
    // What others build on comes before them.
    return (0...ObjectBase.depthMax).flatMap { depth in found.filter { $0.depth == depth }.map(\.id) }
  }

  /// How many bases an object has in the first of the packs that stay; `nil` where it is in none.
  private func depthElsewhere(_ id: AnyID) throws(DSVError) -> Int? {
    guard let place = try catalogue.place(of: id) else { return nil }
    if condemned[place.pack.slot] == nil { return place.baseDepth }
    return try catalogue.spares(of: id).first { condemned[$0.pack.slot] == nil }?.baseDepth
  }

  /// What may be put that only this repository has; `nil` if that is all.
  ///
  /// Anybody who can write to a plain remote can have its log name what is nobody's but this repository's. So it is only what
  /// versions lead to that were known to be there.
  private func shown() throws(DSVError) -> Reachability? {
    if remote.sealer != nil { return nil }
    try progress(Progress(phase: "walking \(remote.name)", done: 0, total: nil, unit: .objects))
    return try RemoteNeed.walk(inspection.objects, known.sorted()) { (_) throws(DSVError) in }.walk
  }

  private mutating func upload(_ wanted: [AnyID]) throws(DSVError) -> [UploadedPack] {
    let uploads = PackUploads(
      remote.bucket, remote.sealer, nil, packByteCount: repository.options.remotePackByteCount)
    let hanging = Set(inspection.hanging)
    let shown = wanted.isEmpty ? nil : try shown()
    for (number, id) in wanted.enumerated() {
      if number & 0x3f == 0 {
        try progress(
          Progress(phase: "repairing \(remote.name)", done: number, total: wanted.count, unit: .objects))
      }
      let here = shown?.leads(to: id) ?? true
      guard let object = try inspection.objects.whole(id, here: here, readsOn: true) else {
        if !isNeeded(id) || hanging.contains(id) { continue }
        if here {
          result.lost.append(id)
        } else if try inspection.objects.whole(id) != nil {
          // Below what is whole nowhere it is not known what was meant.
          if inspection.need.surelyLeads(to: id) { result.withheld.append(id) }
        } else {
          result.lost.append(id)
        }
        continue
      }
      let stored = try shaped(id, object)
      try uploads.append(id, stored)
      written[id] = stored.base?.depth ?? 0
    }
    result.writtenObjectCount = written.count
    return try uploads.finish()
  }

  /// An object as it is put: with its base if that is there, and with no more bases than it had there, for others build on it.
  private func shaped(_ id: AnyID, _ object: StoredObject) throws(DSVError) -> StoredObject {
    guard let base = object.base else { return object }
    var baseDepth = written[base.id]
    if baseDepth == nil { baseDepth = try depthElsewhere(base.id) }
    let depth = try catalogue.baseDepth(of: id) ?? 0
    guard let baseDepth, baseDepth < base.depth, base.depth <= depth else {
      return try inspection.objects.withoutBase(id, object)
    }
    return object
  }

  /// Has the log give up the damaged packs for the new ones.
  ///
  /// Others may push meanwhile, as long as all that this one counts on is still there.
  private mutating func create(_ packs: [UploadedPack]) throws(DSVError) -> Bool {
    let indexes = Dictionary(packs.map { ($0.index.packID, $0.index) }) { first, _ in first }
    for _ in 0..<Push.attemptCountMax {
      var entry = RemoteEntry(
        number: position.number + 1, previous: position.digest, nonce: .random(),
        time: Clock.secondsSince1970())
      entry.condemned = condemned.values.sorted()
      entry.added = packs.map(\.logged)
      if try remote.create(entry) != nil {
        try remote.readOn(known: indexes)
        return true
      }
      try remote.readOn(isPushing: true, isForgiving: true)
      position = try catalogue.position
      for id in inspection.packs {
        guard let pack = try catalogue.pack(id), pack.condemnedTime == nil else { return false }
      }
      guard try areStillOurs(packs) else { return false }
      if drops, try !catalogue.refs().allSatisfy({ inspection.need.tips.contains($0.commit) }) {
        return false
      }
    }
    throw DSVError(.busy, "others kept pushing to '\(remote.name)' first; try again")
  }

  /// Whether packs that were put, and that no entry names yet, can be named by the next one.
  ///
  /// To somebody else's clean-up they are what a push left behind: it gives them up, and deletes them later. And what no pack
  /// held a push may have put meanwhile: it is the first then.
  private func areStillOurs(_ packs: [UploadedPack]) throws(DSVError) -> Bool {
    for pack in packs {
      guard try catalogue.pack(pack.index.packID) == nil, try remote.holds(pack) else { return false }
    }
    for id in inspection.missing where try catalogue.contains(id) { return false }
    return true
  }
}
