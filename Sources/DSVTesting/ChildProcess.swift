package import DSVFormat
import Glibc
import Synchronization

/// A process that a test started, spoken to by lines. It ends when its standard input does, so at the latest with the test.
package final class ChildProcess: Sendable {
  package let processID: Int32
  private let input: Int32
  private let output: Int32
  /// One question at a time.
  private let turn = Mutex(())

  /// - Parameter arguments: the program, looked up in PATH, and its arguments.
  package init(_ arguments: [String]) throws(DSVError) {
    var (toChild, fromChild): ([Int32], [Int32]) = ([0, 0], [0, 0])
    guard pipe(&toChild) == 0, pipe(&fromChild) == 0 else { throw DSVError(.io, "pipe failed: \(errno)") }
    for descriptor in toChild + fromChild { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, toChild[0], STDIN_FILENO)
    posix_spawn_file_actions_adddup2(&actions, fromChild[1], STDOUT_FILENO)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
    let words = arguments.map { strdup($0) }
    defer { for word in words { free(word) } }
    var child: pid_t = 0
    let code = posix_spawnp(&child, arguments[0], &actions, nil, words + [nil], environ)
    close(toChild[0])
    close(fromChild[1])
    (processID, input, output) = (child, toChild[1], fromChild[0])
    guard code == 0 else { throw DSVError(.io, "\(arguments[0]) does not start: \(code)") }
  }

  deinit {
    close(input)
    close(output)
    kill(processID, SIGKILL)
    var status: Int32 = 0
    waitpid(processID, &status, 0)
  }

  /// The next line of what it says; throws when it has ended.
  package func readLine() throws(DSVError) -> String {
    var line: [UInt8] = []
    while true {
      var byte: UInt8 = 0
      let count = read(output, &byte, 1)
      if count == 1 && byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
      if count == 1 { line.append(byte) }
      if count == 0 || count < 0 && errno != EINTR {
        throw DSVError(.io, "the process \(processID) has ended, or says nothing")
      }
    }
  }

  /// Says a line and reads the answer.
  package func ask(_ line: String) throws(DSVError) -> String {
    let result = turn.withLock { _ in
      Result { () throws(DSVError) in
        let bytes = Array("\(line)\n".utf8)
        guard write(input, bytes, bytes.count) == bytes.count else {
          throw DSVError(.io, "the process \(processID) does not listen")
        }
        return try readLine()
      }
    }
    return try result.get()
  }
}
