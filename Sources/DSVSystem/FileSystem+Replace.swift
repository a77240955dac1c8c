import CSystem
package import DSVFormat
import Glibc

extension FileSystem {
  /// The whole of a small file.
  ///
  /// - Throws: `.corrupt` if it is longer than `limit`, which is checked before anything is allocated.
  package static func read(_ path: String, limit: Int) throws(DSVError) -> [UInt8] {
    let file = try File(path, .read)
    let byteCount = try file.byteCount()
    guard byteCount <= limit else {
      throw DSVError(.corrupt, "\(path): \(byteCount) bytes, more than the \(limit) that it may have")
    }
    return try file.read(upTo: byteCount, at: 0)
  }

  /// Makes `bytes` the whole content of the file `path`, which at every moment has its old or its new content.
  ///
  /// - Parameters:
  ///   - isDurable: return only when the new content would survive a power cut.
  ///   - isPrivate: nobody but the file's owner may read it.
  package static func replace(
    _ path: String, with bytes: [UInt8], isDurable: Bool = true, isPrivate: Bool = false
  ) throws(DSVError) {
    let temporary = temporaryName(beside: path)
    do throws(DSVError) {
      let file = try File(temporary, isPrivate ? .createPrivate : .create)
      try file.write(bytes, at: 0)
      if isDurable { try file.sync() }
      try rename(temporary, to: path)
    } catch {
      unlink(temporary)
      throw error
    }
    if isDurable { try syncFolder(parent(of: path)) }
  }

  /// Finds out whether ``replace(_:with:isDurable:isPrivate:)`` could make the file `path`; leaves nothing behind.
  ///
  /// - Throws: `.notFound` if there is no such folder, `.badInput` if a folder has that name, or else what the system says.
  package static func checkReplaceable(_ path: String) throws(DSVError) {
    if try status(path)?.isFolder == true {
      throw DSVError(.badInput, "\(path): it is a folder, and a file is to be written there")
    }
    let folder = parent(of: path)
    guard try status(folder)?.isFolder == true else {
      throw DSVError(.notFound, "\(path): it cannot be written, as there is no folder \(folder)")
    }
    let temporary = temporaryName(beside: path)
    do throws(DSVError) { _ = try File(temporary, .createPrivate) } catch {
      throw DSVError(error.code, "\(path): it cannot be written", cause: error.cause)
    }
    try remove(temporary)
  }

  /// A name in the same folder that nobody else has: the name, a dot, and 16 random digits.
  package static func temporaryName(beside path: String) -> String {
    "\(path).\(Random.hexDigits(16))"
  }

  /// The folder that holds `path`.
  package static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// Where programs may put files that nobody needs to keep: `TMPDIR`, or else `/tmp`.
  package static var temporaryFolder: String {
    guard let folder = Machine.environment("TMPDIR"), !folder.isEmpty else { return "/tmp" }
    return folder
  }

  /// Throws `.badInput` if `path` lies on a network file system: locks and mapped files fail there.
  package static func refuseNetwork(_ path: String) throws(DSVError) {
    let magic = try retrying("statfs", path) { dsv_filesystem_magic(path) }
    guard let name = networkFileSystems[magic] else { return }
    throw DSVError(.badInput, "\(path): it lies on \(name), and a repository needs a local file system")
  }

  /// Network file systems by the magic number that `statfs` gives (`linux/magic.h`).
  private static let networkFileSystems: [Int64: String] = [
    0x6969: "NFS", 0x517B: "SMB", 0xFE53_4D42: "SMB", 0xFF53_4D42: "CIFS", 0x5346_414F: "AFS",
    0x6B41_4653: "AFS", 0x7375_7245: "Coda", 0x00C3_6400: "Ceph", 0x0102_1997: "9P", 0x564C: "NCP",
    0x0BD0_0BD0: "Lustre",
  ]
}
