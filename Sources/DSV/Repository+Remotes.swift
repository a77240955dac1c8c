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
        .conflict, "there is a remote '\(name)' already; 'dsv remote remove \(name)' takes it away")
    }
    var config = config
    let bucket = try options.open(config.address, makes: true)
    config.readOnlyReason = try Self.reasonNotToPush(to: bucket)
    // A repository that was made of another one's key, or of a newer dsv, is found out now and not when something is pushed.
    if let features = try RemoteLog(bucket).format() {
      try OpenRemote.check(features, isEncrypted: isEncrypted, of: config.address.url)
    }
    for path in ["\(store.root)/remotes", remoteFolder(name)] { try FileSystem.makeFolderIfMissing(path) }
    try write(config, of: name)
    attachRemotes()
    return Remote(name, config)
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
