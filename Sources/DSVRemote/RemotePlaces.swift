package import DSVFormat
package import DSVStore

/// What is known here of where a remote keeps its objects. Asked by many threads.
package protocol RemotePlaces: Sendable {
  /// Where the remote has an object, or, in a pack that is condemned, may still have it; `nil` if it is not known to have it.
  /// Does not ask the remote.
  func place(of id: AnyID) throws(DSVError) -> RemotePlace?

  /// Every object that the remote is said to have in a pack, and where. May ask the remote.
  func objects(in pack: RemotePack) throws(DSVError) -> [(AnyID, RemotePlace)]

  /// Remembers that a pack was read back whole, and is what it should be over what packs in other slots hold.
  ///
  /// - Returns: `false` if the remote is somewhere else by now.
  func markVerified(_ pack: PackID, over slots: [UInt32]) throws(DSVError) -> Bool

  /// Forgets that a pack was read back: a read found it damaged or gone.
  func forgetVerified(_ pack: PackID) throws(DSVError)

  /// The pack of that slot, as it is now known; `nil` if it is gone.
  func pack(slot: UInt32) throws(DSVError) -> RemotePack?

  /// How many objects the remote holds, and how many bytes its packs have.
  var totals: (objectCount: Int, byteCount: Int) { get throws(DSVError) }

  /// What reads the records of a pack.
  func codec(of pack: RemotePack) throws(DSVError) -> PackCodec

  /// Looks at the remote for what is new there: what is known may have been given up.
  func refresh() throws(DSVError)

  /// Whether nothing is known yet of what the remote holds, as it was never asked.
  var isUnread: Bool { get throws(DSVError) }

  /// The commits that the remote's branches and tags name, as far as that is known: what they lead to its clean-up keeps. `nil`
  /// where it keeps all that it has.
  func tips() throws(DSVError) -> [CommitID]?
}

extension RemotePlaces {
  package func refresh() throws(DSVError) {}
  package var isUnread: Bool { get throws(DSVError) { false } }
  package func tips() throws(DSVError) -> [CommitID]? { nil }
}

/// A remote that objects are read from when they are not here.
package struct RemoteTier: Sendable {
  /// What users call it: `origin`.
  package let name: String
  package let bucket: any Bucket
  package let places: any RemotePlaces

  package init(_ name: String, _ bucket: any Bucket, _ places: any RemotePlaces) {
    (self.name, self.bucket, self.places) = (name, bucket, places)
  }
}

/// A catalogue, and where the indexes of the packs lie that it was made from.
package struct CataloguedPlaces: RemotePlaces {
  package let catalogue: Catalogue
  package let bucket: any Bucket
  /// Where that is.
  package let address: RemoteAddress

  package init(_ catalogue: Catalogue, _ bucket: any Bucket, at address: RemoteAddress) {
    (self.catalogue, self.bucket, self.address) = (catalogue, bucket, address)
  }

  package func place(of id: AnyID) throws(DSVError) -> RemotePlace? {
    if let place = try catalogue.place(of: id) { return place }
    return try catalogue.formerPlace(of: id)
  }
  package func markVerified(_ pack: PackID, over slots: [UInt32]) throws(DSVError) -> Bool {
    try catalogue.markVerified(pack, over: slots, at: address)
  }
  package func forgetVerified(_ pack: PackID) throws(DSVError) { try catalogue.forgetVerified(pack) }
  package func pack(slot: UInt32) throws(DSVError) -> RemotePack? { try catalogue.pack(slot: slot) }
  package func codec(of pack: RemotePack) throws(DSVError) -> PackCodec { try catalogue.codec(of: pack) }

  package func objects(in pack: RemotePack) throws(DSVError) -> [(AnyID, RemotePlace)] {
    let index = try PackIndex.read(of: pack.id, byteCount: pack.byteCount, from: bucket)
    return index.entries.map { ($0.id, RemotePlace(pack, $0.place(in: pack.slot))) }
  }

  package func refresh() throws(DSVError) {
    try catalogue.readOn(RemoteLog(bucket, catalogue.sealer))
  }

  package var isUnread: Bool { get throws(DSVError) { try catalogue.position == .start } }
  package func tips() throws(DSVError) -> [CommitID]? { try catalogue.refs().map(\.commit) }

  package var totals: (objectCount: Int, byteCount: Int) {
    get throws(DSVError) {
      let packs = try catalogue.allPacks.filter { $0.condemnedTime == nil }
      return (try catalogue.objectCount, packs.reduce(0) { $0 + $1.byteCount })
    }
  }
}

extension RemotePack {
  /// The pack as somebody knows it who knows its length: the log does not tell that of every one that was given up.
  package func withLength(_ byteCount: Int) -> RemotePack {
    RemotePack(
      slot: slot, id: id, byteCount: byteCount, condemnedTime: condemnedTime, verifiedOver: verifiedOver,
      isLacking: isLacking, wrappedKey: wrappedKey)
  }

  /// A pack that no log names.
  package init(slot: UInt32, id: PackID, byteCount: Int) {
    self.init(
      slot: slot, id: id, byteCount: byteCount, condemnedTime: nil, verifiedOver: nil, isLacking: false,
      wrappedKey: [])
  }
}
