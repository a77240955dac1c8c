import DSVColumns
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVVersions

/// Puts anew what was found to be damaged of a remote.
struct RemoteRepair {
  private let repository: Repository
  private let remote: OpenRemote
  private let inspection: RemoteInspection
  /// How far the log was read when the packs were looked at.
  private var position: LogPosition
  private let progress: ProgressHandler
  /// The packs that are given up, by slot.
  private let condemned: [UInt32: PackID]
  /// How many bases objects have where they will be found from then on.
  private var written: [AnyID: Int] = [:]
  private(set) var result: RemoteCheckResult

  init(
    _ repository: Repository, _ remote: OpenRemote, _ inspection: RemoteInspection, at position: LogPosition,
    _ progress: @escaping ProgressHandler
  ) throws(DSVError) {
    (self.repository, self.remote, self.inspection) = (repository, remote, inspection)
    (self.position, self.progress, result) = (position, progress, inspection.result)
    var condemned: [UInt32: PackID] = [:]
    for finding in inspection.findings where !finding.needsIndexOnly {
      condemned[finding.pack.slot] = finding.pack.id
    }
    self.condemned = condemned
    result.lost = inspection.hanging
  }

  private var catalogue: Catalogue { remote.catalogue }

  /// Finds out what is whole nowhere, and changes nothing.
  mutating func findLost() throws(DSVError) {
    var bad = Set(inspection.findings.flatMap(\.bad)).union(inspection.missing)
    bad.subtract(inspection.hanging)
    for id in try wanted() where bad.contains(id) {
      if try inspection.objects.whole(id) == nil { result.lost.append(id) }
    }
  }

  /// - Returns: `false` if somebody else gave up packs meanwhile that were counted on.
  mutating func run() throws(DSVError) -> Bool {
    let live = try catalogue.allPacks.filter { $0.condemnedTime == nil }.map(\.id)
    for finding in inspection.findings where finding.needsIndexOnly {
      guard let index = finding.index else { continue }
      try remote.bucket.put(RemoteLayout.index(index.packID), index.bytes)
      result.restoredIndexCount += 1
    }
    let packs = try upload(try wanted())
    guard !condemned.isEmpty || !packs.isEmpty else {
      // What its index says is known from now on.
      try remote.readOn()
      return true
    }
    guard try create(packs, live: live) else { return false }
    result.condemnedPackCount = condemned.count
    result.writtenPackCount = packs.count
    return true
  }

  /// What is to be put anew: of packs that are given up what lies in no other one, and what is in none. In the order in which it is put.
  private func wanted() throws(DSVError) -> [AnyID] {
    var found: [(id: AnyID, depth: Int)] = inspection.missing.map { ($0, 0) }
    var seen = Set(inspection.missing)
    for finding in inspection.findings where condemned[finding.pack.slot] != nil {
      for (id, _) in finding.items where seen.insert(id).inserted {
        if try depthElsewhere(id) != nil { continue }
        found.append((id, try catalogue.baseDepth(of: id) ?? 0))
      }
    }
    // What others build on comes before them.
    return (0...ObjectBase.depthMax).flatMap { depth in found.filter { $0.depth == depth }.map(\.id) }
  }

  /// How many bases an object has in the first of the packs that stay; `nil` where it is in none.
  private func depthElsewhere(_ id: AnyID) throws(DSVError) -> Int? {
    guard let place = try catalogue.place(of: id) else { return nil }
    if condemned[place.pack.slot] == nil { return place.baseDepth }
    return try catalogue.spares(of: id).first { condemned[$0.pack.slot] == nil }?.baseDepth
  }

  private mutating func upload(_ wanted: [AnyID]) throws(DSVError) -> [UploadedPack] {
    let uploads = PackUploads(
      remote.bucket, remote.sealer, nil, packByteCount: repository.options.remotePackByteCount)
    let hanging = Set(inspection.hanging)
    for (number, id) in wanted.enumerated() {
      if number & 0x3f == 0 {
        try progress(
          Progress(phase: "repairing \(remote.name)", done: number, total: wanted.count, unit: .objects))
      }
      guard let object = try inspection.objects.whole(id, readsOn: true) else {
        if !hanging.contains(id) { result.lost.append(id) }
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
  private mutating func create(_ packs: [UploadedPack], live: [PackID]) throws(DSVError) -> Bool {
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
      for id in live {
        guard let pack = try catalogue.pack(id), pack.condemnedTime == nil else { return false }
      }
      guard try areStillOurs(packs) else { return false }
    }
    throw DSVError(.busy, "others kept pushing to '\(remote.name)' first; try again")
  }

  /// Whether packs that were put, and that no entry names yet, can be named by the next one.
  ///
  /// To somebody else's clean-up they are what a push left behind: it gives them up, and deletes them later. And what no pack
  /// held a push may have put meanwhile: it is the first then.
  private func areStillOurs(_ packs: [UploadedPack]) throws(DSVError) -> Bool {
    for pack in packs {
      let (id, byteCount) = (pack.index.packID, pack.index.packByteCount)
      guard try catalogue.pack(id) == nil else { return false }
      let there = try remote.bucket.list(prefix: "\(RemoteLayout.packPrefix)\(id).", after: nil, limit: 3)
      guard there.map(\.key) == [RemoteLayout.index(id), RemoteLayout.pack(id)],
        there[1].byteCount == byteCount
      else { return false }
    }
    for id in inspection.missing where try catalogue.contains(id) { return false }
    return true
  }
}
