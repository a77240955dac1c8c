import DSVFormat
import DSVRemote
import DSVStore

/// What of a remote's packs is not what its log says.
struct RemoteInspection {
  /// A pack that is damaged or gone, or whose index is.
  struct Finding: Sendable {
    let pack: RemotePack
    /// What is wrong with the pack itself; with its index; and with one of its objects.
    var problem: String?
    var indexProblem: String?
    var objectProblem: String?
    /// All that it should hold, as far as that is known.
    var items: [(id: AnyID, place: RemotePlace)] = []
    /// What of that cannot be had from it.
    var bad: [AnyID] = []
    /// What lies in it as it should, and builds on something that is whole nowhere or in no pack.
    var hanging: [(id: AnyID, base: AnyID)] = []
    /// What the objects build on that lie in it as they should.
    var bases: Set<AnyID> = []
    /// What its index should be, where the pack says so and is whole.
    var index: PackIndex?

    /// Whether it serves again once its index is put.
    var needsIndexOnly: Bool { problem == nil && bad.isEmpty && index != nil }
    var isSound: Bool { problem == nil && indexProblem == nil && bad.isEmpty }
  }

  /// In the order of the log.
  private(set) var findings: [Finding] = []
  /// The packs that were looked at: what was found counts on each of them.
  let packs: [PackID]
  /// What lies there as it should and builds on what is whole nowhere: of use once somebody has put that.
  private(set) var hanging: [AnyID] = []
  /// What objects build on that can be had, by the slot of their pack.
  let bases: [UInt32: Set<AnyID>]
  /// Whether some packs' objects were not known, so that nothing could be said of what builds on them.
  let isLacking: Bool
  let objects: WholeObjects
  let need: RemoteNeed
  private(set) var result: RemoteCheckResult

  /// What the remote's refs need and no pack is known to hold.
  var missing: [AnyID] { need.missing }
  var isWhole: Bool { findings.isEmpty && missing.isEmpty }

  init(
    _ repository: Repository, _ remote: OpenRemote, _ progress: @escaping ProgressHandler
  ) throws(DSVError) {
    objects = WholeObjects(repository.store, remote)
    let packs = try remote.catalogue.allPacks.filter { $0.condemnedTime == nil }
    self.packs = packs.map(\.id)
    let inspector = try PackInspector(remote, objects)
    isLacking = inspector.isLacking
    var (found, bases): ([Finding], [UInt32: Set<AnyID>]) = ([], [:])
    var result = RemoteCheckResult(remote: remote.name)
    func keep(_ finding: Finding) {
      (result.packCount, result.byteCount) = (result.packCount + 1, result.byteCount + finding.pack.byteCount)
      result.objectCount += finding.items.count
      if !finding.bases.isEmpty { bases[finding.pack.slot] = finding.bases }
      if !finding.isSound || !finding.hanging.isEmpty || finding.pack.isLacking { found.append(finding) }
    }
    var doubtful: [RemotePack] = []
    var byteCount = 0
    let total = packs.reduce(0) { $0 + $1.byteCount }
    try Self.inspect(packs, inspector, known: nil) { (finding) throws(DSVError) in
      try progress(
        Progress(phase: "reading back \(remote.name)", done: byteCount, total: total, unit: .bytes))
      byteCount += finding.pack.byteCount
      if finding.isSound { keep(finding) } else { doubtful.append(finding.pack) }
    }
    // What was damaged on its way is sound now.
    try Self.inspect(doubtful, inspector, known: try inspector.known(of: doubtful)) { keep($0) }
    found.sort { $0.pack.slot < $1.pack.slot }
    for finding in found where finding.pack.isLacking {
      objects.add(finding.items.map { ($0.id, $0.place) })
    }
    (findings, self.bases, self.result) = (found, bases, result)
    need = try RemoteNeed(remote, objects, progress)
    try settleHanging(remote.catalogue)
    findings = findings.filter { !$0.isSound }
    // What leaves the disk for them must be looked at again first.
    for finding in findings { try remote.catalogue.forgetVerified(finding.pack.id) }
    self.result.missingCount = missing.count
    self.result.damaged = findings.map { finding in
      let problem = finding.problem ?? finding.objectProblem ?? finding.indexProblem ?? ""
      return RemoteCheckResult.Pack(key: finding.pack.key, problem: problem, objectCount: finding.bad.count)
    }
  }

  /// Looks into packs, two at a time: each takes a pack's length of memory.
  private static func inspect(
    _ packs: [RemotePack], _ inspector: PackInspector, known: [UInt32: [PackInspector.Item]]?,
    _ body: (Finding) throws(DSVError) -> Void
  ) throws(DSVError) {
    for start in stride(from: 0, to: packs.count, by: 2) {
      let group = Array(packs[start...].prefix(2))
      let found = try Parallel.map(group.count, width: 2) { (number) throws(DSVError) in
        try inspector.inspect(group[number], known: known?[group[number].slot])
      }
      for finding in found { try body(finding) }
    }
  }

  /// Finds out what becomes of objects whose base is whole nowhere, or in no pack.
  private mutating func settleHanging(_ catalogue: Catalogue) throws(DSVError) {
    let missing = Set(missing)
    var bases: [AnyID: Bool] = [:]
    for index in findings.indices {
      for (id, base) in findings[index].hanging {
        var isWhole = bases[base]
        if isWhole == nil { isWhole = try objects.whole(base) != nil }
        bases[base] = isWhole
        if isWhole == true {
          // Put in its place, the base serves those that build on it.
          if missing.contains(base) { continue }
          if try catalogue.contains(base) { continue }
        } else if try objects.whole(id) == nil {
          if need.leads(to: id) { hanging.append(id) }
          continue
        }
        findings[index].bad.append(id)
        if findings[index].objectProblem == nil {
          findings[index].objectProblem = "object \(id): the remote does not have its base \(base) whole"
        }
      }
    }
  }
}
