import CLMDB
package import DSVFormat
import DSVSystem
import Synchronization

/// An LMDB call that failed, as LMDB says it.
struct LMDBFailure: Error, CustomStringConvertible {
  let call: String
  let code: CInt
  var description: String { "\(call): \(String(cString: mdb_strerror(code))) [\(code)]" }
}

/// The one place where LMDB's codes become ours.
private func check(_ code: CInt, _ call: String, _ path: String) throws(DSVError) {
  let failure = LMDBFailure(call: call, code: code)
  switch code {
  case MDB_SUCCESS: return
  case MDB_NOTFOUND: throw DSVError(.notFound, "\(path): no such key", cause: failure)
  case MDB_MAP_FULL, MDB_TXN_FULL: throw DSVError(.full, "\(path): the index is full", cause: failure)
  case MDB_READERS_FULL: throw DSVError(.busy, "\(path): too many readers at once", cause: failure)
  case MDB_CORRUPTED, MDB_PAGE_NOTFOUND, MDB_INVALID, MDB_VERSION_MISMATCH, MDB_INCOMPATIBLE, MDB_BAD_VALSIZE:
    throw DSVError(.corrupt, "\(path): the index is damaged", cause: failure)
  case 1...: throw .system(code, call, path)
  default: throw DSVError(.io, "\(path): the index could not be used", cause: failure)
  }
}

extension DSVError {
  fileprivate func isLMDB(_ code: CInt) -> Bool { (cause as? LMDBFailure)?.code == code }
}

