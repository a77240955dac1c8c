package import DSVFormat
package import DSVSystem

/// The file that a keyring lies in: rewritten whole, for its owner's eyes only.
package struct KeyringFile: Sendable {
  package let path: String

  package init(_ path: String) { self.path = path }

  /// As the file is now; another one after each change. `nil` if there is none.
  package func status() throws(DSVError) -> FileStatus? { try FileSystem.status(path) }

  package func read() throws(DSVError) -> SealedKeyring {
    try SealedKeyring(try FileSystem.read(path, limit: KeyringLayout.byteCountMax), of: path)
  }

  /// - Throws: `.wrongKey` if `key` is none that opens it.
  package func open(_ key: UserKey) throws(DSVError) -> Keyring { try Keyring(try read(), key, of: path) }

  /// As it is now, for whoever has opened it before.
  ///
  /// - Throws: `.wrongKey` if the key that it was opened with was revoked.
  package func reopen(_ keyring: Keyring) throws(DSVError) -> Keyring {
    try keyring.reopened(try read(), of: path)
  }

  /// Writes the first one.
  ///
  /// - Throws: `.conflict` if there is one already.
  package func create(_ keyring: Keyring) throws(DSVError) {
    guard try status() == nil else { throw DSVError(.conflict, "\(path): it is there already") }
    try replace(keyring)
  }

  /// Writes a changed one, which would survive a power cut. The caller holds the writer's lock.
  ///
  /// At every moment the file is the old or the new one. What others that were killed had begun to write is
  /// removed: a keyring that nobody has revoked anything from is not to lie around.
  package func replace(_ keyring: Keyring) throws(DSVError) {
    try removeLeftovers()
    try FileSystem.replace(path, with: try keyring.bytes(), isPrivate: true)
  }

  /// Removes what writers that were killed had begun. The caller holds the writer's lock.
  func removeLeftovers() throws(DSVError) {
    let folder = FileSystem.parent(of: path)
    let prefix = (path.split(separator: "/").last ?? "") + "."
    for name in try FileSystem.list(folder) where name.hasPrefix(prefix) {
      try FileSystem.remove("\(folder)/\(name)")
    }
  }
}
