import DSVFormat
import DSVStore
import DSVSystem
import DSVTesting
import Synchronization
import Testing

/// A folder of its own for a test; gone with it.
final class Scratch: Sendable {
  let path: String
  /// What stores opened by ``open()`` said.
  private let heard = Mutex<[String]>([])
  var notes: [String] { heard.withLock { $0 } }

  init() throws {
    path = FileSystem.temporaryName(beside: "\(FileSystem.temporaryFolder)/dsv-store")
    try FileSystem.makeFolder(path)
  }

  deinit { try? FileSystem.removeTree(path) }

  func hear(_ note: String) { heard.withLock { $0.append(note) } }

  var root: String { "\(path)/.dsv" }

  func create() throws -> Store {
    try TestStore.create(at: root, refs: [("HEAD", .symbolic("heads/main"))])
  }

  func open() throws -> Store {
    try TestStore.open(at: root) { note in self.heard.withLock { $0.append(note) } }
  }
}

/// Stores as the tests make and open them: encrypted ones if `DSV_TEST_ENCRYPTED` is set, for all that is tested of plain ones
/// is to be so of them too.
enum TestStore {
  static let isEncrypted = Machine.environment("DSV_TEST_ENCRYPTED") != nil
  static let key = UserKey.key(FernetKey(SecretBytes(copying: Array(0..<32))))

  static func create(at root: String, refs: [(String, RefTarget)] = []) throws(DSVError) -> Store {
    try Store.create(at: root, refs: refs, key: isEncrypted ? key : nil)
  }

  static func open(
    at root: String, note: @escaping @Sendable (String) -> Void = { _ in }
  ) throws(DSVError) -> Store {
    try Store.open(at: root, keys: { () throws(DSVError) in key }, note: note)
  }
}

extension SecretBytes {
  convenience init(copying bytes: [UInt8]) {
    self.init(count: bytes.count) { $0.copyBytes(from: bytes) }
  }
}

/// An object whose content follows from `number`.
func testObject(_ number: UInt64, byteCount: Int = 100) -> (AnyID, StoredObject) {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(byteCount + 8)
  var counter: UInt64 = 0
  while bytes.count < byteCount {
    withUnsafeBytes(of: Hash64.of(counter, seed: number)) { bytes.append(contentsOf: $0) }
    counter += 1
  }
  let object = StoredObject(kind: .chunk, plainByteCount: byteCount, bytes: Array(bytes[..<byteCount]))
  return (testID(number), object)
}

extension Store {
  /// Publishes one object and moves `ref` to a commit of the same number; returns the version number.
  @discardableResult
  func publishTest(_ number: UInt64, ref: String = "heads/main", byteCount: Int = 100) throws(DSVError) -> Int
  {
    let session = try session()
    let (id, object) = testObject(number, byteCount: byteCount)
    try session.put(id, object)
    return try session.publish { (publication) throws(DSVError) in
      let commit: CommitID = testID(number)
      try publication.move(RefMove(ref, expected: .anything, new: .commit(commit), action: "test \(number)"))
      return try publication.number(commit)
    }
  }

  /// Every object's ID, in order.
  func allIDs() throws(DSVError) -> [AnyID] {
    var ids: [AnyID] = []
    try forEachObject { (id, _) throws(DSVError) in ids.append(id) }
    return ids
  }
}
