import DSVFormat
import DSVSystem

/// Writes a run of keys, entry after entry in their order. Holds about 1 MiB, the directory, and the longest bucket.
final class KeyRunWriter {
  private static let flushByteCount = 1 << 20

  private let file: File
  private let header: KeyRunHeader
  private let checksum: UInt64
  private var directory = ByteWriter()
  private var buffer: UnsafeMutableRawBufferPointer
  /// How much of the buffer is filled, where in it the unfinished bucket begins, and where in the file it goes.
  private var (count, bucketStart, offset): (Int, Int, Int)
  private var bucketNumber = 0
  private var entryCount = 0

  init(_ header: KeyRunHeader, to file: File) {
    (self.file, self.header) = (file, header)
    checksum = header.checksum
    buffer = .allocate(byteCount: Self.flushByteCount + 4096, alignment: 16)
    (count, bucketStart, offset) = (0, 0, KeyRunHeader.byteCount + header.directoryByteCount)
  }

  deinit { buffer.deallocate() }

  func append(_ entry: KeyEntry) throws(DSVError) {
    let number = header.bucket(of: entry.hash)
    while bucketNumber < number { try endBucket() }
    if count + KeyRunHeader.entryByteCount > buffer.count { grow() }
    buffer.storeBytes(of: entry.hash.first.littleEndian, toByteOffset: count, as: UInt64.self)
    buffer.storeBytes(of: entry.hash.second.littleEndian, toByteOffset: count + 8, as: UInt64.self)
    let row = UInt64(entry.row - header.firstRow)
    guard row < KeyRunHeader.rowCountMax else {
      throw DSVError(.full, "\(KeyRunHeader.rowCountMax) rows are as many as a run of keys spans")
    }
    let low = UInt32(truncatingIfNeeded: row)
    buffer.storeBytes(of: low.littleEndian, toByteOffset: count + 16, as: UInt32.self)
    buffer[count + 20] = UInt8(truncatingIfNeeded: row >> 32)
    count += KeyRunHeader.entryByteCount
    entryCount += 1
  }

  private func grow() {
    let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: buffer.count * 2, alignment: 16)
    larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    buffer.deallocate()
    buffer = larger
  }

  private func endBucket() throws(DSVError) {
    let bytes = UnsafeRawBufferPointer(rebasing: buffer[bucketStart..<count])
    directory.write(UInt64(entryCount))
    directory.write(Hash64.of(bytes, seed: checksum &+ UInt64(bucketNumber)))
    bucketNumber += 1
    bucketStart = count
    if count >= Self.flushByteCount { try flush() }
  }

  private func flush() throws(DSVError) {
    try file.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]), at: offset)
    offset += count
    (count, bucketStart) = (0, 0)
  }

  func finish() throws(DSVError) {
    // What is merged comes from files, which may have fewer than they say.
    guard entryCount == header.rowCount else {
      throw DSVError(.corrupt, "\(file.path): \(entryCount) keys for \(header.rowCount) rows")
    }
    while bucketNumber < header.bucketCount { try endBucket() }
    try flush()
    try file.write(header.bytes + directory.bytes, at: 0)
  }
}

/// Takes entries out of several runs, in the order of them all.
struct KeyMerge {
  private struct Source {
    var reader: KeyRunReader
    let header: KeyRunHeader
    var (number, offset) = (0, 0)
    var next: KeyEntry?

    init(_ run: KeyRun) throws(DSVError) {
      reader = KeyRunReader(run, spanOf: run.header.rowCount)
      header = run.header
      try reader.load(bucket: 0)
      offset = reader.bucket.lowerBound
      try advance()
    }

    mutating func advance() throws(DSVError) {
      while offset == reader.bucket.upperBound {
        number += 1
        guard number < header.bucketCount else {
          next = nil
          return
        }
        try reader.load(bucket: number)
        offset = reader.bucket.lowerBound
      }
      next = reader.entry(at: offset)
      offset += KeyRunHeader.entryByteCount
    }
  }

  private var sources: [Source]

  init(_ runs: [KeyRun]) throws(DSVError) {
    sources = try runs.map { (run) throws(DSVError) in try Source(run) }
  }

  mutating func next() throws(DSVError) -> KeyEntry? {
    var found: (index: Int, entry: KeyEntry)?
    for index in sources.indices {
      guard let entry = sources[index].next else { continue }
      if let best = found, best.entry < entry { continue }
      found = (index, entry)
    }
    guard let found else { return nil }
    try sources[found.index].advance()
    return found.entry
  }
}