/// An open LMDB environment. One writer at a time, any number of readers, none of them waiting for another.
///
/// LMDB's caveats as our rules: one environment a file and process (``EnvironmentRegistry``); never used after
/// fork; `MDB_NOTLS`, so that a read transaction belongs to a call and not to a thread; never `MDB_WRITEMAP`
/// or `MDB_NOSYNC`; the map grows by itself; no transaction outlives a call.
package final class Environment: Sendable {
  /// An open environment and what hangs on it.
  private struct Opened {
    var environment: OpaquePointer
    var tables: [MDB_dbi]
  }

  /// A read transaction that is reset: it pins no page, only its place in the reader table.
  private struct IdleReader: @unchecked Sendable {
    // Sendable: with NOTLS a transaction may go from thread to thread, and who takes it out of the pool owns it.
    let handle: OpaquePointer
  }

  static let readerCountMax: UInt32 = 1024
  static let mapByteCountMin = 16 << 20
  /// The length of `lock.mdb`: a header, and 64 bytes a reader.
  private static let lockByteCount = 4096 + 64 * Int(readerCountMax)
  private static let openWaitSeconds = 60.0
  /// With less room than this on the disk, a write that fell short did so for that reason.
  private static let freeByteCountMin = 64 << 10

  let folder: String
  private let tableNames: [String]
  private let processID = Machine.processID
  /// Held for reading during each transaction, for writing while the map is moved or the environment closed.
  private let map = ReadWriteLock()
  // Guarded by `map`.
  nonisolated(unsafe) private var opened: Opened?
  /// A commit failed, after which LMDB's own picture of the file may be wrong: reopen before further use.
  private let hasFailed = Atomic<Bool>(false)
  private let writer = Mutex<Void>(())
  private let idleReaders = Mutex<[IdleReader]>([])

  /// Opens the environment in `folder`, making what is not there.
  package init(_ folder: String, tables: [String]) throws(DSVError) {
    self.folder = folder
    tableNames = tables
    opened = try Self.open(folder, tables)
  }

  /// Opens an environment while no other process opens it.
  ///
  /// Who opens one that nobody has open makes LMDB's shared memory anew, and last of all says there which transaction is the
  /// last. Where it is killed before, others that wait for it would go on with a shared memory that knows of none: the
  /// next commit would be transaction 1, and be lost as soon as all have ended. With turns, the next one begins anew.
  private static func open(_ folder: String, _ tables: [String]) throws(DSVError) -> Opened {
    guard try FileSystem.exists("\(folder)/data.mdb") else { return try openAlone(folder, tables) }
    let turn = try File("\(folder).open", .updateOrCreate)
    try turn.lock(.exclusive, waitingUpTo: openWaitSeconds, for: "opening the index")
    defer { withExtendedLifetime(turn) {} }
    return try openAlone(folder, tables)
  }

  private static func openAlone(_ folder: String, _ tables: [String]) throws(DSVError) -> Opened {
    var environment: OpaquePointer?
    try check(mdb_env_create(&environment), "mdb_env_create", folder)
    guard let environment else { throw DSVError(.io, "\(folder): mdb_env_create gave nothing") }
    do throws(DSVError) {
      let byteCount = try FileSystem.status("\(folder)/data.mdb")?.byteCount ?? 0
      var mapByteCount = mapByteCountMin
      while mapByteCount < byteCount * 2 { mapByteCount *= 2 }
      try check(mdb_env_set_mapsize(environment, mapByteCount), "mdb_env_set_mapsize", folder)
      try check(mdb_env_set_maxreaders(environment, readerCountMax), "mdb_env_set_maxreaders", folder)
      // LMDB maps this file full of holes: to write into one on a full disk would end the process.
      try File("\(folder)/lock.mdb", .updateOrCreate).reserve(lockByteCount)
      try check(mdb_env_set_maxdbs(environment, MDB_dbi(tables.count)), "mdb_env_set_maxdbs", folder)
      try check(mdb_env_open(environment, folder, UInt32(MDB_NOTLS), 0o644), "mdb_env_open", folder)
      var deadReaderCount: CInt = 0
      try check(mdb_reader_check(environment, &deadReaderCount), "mdb_reader_check", folder)
      return Opened(environment: environment, tables: try openTables(environment, tables, folder))
    } catch {
      mdb_env_close(environment)
      throw error
    }
  }

  /// Opens each table; a write transaction is needed only if one is not there yet.
  private static func openTables(
    _ environment: OpaquePointer, _ names: [String], _ folder: String
  ) throws(DSVError) -> [MDB_dbi] {
    func open(_ flags: Int32, _ tableFlags: Int32) throws(DSVError) -> [MDB_dbi] {
      var handle: OpaquePointer?
      try check(mdb_txn_begin(environment, nil, UInt32(flags), &handle), "mdb_txn_begin", folder)
      do throws(DSVError) {
        var tables: [MDB_dbi] = []
        for name in names {
          var table: MDB_dbi = 0
          try check(mdb_dbi_open(handle, name, UInt32(tableFlags), &table), "mdb_dbi_open", folder)
          tables.append(table)
        }
        try check(mdb_txn_commit(handle), "mdb_txn_commit", folder)
        return tables
      } catch {
        mdb_txn_abort(handle)
        throw error
      }
    }
    do throws(DSVError) { return try open(MDB_RDONLY, 0) } catch {
      guard error.code == .notFound else { throw error }
      return try open(0, MDB_CREATE)
    }
  }

  /// Ends the environment; waits for the transactions in progress. Every later use throws.
  package func close() {
    do throws(DSVError) {
      try map.withWriting { () throws(DSVError) in
        closeOpened()
        hasFailed.store(false, ordering: .releasing)
      }
    } catch {
      preconditionFailure("closing throws nothing")
    }
  }

  /// To be called with `map` held for writing.
  private func closeOpened() {
    guard let old = opened else { return }
    opened = nil
    // After fork the parent's environment is left alone: closing it here would end the parent's locks.
    guard Machine.processID == processID else { return }
    let readers = idleReaders.withLock { readers in
      defer { readers = [] }
      return readers
    }
    for reader in readers { mdb_txn_abort(reader.handle) }
    mdb_env_close(old.environment)
  }
}

// MARK: - Transactions

extension Environment {
  /// Runs `body` in a read transaction: it sees the last committed state, and nothing changes under it.
  func read<R>(_ body: (borrowing Transaction) throws(DSVError) -> R) throws(DSVError) -> R {
    while true {
      do throws(DSVError) {
        return try map.withReading { () throws(DSVError) -> R in
          let opened = try usable()
          let handle = try beginReading(opened)
          defer { endReading(handle) }
          return try body(Transaction(handle: handle, tables: opened.tables, path: folder))
        }
      } catch {
        try recover(from: error)
      }
    }
  }

  /// Runs `body` in the write transaction, which commits if `body` returns and aborts if it throws.
  ///
  /// `body` runs again from the start when the map was too small. When this throws although `body` returned, the
  /// change is not visible now, and whether it will be after a crash is unknown: callers hold the writer's
  /// lock, so that nobody builds on it before the next transaction settles the matter.
  package func write<R: Sendable>(_ body: (borrowing Transaction) throws(DSVError) -> R) throws(DSVError) -> R
  {
    while true {
      do throws(DSVError) {
        return try map.withReading { () throws(DSVError) -> R in
          let opened = try usable()
          return try writer.withLock { (_) throws(DSVError) -> R in try attempt(opened, body) }
        }
      } catch {
        try recover(from: error)
      }
    }
  }

