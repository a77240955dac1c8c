import DSVFormat
import DSVSystem
import Glibc
import Testing

/// A run of the built `dsv` command in a process of its own.
struct Child {
  /// How it ended, and what it said.
  struct End {
    /// `nil` if a signal ended it.
    let code: Int32?
    let signal: Int32?
    let output: String
    let errors: String

    /// Whether it told somebody that it was done.
    var isAcknowledged: Bool { code == 0 || output.contains("\n") }
  }

  /// The command, which is built beside the tests.
  static let command: String = {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    let path = String(decoding: buffer.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    return FileSystem.parent(of: path) + "/dsv"
  }()

  private let processID: pid_t
  private let output: String

  /// Starts `dsv` with these arguments, or another program.
  ///
  /// - Parameter scratch: a folder for what it says.
  init(_ arguments: [String], program: String = command, scratch: String) throws {
    output = FileSystem.temporaryName(beside: "\(scratch)/child")
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT, 0o644)
    posix_spawn_file_actions_addopen(&actions, 2, output + ".errors", O_WRONLY | O_CREAT, 0o644)
    var strings = ([program] + arguments).map { strdup($0) }
    strings.append(nil)
    defer { for string in strings { free(string) } }
    var processID: pid_t = 0
    let code = posix_spawn(&processID, program, &actions, nil, strings, environ)
    try #require(code == 0, "\(program): \(String(cString: strerror(code)))")
    self.processID = processID
  }

  /// How it ended; `nil` while it goes on.
  func poll() throws -> End? { try end(WNOHANG) }

  /// Waits until it ends.
  func wait() throws -> End { try #require(try end(0)) }

  /// Kills it after a delay, unless it has ended by then.
  func kill(afterNanoseconds delay: UInt64) throws -> End {
    Clock.sleep(nanoseconds: delay)
    // It has not been waited for: the ID is still its own.
    Glibc.kill(processID, SIGKILL)
    return try wait()
  }

  private func end(_ options: Int32) throws -> End? {
    var status: Int32 = 0
    let found = waitpid(processID, &status, options)
    if found == 0 { return nil }
    try #require(found == processID, "waitpid: \(String(cString: strerror(errno)))")
    let signal = status & 0x7f
    let texts = try [output, output + ".errors"].map { path in
      defer { unlink(path) }
      return String(decoding: try FileSystem.read(path, limit: 1 << 30), as: UTF8.self)
    }
    return End(
      code: signal == 0 ? status >> 8 & 0xff : nil, signal: signal == 0 ? nil : signal, output: texts[0],
      errors: texts[1])
  }

  /// Runs `dsv` to its end.
  static func run(_ arguments: [String], scratch: String) throws -> End {
    try Child(arguments, scratch: scratch).wait()
  }
}
