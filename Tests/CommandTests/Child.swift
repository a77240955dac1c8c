import Glibc
import Synchronization
import Testing

/// Held while descriptors are made and processes started, so that none is inherited by accident.
private let spawning = Mutex(())

/// A pipe that no child inherits but by being given an end.
func makePipe() throws -> (reading: Int32, writing: Int32) {
  try spawning.withLock { _ in
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }
}

/// What a process that has ended said.
struct Outcome {
  /// 256 and more: a signal's number above 256.
  var exitCode: Int32
  var output: [UInt8] = []
  var errors = ""
  /// The most memory that was seen in use, in bytes.
  var peakMemory = 0

  var text: String { String(decoding: output, as: UTF8.self) }
  var lines: [String] { text.split(separator: "\n").map(String.init) }
}

/// A process that a test has started.
final class Child {
  let id: pid_t
  private var ended: Int32?
  /// Whether the system wrote a core when a signal ended it.
  private(set) var hasDumpedCore = false

  /// - Parameters:
  ///   - input: the descriptor that becomes standard input; -1 for none.
  init(
    _ executable: String, _ arguments: [String], environment: [String: String], input: Int32, output: Int32,
    errors: Int32
  ) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    if input >= 0 {
      posix_spawn_file_actions_adddup2(&actions, input, 0)
    } else {
      posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    }
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_adddup2(&actions, errors, 2)
    // A thread of the test process may block signals, which a child would inherit.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    for number in [SIGPIPE, SIGINT, SIGTERM, SIGXFSZ] { sigaddset(&signals, number) }
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    let words = ([executable] + arguments).map { strdup($0) } + [nil]
    let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer {
      for word in words + variables { free(word) }
    }
    var id: pid_t = 0
    let code = spawning.withLock { _ in posix_spawn(&id, executable, &actions, &attributes, words, variables)
    }
    try #require(code == 0, "posix_spawn \(executable): \(code)")
    self.id = id
  }

  deinit {
    if ended == nil {
      kill(id, SIGKILL)
      _ = wait()
    }
  }

  /// How it ended, if it has.
  func poll() -> Int32? { wait(WNOHANG) }

  /// Waits for its end.
  func wait() -> Int32 {
    while true { if let code = wait(0) { return code } }
  }

  private func wait(_ options: Int32) -> Int32? {
    if let ended { return ended }
    var status: Int32 = 0
    guard waitpid(id, &status, options) == id else { return nil }
    let signal = status & 0x7f
    hasDumpedCore = signal != 0 && status & 0x80 != 0
    ended = signal == 0 ? status >> 8 & 0xff : 256 + signal
    return ended
  }

  /// The most memory that it has used so far; 0 once it has ended.
  var peakMemory: Int {
    guard let file = fopen("/proc/\(id)/status", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, 256, file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      guard text.hasPrefix("VmHWM:") else { continue }
      return (Int(text.split(whereSeparator: { $0 == " " || $0 == "\t" })[1]) ?? 0) * 1024
    }
    return 0
  }
}