  /// Makes reading show what is on the disk, also where a process was killed at the end of its commit.
  ///
  /// LMDB says in shared memory, after it has written the commit to the file, which transaction is the last. Between the two
  /// readers see the state before. Only who begins to write finds that the last writer died, and puts it right.
  func settle() throws(DSVError) {
    while true {
      do throws(DSVError) {
        return try map.withReading { () throws(DSVError) in
          let opened = try usable()
          try writer.withLock { (_) throws(DSVError) in
            var handle: OpaquePointer?
            try check(mdb_txn_begin(opened.environment, nil, 0, &handle), "mdb_txn_begin", folder)
            defer { mdb_txn_abort(handle) }
            try checkFollows(handle, opened.environment)
          }
        }
      } catch {
        try recover(from: error)
      }
    }
  }

  private func attempt<R>(
    _ opened: Opened, _ body: (borrowing Transaction) throws(DSVError) -> R
  ) throws(DSVError) -> R {
    var handle: OpaquePointer?
    try check(mdb_txn_begin(opened.environment, nil, 0, &handle), "mdb_txn_begin", folder)
    guard let handle else { throw DSVError(.io, "\(folder): mdb_txn_begin gave nothing") }
    let result: R
    do throws(DSVError) {
      try checkFollows(handle, opened.environment)
      result = try body(Transaction(handle: handle, tables: opened.tables, path: folder))
      try Faults.check("mdb_txn_commit", folder)
    } catch {
      mdb_txn_abort(handle)
      throw error
    }
    do throws(DSVError) {
      // LMDB frees the handle whether or not the commit succeeds.
      try check(mdb_txn_commit(handle), "mdb_txn_commit", folder)
    } catch {
      if error.isLMDB(MDB_MAP_FULL) { throw error }
      hasFailed.store(true, ordering: .releasing)
      // LMDB says the same of a write that fell short, as the last one on a disk does, and of a bad disk.
      guard error.code == .io, try FileSystem.freeByteCount(folder) < Self.freeByteCountMin else {
        throw error
      }
      throw DSVError(.full, "\(folder): the disk is full", cause: error)
    }
    return result
  }

  /// Throws if a write transaction would not follow the last one in the file, and so be lost.
  private func checkFollows(_ handle: OpaquePointer?, _ environment: OpaquePointer) throws(DSVError) {
    var info = MDB_envinfo()
    mdb_env_info(environment, &info)
    guard mdb_txn_id(handle) == info.me_last_txnid + 1 else {
      throw DSVError(
        .busy,
        "\(folder): LMDB's lock file does not know the last transaction; end all processes that use the repository"
      )
    }
  }

  /// Makes the next attempt possible, or throws `error` on.
  private func recover(from error: DSVError) throws(DSVError) {
    if error.isLMDB(MDB_PANIC) { return try reopen() }
    let isFull = error.isLMDB(MDB_MAP_FULL)
    guard isFull || error.isLMDB(MDB_MAP_RESIZED) else { throw error }
    try map.withWriting { () throws(DSVError) in
      guard let opened else { return }
      // 0 takes the size that another process has given the file.
      let byteCount = isFull ? mapByteCount(opened.environment) * 2 : 0
      do throws(DSVError) {
        try check(mdb_env_set_mapsize(opened.environment, byteCount), "mdb_env_set_mapsize", folder)
      } catch {
        // LMDB has given up the old map by then, and would go on to read where it was.
        hasFailed.store(true, ordering: .releasing)
        throw error
      }
    }
  }

  private func mapByteCount(_ environment: OpaquePointer) -> Int {
    var info = MDB_envinfo()
    mdb_env_info(environment, &info)
    return max(info.me_mapsize, Self.mapByteCountMin / 2)
  }

  private func usable() throws(DSVError) -> Opened {
    guard Machine.processID == processID else {
      throw DSVError(.badInput, "\(folder): opened before this process was forked; open the repository again")
    }
    // Caught by `recover`, which opens it again.
    if hasFailed.load(ordering: .acquiring) { try check(MDB_PANIC, "mdb_txn_begin", folder) }
    guard let opened else { throw DSVError(.io, "\(folder): the index was closed") }
    return opened
  }

