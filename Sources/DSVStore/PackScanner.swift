import DSVFormat
import DSVSystem

/// A record whose checksum was found right.
struct ScannedRecord {
  let head: PackRecord
  let body: [UInt8]

  /// What it builds on, which stands in clear.
  var base: ObjectBase? { body.withBytes { head.base(in: $0) } }

  /// - Throws: `.corrupt` if it was not sealed under that key, or is not sealed where it should be.
  func object(_ sealer: PackSealer?) throws(DSVError) -> StoredObject { try head.object(body, sealer) }
}

/// Finds every good record of a pack, in order, without the index. Goes on behind damage.
struct PackScanner {
  enum Finding {
    case record(AnyID, Place, ScannedRecord)
    /// A stretch without a good record.
    case damage(Range<Int>)
  }

  /// How much is searched at a time for the next record behind damage.
  private static let windowByteCount = 1 << 20

  /// What the pack's header says it is called; `nil` if the header is damaged.
  let packID: PackID?
  private let number: UInt32
  private let file: File
  private let end: Int
  private var offset: Int
  /// A record that was found while searching behind damage.
  private var next: Finding?

  /// - Parameter limit: how much of the file is looked at.
  init(_ number: UInt32, _ file: File, limit: Int = .max) throws(DSVError) {
    self.number = number
    self.file = file
    end = min(limit, try file.byteCount())
    offset = PackLayout.Header.byteCount
    do throws(DSVError) {
      let bytes = try file.read(upTo: PackLayout.Header.byteCount, at: 0)
      packID = PackID(try PackHeader(bytes, path: file.path).packID)
    } catch {
      guard error.code == .corrupt else { throw error }
      packID = nil
      next = .damage(0..<min(end, PackLayout.Header.byteCount))
    }
  }

  /// The next finding; `nil` at the end.
  mutating func read() throws(DSVError) -> Finding? {
    if let found = next {
      next = nil
      return found
    }
    guard offset < end else { return nil }
    if let record = try record(at: offset) { return record.finding(advancing: &offset) }
    let start = offset
    next = try search()
    return .damage(start..<(next == nil ? end : startOfNext))
  }

  private struct Found {
    let id: AnyID
    let place: Place
    let record: ScannedRecord

    func finding(advancing offset: inout Int) -> Finding {
      offset = place.offset + place.byteCount
      return .record(id, place, record)
    }
  }

  private var startOfNext: Int {
    if case .record(_, let place, _)? = next { place.offset } else { end }
  }

  /// The good record that begins at `offset`, if one does.
  private func record(at offset: Int) throws(DSVError) -> Found? {
    let header = try file.read(upTo: PackLayout.Record.byteCount, at: offset)
    guard let record = header.withBytes({ PackRecord($0) }), record.byteCount <= end - offset else {
      return nil
    }
    let body = try file.read(upTo: record.storedByteCount, at: offset + PackLayout.Record.byteCount)
    guard body.withBytes({ record.matches($0) }) else { return nil }
    return Found(
      id: record.id, place: Place(number, offset, RecordHead(record)),
      record: ScannedRecord(head: record, body: body))
  }

  /// Looks for the next good record behind `offset` and moves there; to the end if there is none.
  private mutating func search() throws(DSVError) -> Finding? {
    let magic = withUnsafeBytes(of: PackLayout.Record.magicValue.littleEndian) { Array($0) }
    var start = offset + 1
    while start < end {
      // Windows overlap, so that a magic number on their seam is seen.
      let window = try file.read(upTo: min(Self.windowByteCount, end - start), at: start)
      var index = 0
      while let found = window[index...].firstIndex(of: magic[0]) {
        if window[found...].starts(with: magic), let record = try record(at: start + found) {
          return record.finding(advancing: &offset)
        }
        index = found + 1
      }
      if window.count < magic.count { break }
      start += window.count - (magic.count - 1)
    }
    offset = end
    return nil
  }
}
