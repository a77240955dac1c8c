import DSV
import DSVFormat
import DSVSystem
import Synchronization
import Testing

/// A repeatable source of random numbers.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return Hash64.of(state)
  }
}

/// A folder of its own for a test; gone with it.
final class Scratch: Sendable {
  let path: String

  /// In memory where that can be had: damage by the thousand need not wear out a disk.
  init(inMemory: Bool = false) throws {
    let folder =
      try inMemory && FileSystem.exists("/dev/shm") ? "/dev/shm" : FileSystem.temporaryFolder
    path = FileSystem.temporaryName(beside: "\(folder)/dsv-crash")
    try FileSystem.makeFolder(path)
  }

  private let isKept = Atomic(false)

  /// Lets the folder be, for somebody to look at.
  func keep() { isKept.store(true, ordering: .relaxed) }

  deinit { if !isKept.load(ordering: .relaxed) { try? FileSystem.removeTree(path) } }

  /// The folder of the repository that tests use.
  var repository: String { "\(path)/repository" }

  /// Writes a file of lines; returns its path.
  func file(_ name: String, _ text: String) throws -> String {
    let path = "\(path)/\(name)"
    try FileSystem.replace(path, with: Array(text.utf8), isDurable: false)
    return path
  }
}

/// Whole folders as values.
enum Tree {
  /// The folder of this test's sources.
  static let sources = FileSystem.parent(of: #filePath)

  /// The files below a folder, by path within it.
  static func read(_ root: String, _ folder: String = "") throws(DSVError) -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for name in try FileSystem.list("\(root)/\(folder)") {
      let path = folder.isEmpty ? name : "\(folder)/\(name)"
      if try FileSystem.status("\(root)/\(path)")?.isFolder == true {
        files.merge(try read(root, path)) { $1 }
      } else {
        files[path] = try FileSystem.read("\(root)/\(path)", limit: .max)
      }
    }
    return files
  }

  /// Makes `root` a folder that holds these files and no others.
  static func write(_ files: [String: [UInt8]], to root: String) throws(DSVError) {
    try FileSystem.removeTree(root)
    try FileSystem.makeFolder(root)
    var folders: Set<String> = [root]
    for (path, bytes) in files.sorted(by: { $0.key < $1.key }) {
      var folder = root
      for part in path.split(separator: "/").dropLast() {
        folder += "/\(part)"
        if folders.insert(folder).inserted { try FileSystem.makeFolder(folder) }
      }
      try File("\(root)/\(path)", .create).write(bytes, at: 0)
    }
  }
}

extension File {
  /// Writes down a text at once, so that it is there if the process ends with the next thing that it does.
  func say(_ text: String) throws { try Array(text.utf8).withUnsafeBytes { try writeNext($0) } }
}
