import DSVSystem
import DSVTesting
import Foundation
import Glibc
import Testing

/// A folder with, perhaps, a repository, and the command `dsv` run in it.
final class Bench {
  let folder: TemporaryFolder
  var path: String { folder.path }
  /// Set for every run.
  var environment = ["PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "DSV_AUTHOR": "A Test <a@test>"]

  /// - Parameter initialized: whether a repository is made in the folder.
  init(initialized: Bool = true) throws {
    folder = try TemporaryFolder()
    if initialized { try ok("init") }
  }

  /// The built command, beside the test bundle.
  static let executable: String = {
    var path = [CChar](repeating: 0, count: 4096)
    let count = max(0, readlink("/proc/self/exe", &path, 4095))
    let own = String(decoding: path[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    let built =
      own.contains("swiftpm-testing-helper")
      ? (CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? own) : own
    return FileSystem.parent(of: built) + "/dsv"
  }()

  /// Starts the command, in the folder.
  func start(_ arguments: [String], input: Int32 = -1, output: Int32, errors: Int32) throws -> Child {
    var arguments = arguments
    if let first = arguments.first, ["key", "remote", "tier"].contains(first) {
      // Of commands that have commands of their own.
      arguments.insert(contentsOf: ["-C", path], at: 0)
    } else if let first = arguments.first, !first.hasPrefix("-") {
      arguments.insert(contentsOf: ["-C", path], at: 1)
    }
    return try Child(
      Self.executable, arguments, environment: environment, input: input, output: output, errors: errors)
  }

  @discardableResult
  func run(_ arguments: [String], input: String? = nil) throws -> Outcome {
    try run(arguments, input: input.map { text in { write in write(Array(text.utf8)) } })
  }

  @discardableResult
  func run(_ arguments: String..., input: String? = nil) throws -> Outcome {
    try run(arguments, input: input)
  }

  /// Runs the command; `input` writes what it gets by standard input, a pipe.
  func run(_ arguments: [String], input: ((([UInt8]) -> Void) -> Void)?) throws -> Outcome {
    let (output, errors) = (try TemporaryOutput(), try TemporaryOutput())
    let ends = input == nil ? (reading: -1, writing: -1) : try makePipe()
    let child = try start(
      arguments, input: ends.reading, output: output.descriptor, errors: errors.descriptor)
    var outcome = Outcome(exitCode: 0)
    if let input {
      close(ends.reading)
      signal(SIGPIPE, SIG_IGN)
      input { bytes in
        var start = 0
        while start < bytes.count {
          let count = bytes[start...].withUnsafeBytes { Glibc.write(ends.writing, $0.baseAddress, $0.count) }
          if count <= 0 { break }
          start += count
        }
        outcome.peakMemory = max(outcome.peakMemory, child.peakMemory)
      }
      close(ends.writing)
    }
    while true {
      if let code = child.poll() {
        outcome.exitCode = code
        break
      }
      outcome.peakMemory = max(outcome.peakMemory, child.peakMemory)
      usleep(1000)
    }
    (outcome.output, outcome.errors) = (output.bytes, String(decoding: errors.bytes, as: UTF8.self))
    return outcome
  }

  /// Runs the command, which must succeed; returns what it wrote.
  @discardableResult
  func ok(_ arguments: String..., input: String? = nil, at place: SourceLocation = #_sourceLocation) throws
    -> String
  {
    let outcome = try run(arguments, input: input)
    #expect(outcome.exitCode == 0, "dsv \(arguments): \(outcome.errors)", sourceLocation: place)
    return outcome.text
  }

  /// Runs the command with `--json`; returns the one document that it wrote.
  @discardableResult
  func json(_ arguments: String..., input: String? = nil, at place: SourceLocation = #_sourceLocation) throws
    -> JSONDocument
  {
    let outcome = try run(arguments + ["--json"], input: input)
    #expect(outcome.exitCode == 0, "dsv \(arguments): \(outcome.errors)", sourceLocation: place)
    return try JSONDocument(outcome.output)
  }

  /// Runs the command, which must fail with that code and a message that holds `words`.
  @discardableResult
  func fails(
    _ code: Int32, _ words: String, _ arguments: String..., input: String? = nil,
    at place: SourceLocation = #_sourceLocation
  ) throws -> Outcome {
    let outcome = try run(arguments, input: input)
    #expect(outcome.exitCode == code, "dsv \(arguments): \(outcome.errors)", sourceLocation: place)
    #expect(
      words.isEmpty || outcome.errors.contains(words), "dsv \(arguments): \(outcome.errors)",
      sourceLocation: place)
    return outcome
  }

  /// Writes a file of rows; returns its path.
  @discardableResult
  func file(_ name: String, _ text: String) throws -> String { try folder.write(name, text) }

  /// The names of HEAD's versions, newest first.
  func log() throws -> [String] { try json("log").array.map { try $0["version"].text } }

  /// Whether the repository is whole.
  func expectWhole(at place: SourceLocation = #_sourceLocation) throws {
    let result = try run("fsck", "--json")
    #expect(result.exitCode == 0, "\(result.text) \(result.errors)", sourceLocation: place)
  }
}

/// A file without a name that a child writes to.
final class TemporaryOutput {
  let descriptor: Int32
  init() throws {
    let path = FileSystem.temporaryName(beside: "\(FileSystem.temporaryFolder)/dsv-output")
    descriptor = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
    try #require(descriptor >= 0)
    unlink(path)
  }
  deinit { close(descriptor) }

  var bytes: [UInt8] {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return [] }
    return [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { buffer, count in
      count = max(0, pread(descriptor, buffer.baseAddress, buffer.count, 0))
    }
  }
}

/// A JSON document that was written by the command.
struct JSONDocument {
  let value: Any

  init(_ bytes: [UInt8]) throws {
    value = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
  }
  private init(value: Any) { self.value = value }

  subscript(_ key: String) -> JSONDocument {
    get throws { JSONDocument(value: try #require(object[key], "no member \(key) in \(value)")) }
  }
  subscript(_ index: Int) -> JSONDocument {
    get throws {
      let array = try array
      try #require(array.indices.contains(index))
      return array[index]
    }
  }
  var object: [String: Any] { get throws { try #require(value as? [String: Any]) } }
  var keys: Set<String> { get throws { Set(try object.keys) } }
  var array: [JSONDocument] { get throws { try #require(value as? [Any]).map { JSONDocument(value: $0) } } }
  var text: String { get throws { try #require(value as? String) } }
  var int: Int { get throws { try #require(value as? Int) } }
  var double: Double { get throws { try #require(value as? Double) } }
  var bool: Bool { get throws { try #require(value as? Bool) } }
  var isNull: Bool { value is NSNull }
}
