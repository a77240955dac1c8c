public import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVVersions
import Synchronization

extension Repository {
  /// Adds a remote: a place that this repository can be pushed to and fetched from.
  ///
  /// Looks at the place: one that does not keep two who push at once apart can be read only, which is remembered with the reason.
  /// - Parameter url: `s3://BUCKET/PREFIX` or `file:///FOLDER`.
  /// - Throws: `conflict` if there is one of that name, `io` if the place cannot be reached.
  public func addRemote(
    _ name: String, url: String, endpoint: String? = nil, region: String? = nil, isPathStyle: Bool = false
  ) throws(DSVError) -> Remote {
    let address = RemoteAddress(url, endpoint: endpoint, region: region, isPathStyle: isPathStyle)
    return try addRemote(name, RemoteConfig(address))
  }

  func addRemote(_ name: String, _ config: RemoteConfig) throws(DSVError) -> Remote {
    try RefName.check(name)
    guard !name.contains("/"), !name.hasPrefix("."), name.utf8.count <= 100 else {
      throw DSVError(
        .badInput, "'\(name)' cannot be a remote's name: it has at most 100 bytes, no / and no dot in front")
    }
    try config.address.check()
    if try hasRemote(name) {
      throw DSVError(
        .conflict,
        "there is a remote '\(name)' already; 'dsv remote set-url \(name)' says where it is now, 'dsv remote remove \(name)' takes it away"
      )
    }
    var config = config
    _ = try look(at: &config)
    for path in ["\(store.root)/remotes", remoteFolder(name)] { try FileSystem.makeFolderIfMissing(path) }
    try write(config, of: name)
    attachRemotes()
    return Remote(name, config)
  }

  /// Says where a remote is now: it was moved, or is reached by another way. What is known of it stays, but that its packs have to be read back
  /// again before anything leaves this disk for them.
  ///
  /// Looks at the place as ``addRemote(_:url:endpoint:region:isPathStyle:)`` does.
  /// - Throws: `notFound` if there is no remote of that name; `conflict` if the place does not hold what was read of the remote until now.
  ///   Nothing was changed then.
  public func setRemoteURL(
    _ name: String, url: String, endpoint: String? = nil, region: String? = nil, isPathStyle: Bool = false
  ) throws(DSVError) -> Remote {
    let name = try remoteName(name)
    var config = try remoteConfig(name)
    config.address = RemoteAddress(url, endpoint: endpoint, region: region, isPathStyle: isPathStyle)
    try config.address.check()
    let catalogue = try catalogue(name)
    let (seen, position) = (try catalogue.seen, try catalogue.position)
    let known = seen.number > position.number ? seen : position
    var (place, cause): ((bucket: any Bucket, isThere: Bool)?, DSVError?) = (nil, nil)
    do throws(DSVError) { place = try look(at: &config, makes: known == .start) } catch {
      guard error.code == .notFound, known != .start else { throw error }
      cause = error
    }
    if known != .start {
      let advice =
        "copy the remote there first, whole, or add the place under another name and push to it; nothing was changed"
      guard let place, place.isThere else {
        throw DSVError(
          .conflict, "\(url) holds no dsv repository, and remote '\(name)' was read from: \(advice)",
          cause: cause)
      }
      do throws(DSVError) {
        _ = try RemoteLog(place.bucket, store.remoteKeys).read(after: known, seen: known) { _ in }
      } catch {
        guard error.code == .corrupt else { throw error }
        throw DSVError(
          .conflict, "\(url) does not hold what was read of remote '\(name)' until now: \(advice)",
          cause: error)
      }
      let lying = try PackVerification.listed(
        RemoteTier(name, place.bucket, CataloguedPlaces(catalogue, place.bucket, at: config.address)))
      for pack in try catalogue.allPacks where pack.condemnedTime == nil && lying[pack.key] != pack.byteCount
      {
        throw DSVError(
          .conflict,
          "\(url) lacks \(pack.key), or has another, which remote '\(name)' had when it was last looked at: copy the remote there whole, or, if it "
            + "was cleaned up since, 'dsv fetch' first; nothing was changed")
      }
    }
    try catalogue.forgetVerified { () throws(DSVError) in try write(config, of: name) }
    attachRemotes()
    return Remote(name, config)
  }

