import DSVFormat
import DSVRemote
import DSVStore
import Synchronization

/// A value that is made when it is first wanted. What keeps it from being made is told each time.
private final class Later<Value: Sendable>: Sendable {
  private let value = Mutex<Value?>(nil)
  private let make: @Sendable () throws(DSVError) -> Value

  init(_ make: @escaping @Sendable () throws(DSVError) -> Value) { self.make = make }

  func get() throws(DSVError) -> Value {
    try value.withLock { (value) throws(DSVError) in
      if let value { return value }
      let made = try make()
      value = made
      return made
    }
  }
}

/// A bucket that is opened when something is asked of it: a repository that has all it needs asks for no credentials.
struct LazyBucket: Bucket {
  let name: String
  private let later: Later<any Bucket>

  init(_ name: String, _ open: @escaping @Sendable () throws(DSVError) -> any Bucket) {
    (self.name, later) = (name, Later(open))
  }

  func get(_ key: String, limit: Int) throws(DSVError) -> [UInt8]? { try later.get().get(key, limit: limit) }
  func get(_ key: String, range: Range<Int>) throws(DSVError) -> [UInt8] {
    try later.get().get(key, range: range)
  }
  func put(_ key: String, _ bytes: [UInt8]) throws(DSVError) { try later.get().put(key, bytes) }
  func create(_ key: String, _ bytes: [UInt8]) throws(DSVError) -> Bool {
    try later.get().create(key, bytes)
  }
  func list(prefix: String, after: String?, limit: Int) throws(DSVError) -> [BucketEntry] {
    try later.get().list(prefix: prefix, after: after, limit: limit)
  }
  func delete(_ keys: [String]) throws(DSVError) { try later.get().delete(keys) }
}

/// A remote's catalogue, opened when it is first asked.
struct LazyPlaces: RemotePlaces {
  private let later: Later<CataloguedPlaces>
  /// Learns the keys that others may have exchanged; whether there was something to learn from.
  private let learnKeys: @Sendable () throws(DSVError) -> Bool

  init(
    learnKeys: @escaping @Sendable () throws(DSVError) -> Bool,
    _ open: @escaping @Sendable () throws(DSVError) -> CataloguedPlaces
  ) {
    (self.learnKeys, later) = (learnKeys, Later(open))
  }

  func place(of id: AnyID) throws(DSVError) -> RemotePlace? { try later.get().place(of: id) }
  func objects(in pack: RemotePack) throws(DSVError) -> [(AnyID, RemotePlace)] {
    try later.get().objects(in: pack)
  }
  func markVerified(_ pack: PackID, over slots: [UInt32]) throws(DSVError) -> Bool {
    try later.get().markVerified(pack, over: slots)
  }
  func forgetVerified(_ pack: PackID) throws(DSVError) { try later.get().forgetVerified(pack) }
  func pack(slot: UInt32) throws(DSVError) -> RemotePack? { try later.get().pack(slot: slot) }
  var totals: (objectCount: Int, byteCount: Int) { get throws(DSVError) { try later.get().totals } }
  func codec(of pack: RemotePack) throws(DSVError) -> PackCodec { try later.get().codec(of: pack) }
  func refresh() throws(DSVError) {
    let places = try later.get()
    do throws(DSVError) { try places.refresh() } catch {
      // What follows an exchange of keys is sealed with the new ones.
      guard error.code == .corrupt, try learnKeys() else { throw error }
      try places.refresh()
    }
  }

  var isUnread: Bool { get throws(DSVError) { try later.get().isUnread } }
  func tips() throws(DSVError) -> [CommitID]? { try later.get().tips() }
}

extension Repository {
  /// Makes what is not on this disk be read from the repository's remotes.
  ///
  /// What keeps one from being read is told when something is asked of it: a repository must open without its remotes.
  func attachRemotes() {
    do throws(DSVError) {
      try noteLostConfigs()
      var tiers: [RemoteTier] = []
      var isPartial = try TierFolder(store).hasDemoted
      for remote in try remotes() {
        let name = remote.name
        let config = try remoteConfig(name)
        isPartial = isPartial || config.scope.isPartial
        let bucket = LazyBucket(config.address.url) { [options] () throws(DSVError) in
          try options.open(config.address, makes: false)
        }
        let (folder, note, sealer) = (remoteFolder(name), options.note, store.remoteKeys)
        let learnKeys: @Sendable () throws(DSVError) -> Bool = { () throws(DSVError) in
          guard let sealer else { return false }
          return try OpenRemote.learnKeys(bucket, folder, sealer)
        }
        let places = LazyPlaces(learnKeys: learnKeys) { () throws(DSVError) in
          CataloguedPlaces(try Catalogue(folder, sealer, note: note), bucket, at: config.address)
        }
        tiers.append(RemoteTier(name, bucket, places))
      }
      attach(tiers, isPartial: isPartial)
    } catch {
      options.note("remotes are not read from: \(error.message)")
      store.attach(nil)
    }
  }
}
