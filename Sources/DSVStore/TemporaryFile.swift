package import DSVFormat
package import DSVSystem

/// A file in the repository's `tmp/` for what does not fit into memory. Gone when it is let go or its process dies.
///
/// Its owner holds a lock on it, so that others know it from one whose owner is dead.
package final class TemporaryFile: Sendable {
  package let file: File

  init(in folder: String) throws(DSVError) {
    while true {
      let file = try File("\(folder)/\(Random.hexDigits(16))", .create)
      // A sweep that comes between creation and lock removes the file: then another is made.
      if try file.tryLock(.exclusive), try FileSystem.exists(file.path) {
        self.file = file
        return
      }
    }
  }

  deinit {
    do throws(DSVError) {
      try FileSystem.remove(file.path)
    } catch {
      // It stays until the next sweep.
    }
  }

  /// Removes the files whose owners are dead.
  static func sweep(_ folder: String) throws(DSVError) {
    for name in try FileSystem.list(folder) {
      do throws(DSVError) {
        let file = try File("\(folder)/\(name)", .read)
        if try file.tryLock(.exclusive) { try FileSystem.remove(file.path) }
      } catch {
        guard error.code == .notFound else { throw error }
      }
    }
  }
}

extension Store {
  /// A new file in `tmp/`, for what may lie on a disk as it is.
  package func temporaryFile() throws(DSVError) -> TemporaryFile { try TemporaryFile(in: folder.temporary) }
}
