import DSVFormat
import DSVSystem
import Synchronization

/// The index: where each object lies, the refs, the version numbers. All of it can be rebuilt from packs and reflog.
///
/// Kept in LMDB. Every value ends in a checksum over its table, its key and itself, so that a value that was
/// damaged or that stands under another key is found when it is read.
final class Index: Sendable {
  /// The tables, in the order in which they are opened.
  enum Table: Int, CaseIterable {
    case objects, refs, versions, commitNumbers, meta
    var name: String { "\(self)" }
  }

  static let tableNames = Table.allCases.map(\.name)

  let folder: RepositoryFolder
  /// What refs are sealed with; `nil` in a plain repository.
  let keys: StoreKeys?
  private let current: Mutex<Environment>

  init(_ folder: RepositoryFolder, _ keys: StoreKeys?) throws(DSVError) {
    (self.folder, self.keys) = (folder, keys)
    current = Mutex(try EnvironmentRegistry.retain(folder.index, tables: Self.tableNames))
  }

  deinit { EnvironmentRegistry.release(current.withLock { $0 }) }

  /// Makes an empty index in `path`, durably but for the folder's own name.
  static func create(_ path: String, _ change: IndexChange, _ keys: StoreKeys?) throws(DSVError) {
    try FileSystem.makeFolder(path)
    let environment = try Environment(path, tables: tableNames)
    defer { environment.close() }
    let refs = try change.refEntries(keys)
    try environment.write { (transaction) throws(DSVError) in try change.apply(refs, in: transaction) }
    // LMDB does not sync the first pages that it writes, nor the folder.
    for name in try FileSystem.list(path) { try File("\(path)/\(name)", .update).sync() }
    try FileSystem.syncFolder(path)
  }

  /// Turns to the index that is now in the repository, if another process has put a rebuilt one in place.
  ///
  /// - Returns: whether there was another.
  @discardableResult
  func refresh() throws(DSVError) -> Bool {
    let new = try EnvironmentRegistry.retain(folder.index, tables: Self.tableNames)
    let old = current.withLock { current in
      defer { current = new }
      return current
    }
    EnvironmentRegistry.release(old)
    return old !== new
  }

  func read<R>(_ body: (borrowing Transaction) throws(DSVError) -> R) throws(DSVError) -> R {
    let environment = current.withLock { $0 }
    do throws(DSVError) {
      return try environment.read(body)
    } catch {
      // The environment that we held may have been exchanged and closed meanwhile.
      let newer = current.withLock { $0 }
      guard newer !== environment else { throw error }
      return try newer.read(body)
    }
  }

  /// Makes reading show the last state, also where who wrote it was killed on the way. The caller holds the writer's lock.
  func settle() throws(DSVError) { try current.withLock { $0 }.settle() }

  /// Applies `change` whole or not at all, durably. The caller holds the writer's lock.
  ///
  /// - Returns: the transaction's number.
  func write(_ change: IndexChange) throws(DSVError) -> UInt64 {
    let environment = current.withLock { $0 }
    let refs = try change.refEntries(keys)
    return try environment.write { (transaction) throws(DSVError) in
      try change.apply(refs, in: transaction)
      return transaction.transactionID
    }
  }
}

// MARK: - Lookups

extension Index {
  func place(of id: AnyID) throws(DSVError) -> Place? {
    try read { (transaction) throws(DSVError) in
      guard let value = try transaction.sealed(.objects, id.key) else { return nil }
      return try Place(value, of: id)
    }
  }

  var objectCount: Int {
    get throws(DSVError) {
      try read { (transaction) throws(DSVError) in try transaction.count(Table.objects.rawValue) }
    }
  }

  /// The next objects behind `id` in order of their IDs.
  func objects(after id: AnyID?, limit: Int) throws(DSVError) -> [(AnyID, Place)] {
    let entries = try read { (transaction) throws(DSVError) in
      try transaction.sealedEntries(.objects, from: id?.key ?? [], limit: limit + 1)
    }
    var objects: [(AnyID, Place)] = []
    for (key, value) in entries {
      guard key.count == 32 else { throw DSVError(.corrupt, "\(folder.index): an object's key is no ID") }
      let found = key.withBytes { AnyID(key: $0) }
      if found != id, objects.count < limit { objects.append((found, try Place(value, of: found))) }
    }
    return objects
  }

  func ref(_ name: String) throws(DSVError) -> RefTarget? {
    guard !name.isEmpty, name.utf8.count <= refNameByteCountMax else { return nil }
    let key = keys?.refKey(name) ?? Array(name.utf8)
    let value = try read { (transaction) throws(DSVError) in try transaction.sealed(.refs, key) }
    guard let value else { return nil }
    if let keys { return try keys.openRef(key, value).target }
    return try RefTarget(value, of: name)
  }

