package import DSVFormat

/// Where objects can be had that are not in this repository's packs: a remote.
///
/// Asked when the store does not find an object. What it gives has been checked against its ID, and is whole by itself or
/// has a base that can be read the same way.
package protocol ObjectSource: Sendable {
  /// The object named `id`; `nil` if the source does not know it.
  ///
  /// One request is made for any number of threads that want the same object at once.
  func fetch(_ id: AnyID) throws(DSVError) -> StoredObject?

  /// Whether it is worth telling it what will be read: whether something is known not to be on the disk.
  var prefetches: Bool { get }

  /// Begins to fetch what will soon be read. Returns at once; what fails here fails again when it is read.
  ///
  /// - Parameter first: whether it is wanted before what was told earlier.
  func prefetch(_ ids: [AnyID], first: Bool)
}
