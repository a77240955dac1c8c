import CSystem
package import DSVFormat
import Glibc

/// Where secrets come from outside: what is read into them leaves no copy behind.
package enum SecretInput {
  /// The whole of a small file, pipe or device.
  ///
  /// - Returns: what is in it, and whether somebody but its owner may read it.
  /// - Throws: `.badInput` if it has more than `limit` bytes.
  package static func file(
    _ path: String, limit: Int
  ) throws(DSVError) -> (secret: SecretBytes, isExposed: Bool) {
    let file = try File(path, .read)
    let status = try file.status()
    guard !status.isFolder else { throw DSVError(.badInput, "\(path): it is a folder") }
    let secret = try readAll(file, limit)
    return (secret, status.isRegular && !status.isPrivate)
  }

  /// The value of an environment variable, which is then gone: no child inherits it, and it stands in no list of variables.
  ///
  /// To be called while no other thread looks at the environment.
  package static func takeEnvironment(_ name: String) -> SecretBytes? {
    guard let value = getenv(name) else { return nil }
    let bytes = UnsafeMutableRawBufferPointer(start: value, count: strlen(value))
    let secret = SecretBytes(copying: UnsafeRawBufferPointer(bytes))
    Wiping.wipe(bytes)
    unsetenv(name)
    return secret
  }

  /// From now on the process leaves no core dump, and nobody but root may look into its memory.
  package static func hideProcess() { dsv_hide_process() }

  /// All that can still be read from `file`, one piece after another.
  static func readAll(_ file: File, _ limit: Int) throws(DSVError) -> SecretBytes {
    var count = 0
    let room = try SecretBytes(count: limit + 1) { (room) throws(DSVError) in
      while count < room.count {
        let rest = UnsafeMutableRawBufferPointer(rebasing: room[count...])
        let read = try file.readNext(into: rest)
        if read == 0 { break }
        count += read
      }
    }
    guard count <= limit else {
      throw DSVError(.badInput, "\(file.path): a key or passphrase has at most \(limit) bytes")
    }
    return room.withBytes { SecretBytes(copying: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
  }
}