  /// The refs whose names begin with `prefix`, in order.
  func refs(prefix: String) throws(DSVError) -> [(String, RefTarget)] {
    if let keys { return try refs(prefix: prefix, keys) }
    let start = Array(prefix.utf8)
    return try read { (transaction) throws(DSVError) in
      var refs: [(String, RefTarget)] = []
      for (key, value) in try transaction.sealedEntries(.refs, from: start, limit: .max) {
        guard key.starts(with: start) else { break }
        guard let name = String(validating: key, as: UTF8.self) else {
          throw DSVError(.corrupt, "\(folder.index): a ref's name is not UTF-8")
        }
        refs.append((name, try RefTarget(value, of: name)))
      }
      return refs
    }
  }

  /// Those of an encrypted repository: their keys are in no order that says anything.
  private func refs(prefix: String, _ keys: StoreKeys) throws(DSVError) -> [(String, RefTarget)] {
    let entries = try read { (transaction) throws(DSVError) in
      try transaction.sealedEntries(.refs, from: [], limit: .max)
    }
    var refs: [(String, RefTarget)] = []
    for (key, value) in entries {
      let (name, target) = try keys.openRef(key, value)
      if name.utf8.starts(with: prefix.utf8) { refs.append((name, target)) }
    }
    return refs.sorted { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }
  }

  func commit(number: Int) throws(DSVError) -> CommitID? {
    guard number > 0 else { return nil }
    return try read { (transaction) throws(DSVError) in
      guard let value = try transaction.sealed(.versions, Self.key(number)) else { return nil }
      return try Self.field(value, "version \(number)") { (reader) throws(DSVError) in try reader.readID() }
    }
  }

  func number(of commit: CommitID) throws(DSVError) -> Int? {
    try read { (transaction) throws(DSVError) in
      guard let value = try transaction.sealed(.commitNumbers, commit.key) else { return nil }
      return try Self.field(value, "commit \(commit.short)") { (reader) throws(DSVError) in
        Int(try reader.read(UInt32.self))
      }
    }
  }

  /// The numbered commits whose IDs, in hexadecimal, begin with `hexPrefix`; at most 16.
  func commits(hexPrefix: String) throws(DSVError) -> [CommitID] {
    let padded = hexPrefix + String(repeating: "0", count: max(0, 64 - hexPrefix.utf8.count))
    guard let first = CommitID(hex: padded) else { return [] }
    return try read { (transaction) throws(DSVError) in
      try transaction.entries(Table.commitNumbers.rawValue, from: first.key, limit: 16).compactMap { entry in
        guard entry.key.count == 32 else { return nil }
        return entry.key.withBytes { CommitID(key: $0) }
      }.filter { $0.description.hasPrefix(hexPrefix) }
    }
  }

  var state: IndexState {
    get throws(DSVError) {
      try read { (transaction) throws(DSVError) in
        guard let value = try transaction.sealed(.meta, IndexState.key) else {
          throw DSVError(.corrupt, "\(folder.index): the index has no state")
        }
        return try IndexState(value)
      }
    }
  }

  func meta(_ key: [UInt8]) throws(DSVError) -> [UInt8]? {
    try read { (transaction) throws(DSVError) in try transaction.sealed(.meta, key) }
  }

  /// The values of `meta` whose keys begin with `prefix`, in order: at most `limit` of those from `first` on.
  func metaEntries(
    prefix: [UInt8], from first: [UInt8] = [], limit: Int = .max
  ) throws(DSVError) -> [(key: [UInt8], value: [UInt8])] {
    try read { (transaction) throws(DSVError) in
      var found: [(key: [UInt8], value: [UInt8])] = []
      var next = first.isEmpty ? prefix : first
      while found.count < limit {
        // What has another prefix is not read through.
        let page = try transaction.sealedEntries(.meta, from: next, limit: min(64, limit - found.count))
        for entry in page {
          guard entry.key.starts(with: prefix) else { return found }
          found.append(entry)
        }
        guard let last = page.last else { break }
        next = last.key + [0]
      }
      return found
    }
  }

  var transactionID: UInt64 {
    get throws(DSVError) { try read { (transaction) throws(DSVError) in transaction.transactionID } }
  }

  /// A version number's key: big-endian, so that keys are in the order of numbers.
  static func key(_ number: Int) -> [UInt8] {
    withUnsafeBytes(of: UInt64(number).bigEndian) { Array($0) }
  }

  /// What `read` reads, which must be all there is in `value`.
  static func field<R>(
    _ value: [UInt8], _ subject: String, _ read: (inout ByteReader) throws(DSVError) -> R
  ) throws(DSVError) -> R {
    try value.withBytes { (bytes) throws(DSVError) in
      var reader = ByteReader(bytes, of: subject)
      let result = try read(&reader)
      try reader.finish()
      return result
    }
  }
}
