package import DSVFormat
import Glibc

/// Folders, names and whole small files.
package enum FileSystem {
  /// Makes the folder `path`; its parent exists.
  ///
  /// - Throws: `.conflict` if something has that name.
  package static func makeFolder(_ path: String) throws(DSVError) {
    try Faults.check("mkdir", path)
    _ = try retrying("mkdir", path) { mkdir(path, 0o755) }
  }

  /// As ``makeFolder(_:)``; nothing happens if somebody else has just made it.
  package static func makeFolderIfMissing(_ path: String) throws(DSVError) {
    do throws(DSVError) { try makeFolder(path) } catch {
      guard error.code == .conflict else { throw error }
    }
  }

  /// What is at `path`, links followed; `nil` if nothing is.
  package static func status(_ path: String) throws(DSVError) -> FileStatus? {
    try status("stat", path) { stat(path, &$0) }
  }

  /// The same of the entry itself, where that is a link and not what it leads to.
  package static func entryStatus(_ path: String) throws(DSVError) -> FileStatus? {
    try status("lstat", path) { lstat(path, &$0) }
  }

  private static func status(
    _ call: String, _ path: String, _ look: (inout stat) -> Int32
  ) throws(DSVError) -> FileStatus? {
    var status = stat()
    do throws(DSVError) {
      _ = try retrying(call, path) { look(&status) }
    } catch {
      if error.code == .notFound { return nil }
      throw error
    }
    return FileStatus(status)
  }

  package static func exists(_ path: String) throws(DSVError) -> Bool { try status(path) != nil }

  /// The names in a folder, in ascending order, without `.` and `..`.
  package static func list(_ path: String) throws(DSVError) -> [String] {
    var names: [String] = []
    try forEachEntry(path) { (name, _) throws(DSVError) in names.append(name) }
    return names.sorted()
  }

  /// As ``list(_:)``, with a slash behind each folder's name, which counts for the order.
  package static func listMarkingFolders(_ path: String) throws(DSVError) -> [String] {
    var names: [String] = []
    try forEachEntry(path) { (name, type) throws(DSVError) in
      let isFolder = type == DT_UNKNOWN ? try status("\(path)/\(name)")?.isFolder == true : type == DT_DIR
      names.append(isFolder ? name + "/" : name)
    }
    return names.sorted()
  }

  private static func forEachEntry(
    _ path: String, _ body: (_ name: String, _ type: Int) throws(DSVError) -> Void
  ) throws(DSVError) {
    guard let folder = opendir(path) else { throw .system(errno, "opendir", path) }
    defer { closedir(folder) }
    let nameOffset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 19
    while true {
      errno = 0
      guard let entry = readdir(folder) else {
        if errno != 0 { throw .system(errno, "readdir", path) }
        return
      }
      let bytes = UnsafeRawPointer(entry) + nameOffset
      let name = String(cString: bytes.assumingMemoryBound(to: CChar.self))
      if name != "." && name != ".." { try body(name, Int(entry.pointee.d_type)) }
    }
  }

  /// Returns when the names made, changed or removed in a folder would survive a power cut.
  package static func syncFolder(_ path: String) throws(DSVError) {
    try Faults.check("fsync", path)
    let descriptor = try retrying("open", path) { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    defer { close(descriptor) }
    _ = try retrying("fsync", path) { fsync(descriptor) }
  }

  /// Gives a file or folder another name in the same file system, replacing a file of that name at once.
  package static func rename(_ path: String, to target: String) throws(DSVError) {
    try Faults.check("rename", path)
    _ = try retrying("rename", path) { Glibc.rename(path, target) }
  }

  /// Gives a file a second name in the same file system.
  ///
  /// - Throws: `.conflict` if something has that name: of any number that try at once, one succeeds.
  package static func link(_ path: String, to target: String) throws(DSVError) {
    try Faults.check("link", path)
    _ = try retrying("link", path) { Glibc.link(path, target) }
  }

  /// Removes a file's name. Nothing happens if it is not there.
  package static func remove(_ path: String) throws(DSVError) {
    do throws(DSVError) {
      try Faults.check("unlink", path)
      _ = try retrying("unlink", path) { unlink(path) }
    } catch {
      if error.code != .notFound { throw error }
    }
  }

  /// Removes a folder and all that is in it. Nothing happens if it is not there.
  package static func removeTree(_ path: String) throws(DSVError) {
    do throws(DSVError) {
      for name in try list(path) { try removeEntry("\(path)/\(name)") }
      try Faults.check("rmdir", path)
      _ = try retrying("rmdir", path) { rmdir(path) }
    } catch {
      if error.code != .notFound { throw error }
    }
  }

  private static func removeEntry(_ path: String) throws(DSVError) {
    var status = stat()
    _ = try retrying("lstat", path) { lstat(path, &status) }
    if FileStatus(status).isFolder { try removeTree(path) } else { try remove(path) }
  }

  /// How much may still be written to the file system that `path` lies on.
  package static func freeByteCount(_ path: String) throws(DSVError) -> Int {
    var status = statvfs()
    _ = try retrying("statvfs", path) { statvfs(path, &status) }
    return Int(status.f_bavail) * Int(status.f_frsize)
  }

  /// The lengths of all files under a folder, added up. A file that goes while they are counted is left out.
  package static func byteCount(under path: String) throws(DSVError) -> Int {
    var total = 0
    for name in try list(path) {
      var status = stat()
      guard lstat("\(path)/\(name)", &status) == 0 else { continue }
      let found = FileStatus(status)
      total += found.isFolder ? try byteCount(under: "\(path)/\(name)") : found.byteCount
    }
    return total
  }
}
