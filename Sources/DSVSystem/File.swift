import CSystem
package import DSVFormat
import Glibc
import Synchronization

/// An open file. Closed when the last reference to it goes.
///
/// Offsets are given with each call, so threads may share one file. A write that a sync failed for may be
/// lost although a later sync succeeds; so after a failed sync every write and sync throws that error again.
package final class File: Sendable {
  /// How to open a file.
  package enum Access: Sendable {
    case read
    /// For reading and writing; the file exists.
    case update
    /// As `update`; made if it is not there.
    case updateOrCreate
    /// As `update`; throws `.conflict` if it is there already.
    case create
    /// As `create`; nobody but its owner may read or write it.
    case createPrivate
  }

  package let path: String
  private let descriptor: Int32
  private let isOwner: Bool
  private let failedSync = Mutex<DSVError?>(nil)

  package init(_ path: String, _ access: Access) throws(DSVError) {
    let flags: Int32
    switch access {
    case .read: flags = O_RDONLY
    case .update: flags = O_RDWR
    case .updateOrCreate: flags = O_RDWR | O_CREAT
    case .create, .createPrivate: flags = O_RDWR | O_CREAT | O_EXCL
    }
    if access == .create || access == .createPrivate { try Faults.check("open", path) }
    let mode: mode_t = access == .createPrivate ? 0o600 : 0o644
    descriptor = try retrying("open", path) { open(path, flags | O_CLOEXEC, mode) }
    self.path = path
    isOwner = true
  }

  /// One of the process's standard streams, which stays open.
  private init(standard descriptor: Int32, _ name: String) {
    (self.descriptor, path, isOwner) = (descriptor, name, false)
  }

  /// One that was opened otherwise.
  init(owning descriptor: Int32, _ name: String) {
    (self.descriptor, path, isOwner) = (descriptor, name, true)
  }

  package static let standardInput = File(standard: STDIN_FILENO, "standard input")
  package static let standardOutput = File(standard: STDOUT_FILENO, "standard output")
  package static let standardError = File(standard: STDERR_FILENO, "standard error")

  deinit { if isOwner { close(descriptor) } }

  package var isTerminal: Bool { isatty(descriptor) == 1 }

  /// Size, times and identity as they are now.
  package func status() throws(DSVError) -> FileStatus {
    var status = stat()
    _ = try retrying("fstat", path) { fstat(descriptor, &status) }
    return FileStatus(status)
  }

  package func byteCount() throws(DSVError) -> Int { try status().byteCount }

  /// `body` with the descriptor, for a lock.
  func withDescriptor<R>(_ body: (Int32) throws(DSVError) -> R) throws(DSVError) -> R {
    try body(descriptor)
  }
}

// MARK: - Reading

extension File {
  /// Fills `buffer` from `offset`; returns fewer bytes than it holds only at the end of the file.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(DSVError) -> Int {
    var done = 0
    while done < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      let count = try retrying("pread", path) {
        pread(descriptor, rest.baseAddress, rest.count, offset + done)
      }
      if count == 0 { break }
      done += count
    }
    return done
  }

  /// Up to `count` bytes from `offset`; fewer only at the end of the file.
  package func read(upTo count: Int, at offset: Int) throws(DSVError) -> [UInt8] {
    try filled(count) { (buffer) throws(DSVError) in try read(into: buffer, at: offset) }
  }

  /// Exactly `count` bytes from `offset`.
  ///
  /// - Throws: `.corrupt` if the file ends before.
  package func read(_ count: Int, at offset: Int) throws(DSVError) -> [UInt8] {
    let bytes = try read(upTo: count, at: offset)
    guard bytes.count == count else {
      throw DSVError(.corrupt, "\(path): \(count) bytes wanted at byte \(offset), \(bytes.count) left")
    }
    return bytes
  }

  /// The next bytes of a file, pipe or terminal, at most `count`; none at the end. Waits for the first.
  package func readNext(upTo count: Int) throws(DSVError) -> [UInt8] {
    try filled(count) { (buffer) throws(DSVError) in try readNext(into: buffer) }
  }

  /// As ``readNext(upTo:)``, into memory that is given; returns how many bytes came.
  package func readNext(into buffer: UnsafeMutableRawBufferPointer) throws(DSVError) -> Int {
    try retrying("read", path) { Glibc.read(descriptor, buffer.baseAddress, buffer.count) }
  }

  /// An array of what `fill` wrote into room for `count` bytes; `fill` returns how many it wrote.
  private func filled(
    _ count: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(DSVError) -> Int
  ) throws(DSVError) -> [UInt8] {
    var failure: DSVError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filledCount in
      do throws(DSVError) {
        filledCount = try fill(
          UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count]))
      } catch {
        failure = error
        filledCount = 0
      }
    }
    if let failure { throw failure }
    return bytes
  }
}

// MARK: - Writing

extension File {
  /// Writes all of `bytes` at `offset`. On failure some of them may have been written.
  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(DSVError) {
    try throwFailedSync()
    let fault = Faults.step(path)
    let end = fault == 0 ? bytes.count : bytes.count / 2
    var done = 0
    while done < end {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done..<end])
      done += try retrying("pwrite", path) { pwrite(descriptor, rest.baseAddress, rest.count, offset + done) }
    }
    if fault != 0 { throw .system(fault, "pwrite", path) }
  }

  /// Writes all of `bytes` at `offset`. On failure some of them may have been written.
  package func write(_ bytes: [UInt8], at offset: Int) throws(DSVError) {
    try bytes.withBytes { (bytes) throws(DSVError) in try write(bytes, at: offset) }
  }

  /// Writes all of `bytes` where the last sequential write ended: for pipes and terminals.
  package func writeNext(_ bytes: UnsafeRawBufferPointer) throws(DSVError) {
    try throwFailedSync()
    try Faults.check("write", path)
    var done = 0
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      done += try retrying("write", path) { Glibc.write(descriptor, rest.baseAddress, rest.count) }
    }
  }

  /// Cuts or extends the file to `byteCount`.
  package func truncate(to byteCount: Int) throws(DSVError) {
    try throwFailedSync()
    try Faults.check("ftruncate", path)
    _ = try retrying("ftruncate", path) { ftruncate(descriptor, byteCount) }
  }

  /// Sees to it that the first `byteCount` bytes have room on the disk, whether or not the file is that long yet.
  ///
  /// Does nothing where the file system cannot promise that.
  package func reserve(_ byteCount: Int) throws(DSVError) {
    do throws(DSVError) {
      _ = try retrying("fallocate", path) { dsv_reserve(descriptor, Int64(byteCount)) }
    } catch {
      guard error.code == .full else { return }
      throw error
    }
  }

  /// Returns when what was written, and the file's length, would survive a power cut.
  ///
  /// The name of a new file survives only once its folder is synced too: ``FileSystem/syncFolder(_:)``.
  package func sync() throws(DSVError) {
    try throwFailedSync()
    do throws(DSVError) {
      try Faults.check("fdatasync", path)
      _ = try retrying("fdatasync", path) { fdatasync(descriptor) }
    } catch {
      failedSync.withLock { $0 = error }
      throw error
    }
  }

  private func throwFailedSync() throws(DSVError) {
    if let error = failedSync.withLock({ $0 }) { throw error }
  }
}

extension [UInt8] {
  /// `body` with the bytes where they lie; keeps the type of what it throws.
  package func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    try withUnsafeBufferPointer { (bytes) throws(E) in try body(UnsafeRawBufferPointer(bytes)) }
  }
}
