package import DSVFormat
import DSVSystem

/// A folder as a bucket, `file:///path`: a key is the path of a file below it.
///
/// Processes may share it, on one machine or on a network file system that has hard links. What a call has put survives a loss
/// of power when the call returns. Values are written under names of their own in `.tmp` first, which no key can be.
package struct FolderBucket: Bucket {
  package let name: String
  private let root: String
  private var temporaryFolder: String { "\(root)/.tmp" }

  /// What a crash left in `.tmp` is taken away once it is as old as this.
  private static let leftoverNanoseconds = 86_400 * 1_000_000_000

  /// - Parameter isMade: make the folder if it is missing; its parent exists.
  /// - Throws: `.notFound` if there is no such folder.
  package init(_ path: String, isMade: Bool = false) throws(DSVError) {
    root = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    name = "file://\(root)"
    if isMade {
      try FileSystem.makeFolderIfMissing(root)
      try FileSystem.syncFolder(FileSystem.parent(of: root))
    }
    guard try FileSystem.status(root)?.isFolder == true else {
      throw DSVError(.notFound, "\(name): there is no such folder")
    }
  }

  package func get(_ key: String, limit: Int) throws(DSVError) -> [UInt8]? {
    do throws(DSVError) {
      return try FileSystem.read(path(key), limit: limit)
    } catch {
      if error.code != .notFound { throw error }
      try checkRoot()
      return nil
    }
  }

  package func get(_ key: String, range: Range<Int>) throws(DSVError) -> [UInt8] {
    try File(path(key), .read).read(range.count, at: range.lowerBound)
  }

  package func put(_ key: String, _ bytes: [UInt8]) throws(DSVError) {
    let target = path(key)
    try withTemporary(bytes) { (temporary) throws(DSVError) in
      try makeFolders(for: key)
      try FileSystem.rename(temporary, to: target)
    }
    try FileSystem.syncFolder(FileSystem.parent(of: target))
  }

  package func create(_ key: String, _ bytes: [UInt8]) throws(DSVError) -> Bool {
    let target = path(key)
    if try FileSystem.exists(target) { return false }
    let isFirst = try withTemporary(bytes) { (temporary) throws(DSVError) in
      try makeFolders(for: key)
      return try link(temporary, to: target)
    }
    try FileSystem.syncFolder(FileSystem.parent(of: target))
    return isFirst
  }

  package func list(prefix: String, after: String?, limit: Int) throws(DSVError) -> [BucketEntry] {
    precondition((1...1000).contains(limit), "1 to 1000 keys are listed at a time")
    try checkRoot()
    var listing = Listing(prefix: prefix, after: after ?? "", limit: limit, found: [])
    // The folder that the prefix names holds all there is to be found.
    let folder = prefix.lastIndex(of: "/").map { String(prefix[...$0]) } ?? ""
    try collect(folder, into: &listing)
    return listing.found
  }

  package func delete(_ keys: [String]) throws(DSVError) {
    var folders: Set<String> = []
    for key in keys {
      let target = path(key)
      guard try FileSystem.exists(target) else { continue }
      try FileSystem.remove(target)
      folders.insert(FileSystem.parent(of: target))
    }
    for folder in folders.sorted() { try FileSystem.syncFolder(folder) }
  }
}

// MARK: - Paths

extension FolderBucket {
  private func path(_ key: String) -> String {
    BucketKey.check(key)
    return "\(root)/\(key)"
  }

  /// A folder that went is not one without keys.
  private func checkRoot() throws(DSVError) {
    guard try FileSystem.exists(root) else { throw DSVError(.io, "\(name): the folder is gone") }
  }

  private func makeFolders(for key: String) throws(DSVError) {
    var folder = root
    for part in key.split(separator: "/").dropLast() {
      let parent = folder
      folder += "/\(part)"
      guard try !FileSystem.exists(folder) else { continue }
      try FileSystem.makeFolderIfMissing(folder)
      try FileSystem.syncFolder(parent)
    }
  }