  private func beginReading(_ opened: Opened) throws(DSVError) -> OpaquePointer {
    if let idle = idleReaders.withLock({ $0.popLast() }) {
      do throws(DSVError) {
        try check(mdb_txn_renew(idle.handle), "mdb_txn_renew", folder)
        return idle.handle
      } catch {
        mdb_txn_abort(idle.handle)
        throw error
      }
    }
    var handle: OpaquePointer?
    var code = mdb_txn_begin(opened.environment, nil, UInt32(MDB_RDONLY), &handle)
    if code == MDB_READERS_FULL {
      var deadReaderCount: CInt = 0
      mdb_reader_check(opened.environment, &deadReaderCount)
      code = mdb_txn_begin(opened.environment, nil, UInt32(MDB_RDONLY), &handle)
    }
    try check(code, "mdb_txn_begin", folder)
    guard let handle else { throw DSVError(.io, "\(folder): mdb_txn_begin gave nothing") }
    return handle
  }

  private func endReading(_ handle: OpaquePointer) {
    mdb_txn_reset(handle)
    let isKept = idleReaders.withLock { readers in
      guard readers.count < 16 else { return false }
      readers.append(IdleReader(handle: handle))
      return true
    }
    if !isKept { mdb_txn_abort(handle) }
  }

  /// Closes and opens again after a failed commit, in one step for other threads.
  private func reopen() throws(DSVError) {
    try map.withWriting { () throws(DSVError) in
      guard hasFailed.load(ordering: .acquiring) else { return }
      closeOpened()
      opened = try Self.open(folder, tableNames)
      hasFailed.store(false, ordering: .releasing)
    }
  }
}

/// A transaction in progress, for as long as the closure that it was passed to runs.
package struct Transaction: ~Copyable {
  fileprivate let handle: OpaquePointer
  fileprivate let tables: [MDB_dbi]
  fileprivate let path: String

  /// A copy of the value of `key`.
  func value(_ table: Int, _ key: [UInt8]) throws(DSVError) -> [UInt8]? {
    var found = MDB_val()
    let code = withValue(key) { mdb_get(handle, tables[table], &$0, &found) }
    if code == MDB_NOTFOUND { return nil }
    try check(code, "mdb_get", path)
    return found.copy
  }

  package func put(_ table: Int, _ key: [UInt8], _ value: [UInt8]) throws(DSVError) {
    let code = withValue(key) { key in withValue(value) { mdb_put(handle, tables[table], &key, &$0, 0) } }
    try check(code, "mdb_put", path)
  }

  /// Deletes `key` if it is there.
  func delete(_ table: Int, _ key: [UInt8]) throws(DSVError) {
    let code = withValue(key) { mdb_del(handle, tables[table], &$0, nil) }
    if code != MDB_NOTFOUND { try check(code, "mdb_del", path) }
  }

  /// How many keys the table has.
  func count(_ table: Int) throws(DSVError) -> Int {
    var stat = MDB_stat()
    try check(mdb_stat(handle, tables[table], &stat), "mdb_stat", path)
    return stat.ms_entries
  }

  /// The keys from `first` on in ascending order, and their values, at most `limit`.
  func entries(
    _ table: Int, from first: [UInt8], limit: Int
  ) throws(DSVError) -> [(key: [UInt8], value: [UInt8])] {
    var cursor: OpaquePointer?
    try check(mdb_cursor_open(handle, tables[table], &cursor), "mdb_cursor_open", path)
    defer { mdb_cursor_close(cursor) }
    var found: [(key: [UInt8], value: [UInt8])] = []
    var value = MDB_val()
    var code = withValue(first) { key in
      let code = mdb_cursor_get(cursor, &key, &value, first.isEmpty ? MDB_FIRST : MDB_SET_RANGE)
      if code == MDB_SUCCESS, limit > 0 { found.append((key.copy, value.copy)) }
      return code
    }
    while code == MDB_SUCCESS, found.count < limit {
      var key = MDB_val()
      code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)
      if code == MDB_SUCCESS { found.append((key.copy, value.copy)) }
    }
    if code != MDB_NOTFOUND { try check(code, "mdb_cursor_get", path) }
    return found
  }

  /// The number of this transaction's state.
  var transactionID: UInt64 { UInt64(mdb_txn_id(handle)) }
}

private func withValue<R>(_ bytes: [UInt8], _ body: (inout MDB_val) -> R) -> R {
  bytes.withUnsafeBytes { bytes in
    var value = MDB_val(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
    return body(&value)
  }
}

extension MDB_val {
  fileprivate var copy: [UInt8] { [UInt8](UnsafeRawBufferPointer(start: mv_data, count: mv_size)) }
}
