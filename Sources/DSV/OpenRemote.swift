import DSVColumns
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVVersions

/// A remote of a repository, ready for use.
struct OpenRemote: Sendable {
  let name: String
  let folder: String
  let config: RemoteConfig
  let bucket: any Bucket
  let sealer: RemoteKeys?
  let catalogue: Catalogue
  let store: Store
  /// What the remote's keyring is known to have, so that it need not be asked again.
  let syncedKeys = SyncedKeys()

  var log: RemoteLog { RemoteLog(bucket, sealer) }
  var journal: PushJournal { PushJournal(folder, sealer) }
  var reader: RemoteReader { RemoteReader(bucket, catalogue) }
  var tier: RemoteTier { RemoteTier(name, bucket, CataloguedPlaces(catalogue, bucket, at: config.address)) }

  /// Takes in what is new in the remote's log.
  ///
  /// - Parameters:
  ///   - known: indexes of packs that were just put.
  ///   - isPushing: whether the remote's keyring is to have what this repository's has.
  ///   - isForgiving: whether packs may stay whose indexes are gone or damaged.
  /// - Returns: `false` if there is no repository yet.
  @discardableResult
  func readOn(
    known: [PackID: PackIndex] = [:], isPushing: Bool = false, isForgiving: Bool = false
  ) throws(DSVError) -> Bool {
    if try catalogue.position == .start {
      guard let features = try log.format() else { return false }
      try Self.check(features, isEncrypted: sealer != nil, of: config.address.url)
    }
    try syncKeyring(isPushing: isPushing)
    do throws(DSVError) { try catalogue.readOn(log, known: known, isForgiving: isForgiving) } catch {
      // Keys may have been exchanged since: then what follows is sealed with the new ones.
      guard sealer != nil, error.code == .corrupt, try syncKeyring(isPushing: false) else { throw error }
      try catalogue.readOn(log, known: known, isForgiving: isForgiving)
    }
    return true
  }

  /// Whether a pack that was put is there still, whole and with its index: to a clean-up, what no entry names was left behind.
  func holds(_ pack: UploadedPack) throws(DSVError) -> Bool {
    let id = pack.index.packID
    let there = try bucket.list(prefix: "\(RemoteLayout.packPrefix)\(id).", after: nil, limit: 3)
    return there.map(\.key) == [RemoteLayout.index(id), RemoteLayout.pack(id)]
      && there[1].byteCount == pack.index.packByteCount
  }

  /// An encrypted repository does not go to a remote that anyone can read, nor a plain one to where nobody could read it.
  static func check(_ features: Set<String>, isEncrypted: Bool, of url: String) throws(DSVError) {
    guard features.contains("encryption") != isEncrypted else { return }
    throw DSVError(
      .conflict,
      isEncrypted
        ? "\(url) holds a plain repository, and this one is encrypted; give it a place of its own"
        : "\(url) holds an encrypted repository, and this one is plain: 'dsv clone' it with its key, or see 'dsv encrypt'"
    )
  }
}

/// A place that a repository can be pushed to and fetched from.
public struct Remote: Sendable, Hashable {
  public let name: String
  public let url: String
  public let endpoint: String?
  public let region: String?
  public let isPathStyle: Bool
  /// Why nothing may be pushed there; `nil` where it may.
  public let readOnlyReason: String?

  init(_ name: String, _ config: RemoteConfig) {
    self.name = name
    (url, endpoint, region) = (config.address.url, config.address.endpoint, config.address.region)
    (isPathStyle, readOnlyReason) = (config.address.isPathStyle, config.readOnlyReason)
  }
}

extension Repository {
  static let defaultRemote = "origin"
  private var remotesFolder: String { "\(store.root)/remotes" }
  func remoteFolder(_ name: String) -> String { "\(remotesFolder)/\(name)" }

  /// The repository's remotes, by name.
  public func remotes() throws(DSVError) -> [Remote] {
    guard try FileSystem.exists(remotesFolder) else { return [] }
    var remotes: [Remote] = []
    for name in try FileSystem.list(remotesFolder) where try FileSystem.exists("\(remoteFolder(name))/config")
    {
      remotes.append(Remote(name, try RemoteConfig(folder: remoteFolder(name))))
    }
    return remotes
  }

