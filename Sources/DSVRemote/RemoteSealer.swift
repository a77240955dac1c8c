package import DSVFormat
package import DSVStore

/// What makes an encrypted remote of a plain one; where there is none, everything is kept as it is.
///
/// Threads may share one.
package protocol RemoteSealer: Sendable {
  /// What is kept under `key`, a log entry or a checkpoint: a token that only opens under that key.
  func seal(_ plain: [UInt8], key: String) throws(DSVError) -> [UInt8]
  func open(_ sealed: [UInt8], key: String) throws(DSVError) -> [UInt8]

  /// A new pack's key, as ``LoggedPack/key`` carries it.
  func newPackKey(_ pack: PackID) throws(DSVError) -> [UInt8]

  /// A pack's key as the catalogue may keep it on the disk, and back.
  func wrap(_ packKey: [UInt8], of pack: PackID) throws(DSVError) -> [UInt8]
  func unwrap(_ wrapped: [UInt8], of pack: PackID) throws(DSVError) -> [UInt8]

  /// An object as a record of that pack, header and body.
  func record(_ id: AnyID, _ object: StoredObject, packKey: [UInt8]) throws(DSVError) -> [UInt8]
  /// The object in such a record, which is authenticated.
  func object(
    _ id: AnyID, in record: UnsafeRawBufferPointer, packKey: [UInt8], of subject: String
  ) throws(DSVError) -> StoredObject
}