  /// Looks at a remote's place: whether it can be pushed to, and whether it may hold this repository.
  private func look(
    at config: inout RemoteConfig, makes: Bool = true
  ) throws(DSVError) -> (bucket: any Bucket, isThere: Bool) {
    let bucket = try options.open(config.address, makes: makes)
    config.readOnlyReason = try Self.reasonNotToPush(to: bucket)
    // A repository that was made of another one's key, or of a newer dsv, is found out now and not when something is pushed.
    guard let features = try RemoteLog(bucket).format() else { return (bucket, false) }
    try OpenRemote.check(features, isEncrypted: isEncrypted, of: config.address.url)
    return (bucket, true)
  }

  /// Why what is pushed to a place might be lost; `nil` if it keeps those apart who push at once.
  private static func reasonNotToPush(to bucket: any Bucket) throws(DSVError) -> String? {
    // Folders and what tests use keep what they promise.
    guard let bucket = bucket as? S3Bucket else { return nil }
    if case .readOnly(let reason) = try BucketProbe.run(bucket).verdict { return reason }
    return nil
  }

  /// Takes a remote away: what was fetched stays until a gc finds that nothing leads to it.
  ///
  /// - Throws: `conflict` if parts of this repository are only there.
  public func removeRemote(_ name: String) throws(DSVError) {
    let name = try remoteName(name)
    let folder = remoteFolder(name)
    let (isPartial, hasDemoted) = (
      try remoteConfig(name).scope.isPartial, try TierFolder(store).hasDemoted
    )
    if isPartial || hasDemoted {
      let count = try objectCount(onlyAt: name)
      guard count == 0 else {
        throw DSVError(
          .conflict,
          "remote '\(name)' holds \(count) objects or more that versions need and that are neither here nor on another remote: 'dsv tier promote' brings "
            + "versions here, 'dsv log' names them")
      }
    }
    // What only its branches led to need not be whole here ever after.
    if isPartial { try TierFolder(store).markDemoted() }
    try store.session().publish { (publication) throws(DSVError) in
      for (ref, _) in try publication.refs(prefix: RefName.remote(name)) {
        try publication.move(RefMove(ref, expected: .anything, new: nil, action: "remove remote: \(name)"))
      }
    }
    try FileSystem.removeTree(folder)
    attachRemotes()
  }

  /// How much of what gc keeps is neither here nor on another remote; what that leads to is not counted, nor what versions lack that
  /// only remotes' branches led to and that is on no remote at all.
  private func objectCount(onlyAt name: String) throws(DSVError) -> Int {
    var roots: Set<CommitID> = []
    for (_, target) in try store.refs() { if case .commit(let id) = target { roots.insert(id) } }
    for entry in try store.reflog() {
      for target in [entry.old, entry.new] { if case .commit(let id)? = target { roots.insert(id) } }
    }
    let others = remoteTiers.filter { $0.name != name }
    let own = try OwnVersions(store).tips.map(\.commit)
    let catalogue = try catalogue(name)
    let count = Mutex(0)
    let isOwn = Mutex(true)
    var walk = Reachability(
      versionsHere,
      isElsewhere: { (id) throws(DSVError) in
        for other in others {
          if let place = try other.places.place(of: id), place.pack.condemnedTime == nil { return true }
        }
        if isOwn.withLock({ $0 }) { return false }
        return try !catalogue.contains(id)
      }, onMissing: { _, _ in count.withLock { $0 += 1 } })
    for root in own { try walk.add(root) }
    isOwn.withLock { $0 = false }
    for root in roots where try store.contains(AnyID(root)) { try walk.add(root) }
    return count.withLock { $0 }
  }

  /// The remotes' branches as they were when last looked at: `origin/main`.
  public func remoteBranches() throws(DSVError) -> [(name: String, commit: CommitID)] {
    var found: [(name: String, commit: CommitID)] = []
    for (ref, target) in try store.refs(prefix: "remotes/") {
      let parts = ref.split(separator: "/", maxSplits: 3)
      guard case .commit(let id) = target, parts.count == 4, parts[2] == "heads" else { continue }
      found.append(("\(parts[1])/\(parts[3])", id))
    }
    return found
  }
}