  /// Says of which remotes something is known here, and no more where they are.
  func noteLostConfigs() throws(DSVError) {
    guard try FileSystem.exists(remotesFolder) else { return }
    for name in try FileSystem.list(remotesFolder) where try !hasRemote(name) {
      let folder = remoteFolder(name)
      guard try FileSystem.exists("\(folder)/seen") else { continue }
      options.note(
        "\(folder)/config: it is gone, and so nothing is read from remote '\(name)': 'dsv remote add \(name) URL' says where it is; if it was "
          + "being taken away, delete \(folder)")
    }
  }

  /// What is set of a remote.
  func remoteConfig(_ name: String) throws(DSVError) -> RemoteConfig {
    var config = try RemoteConfig(folder: remoteFolder(name))
    if config.isScopeSealed {
      let bytes = try store.remoteScope(name, limit: RemoteConfig.byteCountMax)
      try config.read(String(decoding: bytes, as: UTF8.self), of: "\(remoteFolder(name))/fetch")
    }
    return config
  }

  /// Keeps what is set of a remote, whose folder is there. Names of an encrypted repository's columns are sealed.
  func write(_ config: RemoteConfig, of name: String) throws(DSVError) {
    var config = config
    config.isScopeSealed = isEncrypted && config.scope.hasNames
    if config.isScopeSealed { try store.writeRemoteScope(Array(config.scope.text.utf8), of: name) }
    try config.write(to: remoteFolder(name))
  }

  func hasRemote(_ name: some StringProtocol) throws(DSVError) -> Bool {
    guard !name.isEmpty, !name.contains("/"), !name.hasPrefix(".") else { return false }
    return try FileSystem.exists("\(remoteFolder(String(name)))/config")
  }

  /// The remote of that name; if none is named, `origin` or the only one.
  func remoteName(_ name: String?) throws(DSVError) -> String {
    let all = try remotes().map(\.name)
    if let name {
      guard all.contains(name) else {
        let known = all.isEmpty ? "there is none" : "there are: \(all.joined(separator: ", "))"
        throw DSVError(.notFound, "there is no remote '\(name)'; \(known); see 'dsv remote add'")
      }
      return name
    }
    if all.contains(Self.defaultRemote) { return Self.defaultRemote }
    guard let first = all.first else {
      throw DSVError(
        .notFound, "there is no remote; name one with 'dsv remote add origin s3://BUCKET/PREFIX'")
    }
    guard all.count == 1 else {
      throw DSVError(.badInput, "there are several remotes; name one of: \(all.joined(separator: ", "))")
    }
    return first
  }

  /// What is known here of a remote, without looking there.
  func catalogue(_ name: String) throws(DSVError) -> Catalogue {
    try Catalogue(remoteFolder(name), store.remoteKeys, note: options.note)
  }

  /// - Parameter makes: whether a folder that is to be pushed to is made.
  func openRemote(_ name: String?, makes: Bool = false) throws(DSVError) -> OpenRemote {
    let name = try remoteName(name)
    let config = try remoteConfig(name)
    return OpenRemote(
      name: name, folder: remoteFolder(name), config: config,
      bucket: try options.open(config.address, makes: makes),
      sealer: store.remoteKeys, catalogue: try catalogue(name), store: store)
  }

  /// Whether `other` is `commit` or led to it.
  func isAncestor(_ other: CommitID, of commit: CommitID) throws(DSVError) -> Bool {
    try versions.isAncestor(other, of: commit, in: store)
  }
}

extension VersionReader {
  func isAncestor(_ other: CommitID, of commit: CommitID, in store: Store) throws(DSVError) -> Bool {
    if other == commit { return true }
    let lowest = try store.number(of: other) ?? 0
    var seen: Set<CommitID> = [commit]
    var waiting = [commit]
    while let id = waiting.popLast() {
      for parent in try self.commit(id).parents where seen.insert(parent).inserted {
        if parent == other { return true }
        // Numbers grow from parents to children.
        if try store.number(of: parent) ?? .max > lowest { waiting.append(parent) }
      }
    }
    return false
  }
}
