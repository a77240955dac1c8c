import Glibc

/// What the file system says about a file or folder.
package struct FileStatus: Sendable, Equatable {
  package let byteCount: Int
  /// What it takes on the disk, also behind its end.
  package let allocatedByteCount: Int
  /// When the content last changed, in nanoseconds since 1970.
  package let modified: Int
  /// When the content or the entry last changed, in nanoseconds since 1970. Cannot be set by a program.
  package let changed: Int
  package let inode: UInt64
  package let device: UInt64
  package let isFolder: Bool
  /// Whether this is a plain file: no folder, pipe, device or link.
  package let isRegular: Bool
  /// Whether nobody but the owner may read or write it.
  package let isPrivate: Bool

  /// A plain file's, made up for a test.
  package init(byteCount: Int, modified: Int, changed: Int, inode: UInt64) {
    (self.byteCount, self.modified, self.changed, self.inode) = (byteCount, modified, changed, inode)
    (allocatedByteCount, device, isFolder, isRegular, isPrivate) = (byteCount, 0, false, true, false)
  }

  init(_ status: stat) {
    byteCount = Int(status.st_size)
    allocatedByteCount = Int(status.st_blocks) * 512
    modified = Int(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int(status.st_mtim.tv_nsec)
    changed = Int(status.st_ctim.tv_sec) &* 1_000_000_000 &+ Int(status.st_ctim.tv_nsec)
    inode = UInt64(status.st_ino)
    device = UInt64(status.st_dev)
    isFolder = status.st_mode & S_IFMT == S_IFDIR
    isRegular = status.st_mode & S_IFMT == S_IFREG
    isPrivate = status.st_mode & 0o077 == 0
  }
}
