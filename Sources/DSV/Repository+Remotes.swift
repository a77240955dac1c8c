public import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem

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
    let (bucket, isThere) = try look(at: &config)
    let catalogue = try catalogue(name)
    let (seen, position) = (try catalogue.seen, try catalogue.position)
    let known = seen.number > position.number ? seen : position
    if known != .start {
      let advice =
        "copy the remote there first, whole, or add the place under another name and push to it; nothing was changed"
      guard isThere else {
        throw DSVError(
          .conflict, "\(url) holds no dsv repository, and remote '\(name)' was read from: \(advice)")
      }
      do throws(DSVError) {
        _ = try RemoteLog(bucket, store.remoteKeys).read(after: known, seen: known) { _ in }
      } catch {
        guard error.code == .corrupt else { throw error }
        throw DSVError(
          .conflict, "\(url) does not hold what was read of remote '\(name)' until now: \(advice)",
          cause: error)
      }
    }
    try catalogue.forgetVerified()
    try write(config, of: name)
    attachRemotes()
    return Remote(name, config)
  }

  /// Looks at a remote's place: whether it can be pushed to, and whether it may hold this repository.
  private func look(
    at config: inout RemoteConfig
  ) throws(DSVError) -> (bucket: any Bucket, isThere: Bool) {
    let bucket = try options.open(config.address, makes: true)
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
      throw DSVError(
        .conflict,
        "remote '\(name)' holds what this repository has left there; without it, that could not be read")
    }
    try store.session().publish { (publication) throws(DSVError) in
      for (ref, _) in try publication.refs(prefix: RefName.remote(name)) {
        try publication.move(RefMove(ref, expected: .anything, new: nil, action: "remove remote: \(name)"))
      }
    }
    try FileSystem.removeTree(folder)
    attachRemotes()
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
