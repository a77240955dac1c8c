package import DSVFormat
package import DSVSystem

/// Sorted hashes of the keys of consecutive rows, in a file.
///
/// Nothing read from it is believed before its checksum was found right; whatever is wrong throws `corrupt`.
package final class KeyRun: Sendable {
  package let header: KeyRunHeader
  package let file: File
  fileprivate let checksum: UInt64

  package init(_ file: File) throws(DSVError) {
    let bytes = try file.read(KeyRunHeader.byteCount, at: 0)
    self.file = file
    header = try bytes.withBytes { (bytes) throws(DSVError) in try KeyRunHeader(bytes, of: file.path) }
    checksum = header.checksum
    guard try file.byteCount() == header.fileByteCount else {
      throw DSVError(.corrupt, "\(file.path): it is not as long as it says")
    }
  }

  /// Calls `body` with each entry of the run whose hash one of the batch's has, and the range of those.
  package func forEachMatch(
    _ batch: KeyBatch, _ body: (KeyEntry, Range<Int>) throws(DSVError) -> Void
  ) throws(DSVError) {
    var reader = KeyRunReader(self, spanOf: batch.entries.count)
    var index = 0
    while index < batch.entries.count {
      let hash = batch.entries[index].hash
      var end = index + 1
      while end < batch.entries.count, batch.entries[end].hash == hash { end += 1 }
      try reader.load(bucket: header.bucket(of: hash))
      try reader.forEachEntry(hash) { (entry) throws(DSVError) in try body(entry, index..<end) }
      index = end
    }
  }
}

/// Reads a run's buckets in ascending order, several at once where most are wanted.
struct KeyRunReader {
  private static let byteCountMax = 1 << 20
  /// No bucket is longer, unless one key was written anew millions of times: then the columns are read instead.
  private static let bucketByteCountMax = 64 << 20

  private let run: KeyRun
  /// How many buckets are read at once.
  private let span: Int
  /// The buckets that are loaded, and where in `bytes` each of them ends.
  private var (first, ends): (Int, [Int]) = (0, [])
  private var bytes: [UInt8] = []
  /// What is looked at: a bucket's entries, in `bytes`.
  private(set) var bucket = 0..<0

  /// - Parameter wantedCount: for how many hashes, in ascending order, buckets are going to be loaded.
  init(_ run: KeyRun, spanOf wantedCount: Int) {
    self.run = run
    span = wantedCount > run.header.bucketCount / 8 ? 256 : 1
  }

  mutating func load(bucket number: Int) throws(DSVError) {
    if !(first..<first + ends.count).contains(number) { try read(from: number) }
    let start = number == first ? 0 : ends[number - first - 1]
    bucket = start..<ends[number - first]
  }

  private func corrupt() -> DSVError { DSVError(.corrupt, "\(run.file.path): damaged") }

  private mutating func read(from number: Int) throws(DSVError) {
    let header = run.header
    let count = min(span, header.bucketCount - number)
    // The entry before says where the first bucket begins.
    let skipped = number == 0 ? 0 : 1
    let directory = try run.file.read(
      (count + skipped) * KeyRunHeader.bucketByteCount,
      at: KeyRunHeader.byteCount + (number - skipped) * KeyRunHeader.bucketByteCount)
    let words = directory.withUnsafeBytes { bytes in
      (0..<bytes.count / 8).map {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self))
      }
    }
    let begin = skipped == 0 ? 0 : words[0]
    var last = begin
    (first, ends) = (number, [])
    for index in 0..<count {
      let end = words[(index + skipped) * 2]
      guard end >= last, end <= UInt64(header.rowCount) else { throw corrupt() }
      last = end
      let byteCount = Int(end - begin) * KeyRunHeader.entryByteCount
      guard byteCount <= Self.bucketByteCountMax else { throw corrupt() }
      if index > 0, byteCount > Self.byteCountMax { break }
      ends.append(byteCount)
    }
    if number + ends.count == header.bucketCount {
      guard Int(begin) + ends[ends.count - 1] / KeyRunHeader.entryByteCount == header.rowCount else {
        throw corrupt()
      }
    }
    bytes = try run.file.read(
      ends[ends.count - 1],
      at: KeyRunHeader.byteCount + header.directoryByteCount + Int(begin) * KeyRunHeader.entryByteCount)
    let areRight = bytes.withUnsafeBytes { bytes in
      ends.indices.allSatisfy { index in
        let entries = UnsafeRawBufferPointer(
          rebasing: bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]])
        return Hash64.of(entries, seed: run.checksum &+ UInt64(number + index))
          == words[(index + skipped) * 2 + 1]
      }
    }
    guard areRight else {
      ends = []
      throw corrupt()
    }
  }

  /// The entry at a place of `bytes`, with its row counted from the table's first.
  @inline(__always)
  func entry(at offset: Int) -> KeyEntry {
    bytes.withUnsafeBytes { bytes in
      let hash = SipHash.Digest(
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)),
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)))
      let low = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 16, as: UInt32.self))
      return KeyEntry(hash, row: run.header.firstRow + Int(low) + Int(bytes[offset + 20]) << 32)
    }
  }

  /// Calls `body` with the loaded bucket's entries that have this hash, in order of their rows.
  func forEachEntry(_ hash: SipHash.Digest, _ body: (KeyEntry) throws(DSVError) -> Void) throws(DSVError) {
    var (low, high) = (0, bucket.count / KeyRunHeader.entryByteCount)
    while low < high {
      let middle = (low + high) / 2
      if entry(at: bucket.lowerBound + middle * KeyRunHeader.entryByteCount).hash < hash {
        low = middle + 1
      } else {
        high = middle
      }
    }
    var offset = bucket.lowerBound + low * KeyRunHeader.entryByteCount
    while offset < bucket.upperBound {
      let entry = entry(at: offset)
      guard entry.hash == hash else { return }
      guard entry.row < run.header.endRow else { throw corrupt() }
      try body(entry)
      offset += KeyRunHeader.entryByteCount
    }
  }
}
