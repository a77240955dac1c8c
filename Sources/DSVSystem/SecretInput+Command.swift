package import DSVFormat
import Glibc

extension SecretInput {
  /// What a command of the shell writes to its standard output. It has this process's standard input and error, so that it can ask.
  ///
  /// - Throws: `.badInput` if the command fails or writes more than `limit` bytes.
  package static func command(_ command: String, limit: Int) throws(DSVError) -> SecretBytes {
    let (process, output) = try start(command)
    var status: Int32 = 0
    let secret: SecretBytes
    do throws(DSVError) { secret = try readAll(output, limit) } catch {
      // It may not end by itself: what it writes is read no more.
      kill(process, SIGTERM)
      _ = try retrying("waitpid", output.path) { waitpid(process, &status, 0) }
      throw error
    }
    _ = try retrying("waitpid", output.path) { waitpid(process, &status, 0) }
    guard status == 0 else {
      let (signal, code) = (status & 0x7f, status >> 8 & 0xff)
      throw DSVError(
        .badInput,
        "\(output.path) \(signal == 0 ? "ended with status \(code)" : "was ended by signal \(signal)")")
    }
    return secret
  }

  /// Starts a command; returns it, and what reads its standard output.
  private static func start(_ command: String) throws(DSVError) -> (process: pid_t, output: File) {
    let name = "the key command"
    var ends: [Int32] = [-1, -1]
    _ = try retrying("pipe", name) { pipe(&ends) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let output = File(owning: ends[0], name)
    defer { close(ends[1]) }
    return (try spawn(command, output: ends[1]), output)
  }

  private static func spawn(_ command: String, output: Int32) throws(DSVError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
    // What this process ignores or puts off, a command need not.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in [SIGPIPE, SIGINT, SIGTERM, SIGALRM, SIGXFSZ] { sigaddset(&signals, number) }
    posix_spawnattr_setsigdefault(&attributes, &signals)
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
    var arguments: [UnsafeMutablePointer<CChar>?] = [
      strdup("/bin/sh"), strdup("-c"), strdup(command), nil,
    ]
    defer { for argument in arguments { free(argument) } }
    var process = pid_t()
    let code = posix_spawn(&process, "/bin/sh", &actions, &attributes, &arguments, environ)
    guard code == 0 else { throw .system(code, "posix_spawn", "/bin/sh") }
    return process
  }
}
