package import DSVFormat
package import DSVStore

/// A pack of a remote.
package struct RemotePack: Sendable, Hashable {
  /// The number that ``Place/pack`` has for it here.
  package let number: UInt32
  /// The 16 bytes that its header names it by.
  package let id: [UInt8]
  package let byteCount: Int

  package init(number: UInt32, id: [UInt8], byteCount: Int) {
    (self.number, self.id, self.byteCount) = (number, id, byteCount)
  }

  /// The ID in hexadecimal.
  package var name: String {
    id.map { byte in
      let digits = String(byte, radix: 16)
      return digits.utf8.count == 1 ? "0" + digits : digits
    }.joined()
  }

  /// Where it lies in a bucket.
  package var key: String { "packs/\(name).pack" }
}

/// What is known here of what a remote holds. Asked by many threads; does not ask the remote.
package protocol RemotePlaces: Sendable {
  /// Where the remote has an object; `nil` if it is not known to have it.
  func place(of id: AnyID) throws(DSVError) -> Place?

  /// A pack that some place names; `nil` if there is none of that number.
  func pack(_ number: UInt32) throws(DSVError) -> RemotePack?

  /// Every pack of the remote.
  var packs: [RemotePack] { get throws(DSVError) }

  /// Every object that the remote is said to have in a pack. May ask the remote.
  func objects(in pack: RemotePack) throws(DSVError) -> [(AnyID, Place)]

  /// How many objects the remote holds, and how many bytes they take there.
  var totals: (objectCount: Int, byteCount: Int) { get throws(DSVError) }

  /// The object in a sound record of a pack.
  ///
  /// - Throws: `.wrongKey`, `.corrupt` where it is sealed and cannot be opened.
  func open(_ found: RecordBytes.Found, in pack: RemotePack) throws(DSVError) -> StoredObject
}

extension RemotePlaces {
  package func open(_ found: RecordBytes.Found, in pack: RemotePack) throws(DSVError) -> StoredObject {
    found.object
  }
}

/// A remote that objects can be read from.
package struct Remote: Sendable {
  /// What users call it: `origin`.
  package let name: String
  package let bucket: any Bucket
  package let places: any RemotePlaces

  package init(_ name: String, _ bucket: any Bucket, _ places: any RemotePlaces) {
    (self.name, self.bucket, self.places) = (name, bucket, places)
  }
}