  /// Runs `body` with the path of a synced file that holds `bytes`, and takes that name away afterwards.
  private func withTemporary<Result>(
    _ bytes: [UInt8], _ body: (String) throws(DSVError) -> Result
  ) throws(DSVError) -> Result {
    try checkRoot()
    if try !FileSystem.exists(temporaryFolder) { try FileSystem.makeFolderIfMissing(temporaryFolder) }
    let temporary = "\(temporaryFolder)/\(Random.hexDigits(32))"
    let result: Result
    do throws(DSVError) {
      let file = try File(temporary, .create)
      try file.write(bytes, at: 0)
      try file.sync()
      result = try body(temporary)
    } catch {
      // The first failure is what is told; what stays here goes with the leftovers.
      do throws(DSVError) { try FileSystem.remove(temporary) } catch {}
      throw error
    }
    try FileSystem.remove(temporary)
    return result
  }

  /// Whether `target` is the file `temporary` from now on.
  private func link(_ temporary: String, to target: String) throws(DSVError) -> Bool {
    do throws(DSVError) {
      try FileSystem.link(temporary, to: target)
      return true
    } catch {
      guard error.code == .conflict else { throw error }
      // A network file system may ask twice, and then tells of the second time.
      guard let (own, other) = try both(temporary, target) else { return false }
      return own.inode == other.inode && own.device == other.device
    }
  }

  private func both(_ a: String, _ b: String) throws(DSVError) -> (FileStatus, FileStatus)? {
    guard let a = try FileSystem.status(a), let b = try FileSystem.status(b) else { return nil }
    return (a, b)
  }

  /// Takes away what writers that died left behind: files, with the names that they are given, in a folder that is one and no
  /// link. Whoever may write to the remote could have put anything else there, and it is no business of a clean-up.
  ///
  /// - Returns: how many files that were. Those that cannot be taken away stay.
  package func removeLeftovers(now: Int = Clock.nanosecondsSince1970()) -> Int {
    var count = 0
    do throws(DSVError) {
      guard try FileSystem.entryStatus(temporaryFolder)?.isFolder == true else { return 0 }
      for name in try FileSystem.list(temporaryFolder) where Self.isTemporaryName(name) {
        let path = "\(temporaryFolder)/\(name)"
        guard let status = try FileSystem.entryStatus(path), status.isRegular,
          now - status.modified > Self.leftoverNanoseconds
        else { continue }
        // It may be another's.
        do throws(DSVError) { try FileSystem.remove(path) } catch { continue }
        count += 1
      }
    } catch {}
    return count
  }

  private static func isTemporaryName(_ name: String) -> Bool {
    name.utf8.count == 32 && name.utf8.allSatisfy { 48...57 ~= $0 || 97...102 ~= $0 }
  }
}

// MARK: - Listing

extension FolderBucket {
  private struct Listing {
    let prefix: String
    let after: String
    let limit: Int
    var found: [BucketEntry]
    var isFull: Bool { found.count == limit }

    /// Whether keys that begin with `folder`, which ends with a slash, may be among those asked for.
    func mayHold(_ folder: String) -> Bool {
      guard folder.hasPrefix(prefix) || prefix.hasPrefix(folder) else { return false }
      return folder > after || after.hasPrefix(folder)
    }
  }

  /// Adds the keys below `folder`, which is `""` or ends with a slash.
  private func collect(_ folder: String, into listing: inout Listing) throws(DSVError) {
    for entry in try entries("\(root)/\(folder)") {
      let key = folder + entry
      if listing.isFull { return }
      if key.hasSuffix("/") {
        guard BucketKey.isValid(String(key.dropLast())), listing.mayHold(key) else { continue }
        try collect(key, into: &listing)
      } else if BucketKey.isValid(key), key.hasPrefix(listing.prefix), key > listing.after {
        // A key that somebody takes away meanwhile is not there.
        guard let status = try FileSystem.status("\(root)/\(key)") else { continue }
        listing.found.append(BucketEntry(key, byteCount: status.byteCount))
      }
    }
  }

  private func entries(_ path: String) throws(DSVError) -> [String] {
    do throws(DSVError) {
      return try FileSystem.listMarkingFolders(path)
    } catch {
      if error.code == .notFound { return [] }
      throw error
    }
  }
}
