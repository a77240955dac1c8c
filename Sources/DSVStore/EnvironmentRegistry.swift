import DSVFormat
import DSVSystem
import Synchronization

/// The open environments of this process: at most one a file, as LMDB demands.
///
/// Closing a second one would end the locks of the first, which belong to the process.
enum EnvironmentRegistry {
  private struct Key: Hashable {
    let device: UInt64
    let inode: UInt64
    let processID: Int32
  }

  private struct Entry {
    let environment: Environment
    var userCount: Int
  }

  private static let entries = Mutex<[Key: Entry]>([:])

  /// The environment of `folder`, opened if it is not open yet. Balance with ``release(_:)``.
  static func retain(_ folder: String, tables: [String]) throws(DSVError) -> Environment {
    try entries.withLock { (entries) throws(DSVError) in
      guard let status = try FileSystem.status("\(folder)/data.mdb") else {
        throw DSVError(.notFound, "\(folder): there is no index")
      }
      let key = Key(device: status.device, inode: status.inode, processID: Machine.processID)
      if let entry = entries[key] {
        entries[key]?.userCount += 1
        return entry.environment
      }
      let environment = try Environment(folder, tables: tables)
      entries[key] = Entry(environment: environment, userCount: 1)
      return environment
    }
  }

  /// Ends one use; the last one closes the environment.
  static func release(_ environment: Environment) {
    entries.withLock { entries in
      guard let key = entries.first(where: { $0.value.environment === environment })?.key else { return }
      entries[key]?.userCount -= 1
      if entries[key]?.userCount == 0 {
        environment.close()
        entries[key] = nil
      }
    }
  }
}
