import DSVSystem

/// A folder of its own for a test; gone with it.
package final class TemporaryFolder: Sendable {
  package let path: String

  /// - Parameter inMemory: where there is a file system in memory, the folder is made there.
  package init(inMemory: Bool = false) throws {
    let hasMemory = try inMemory && FileSystem.exists("/dev/shm")
    let parent = hasMemory ? "/dev/shm" : FileSystem.temporaryFolder
    path = FileSystem.temporaryName(beside: "\(parent)/dsv-test")
    try FileSystem.makeFolder(path)
  }

  deinit { try? FileSystem.removeTree(path) }

  /// Writes a file of that name; returns its path.
  @discardableResult
  package func write(_ name: String, _ text: String) throws -> String {
    try write(name, Array(text.utf8))
  }

  @discardableResult
  package func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    let file = "\(path)/\(name)"
    try FileSystem.replace(file, with: bytes)
    return file
  }

  package func read(_ name: String) throws -> String {
    String(decoding: try FileSystem.read("\(path)/\(name)", limit: 1 << 30), as: UTF8.self)
  }
}
