import DSVSystem
import Testing

/// What a workload changed below a folder, in order, as `recorder.c` wrote it down.
///
/// Files and folders are *nodes*, numbered in order of their making; node 0 is the folder itself. A node keeps its
/// number when it gets another name, so that what is known of its content stays with it.
struct Recording {
  enum Change {
    /// Names in folders that from now on lead to another node, or to none: all of them at once.
    case names([Name])
    case write(node: Int, offset: Int, bytes: [UInt8])
    case truncate(node: Int, byteCount: Int)
    /// What was changed of the node before this is on the disk for good.
    case sync(node: Int)
    /// A command has ended and told so.
    case acknowledged
  }

  struct Name {
    let folder: Int
    let name: String
    let node: Int?
  }

  struct Event {
    let change: Change
    /// Which command did what to which file, without what is random: `append: sync .dsv/packs/N.pack`.
    let label: String
    /// Whether the write is on the disk when it returns.
    var isDurable = false
  }

  /// What the recorder says is done; the numbers are those of `recorder.c`.
  private enum Operation: UInt32 {
    case create = 1
    case write, truncate, sync, makeFolder, removeFolder, remove, rename, map, unknown
    /// Written by the test itself.
    case acknowledged = 100
  }

  private(set) var events: [Event] = []
  private(set) var isFolder = [true]
  /// Files that are mapped for writing. What lies in them after a power cut may be anything.
  private(set) var mapped = Set<Int>()
  /// Each folder's names as they are at the end of what was read so far.
  private var folders: [Int: [String: Int]] = [0: [:]]
  private var nodes: [UInt64: Int] = [:]

  /// The entry that says that a command has ended.
  static let acknowledgement: [UInt8] =
    [UInt8(Operation.acknowledged.rawValue)] + [UInt8](repeating: 0, count: 47)

  /// - Parameters:
  ///   - commands: the names of the commands, in order.
  ///   - rootInode: of the folder itself.
  init(_ log: [UInt8], commands: [String], rootInode: UInt64) throws {
    nodes[rootInode] = 0
    var offset = 0
    var done = 0
    func number<T: FixedWidthInteger>(_ at: Int, _: T.Type) -> T {
      log[offset + at..<offset + at + MemoryLayout<T>.size].reversed().reduce(0) { $0 << 8 | T($1) }
    }
    while offset < log.count {
      let operation = try #require(Operation(rawValue: number(0, UInt32.self)))
      let isDurable = number(4, UInt32.self) & 1 != 0
      let lengths = [Int(number(8, UInt32.self)), Int(number(12, UInt32.self)), number(40, Int.self)]
      let (inode, start, length) = (number(16, UInt64.self), number(24, Int.self), number(32, Int.self))
      offset += 48
      let parts = lengths.map { count in
        defer { offset += count }
        return Array(log[offset..<offset + count])
      }
      let paths = parts[..<2].map { String(decoding: $0, as: UTF8.self) }
      let label =
        "\(done < commands.count ? commands[done] : "end"): \(operation) \(Self.withoutRandom(paths[0]))"
      if operation == .acknowledged { done += 1 }
      let change = try self.change(operation, paths, inode, start, length, parts[2])
      if let change { events.append(Event(change: change, label: label, isDurable: isDurable)) }
    }
    try #require(done == commands.count)
  }

  private mutating func change(
    _ operation: Operation, _ paths: [String], _ inode: UInt64, _ start: Int, _ length: Int, _ bytes: [UInt8]
  ) throws -> Change? {
    switch operation {
    case .create, .makeFolder:
      let node = isFolder.count
      isFolder.append(operation == .makeFolder)
      if operation == .makeFolder { folders[node] = [:] }
      nodes[inode] = node
      return .names(try place([(paths[0], node)]))
    case .remove, .removeFolder: return .names(try place([(paths[0], nil)]))
    case .rename: return .names(try place([(paths[0], nil), (paths[1], try find(paths[0]))]))
    case .write: return .write(node: try #require(nodes[inode]), offset: start, bytes: bytes)
    case .truncate: return .truncate(node: try #require(nodes[inode]), byteCount: length)
    case .sync: return .sync(node: try #require(nodes[inode]))
    case .map:
      mapped.insert(try #require(nodes[inode]))
      return nil
    case .acknowledged: return .acknowledged
    case .unknown:
      Issue.record("the recorder cannot follow \(paths[0])")
      return nil
    }
  }

  var commandCount: Int { events.count { if case .acknowledged = $0.change { true } else { false } } }

  /// Each sync of each command once: syncs of a file or folder, and writes that are on the disk when they return.
  var syncLabels: [String] {
    var labels: [String] = []
    for event in events {
      let isSync = if case .sync = event.change { true } else { event.isDurable }
      if isSync, !labels.contains(event.label) { labels.append(event.label) }
    }
    return labels
  }

  /// What was done last before a cut.
  func label(before cut: Int) -> String { cut == 0 ? "nothing" : events[cut - 1].label }

  /// Gives names to nodes.
  private mutating func place(_ names: [(path: String, node: Int?)]) throws -> [Name] {
    try names.map { path, node in
      let parts = path.split(separator: "/").map(String.init)
      let folder = try find(parts.dropLast().joined(separator: "/"))
      let name = try #require(parts.last)
      folders[folder, default: [:]][name] = node
      return Name(folder: folder, name: name, node: node)
    }
  }

  private func find(_ path: String) throws -> Int {
    try path.split(separator: "/").reduce(0) { try #require(folders[$0]?[String($1)], "\(path)") }
  }

  /// A path with `N` for a pack's number and `X` for random digits.
  private static func withoutRandom(_ path: String) -> String {
    path.replacing(#/[0-9a-f]{16}/#, with: "X").replacing(#/[0-9a-f]{8}\.pack/#, with: "N.pack")
  }
}
