import DSVFormat
import DSVSystem
import Foundation
import Glibc
import Testing

@Suite struct SecretInputTests {
  private static func text(_ secret: SecretBytes) -> String {
    secret.withBytes { String(decoding: $0, as: UTF8.self) }
  }

  private static func code<Value>(_ body: () throws -> Value) -> DSVError.Code? {
    do {
      _ = try body()
      return nil
    } catch { return (error as? DSVError)?.code }
  }

  @Test("a file is read whole, or refused for its length, and it is told whether others may read it")
  func file() throws {
    let path = FileSystem.temporaryName(beside: "\(FileSystem.temporaryFolder)/dsv-secret")
    defer { try? FileSystem.remove(path) }
    #expect(Self.code { try SecretInput.file(path, limit: 10) } == .notFound)
    try FileSystem.replace(path, with: Array("0123456789".utf8), isPrivate: true)
    let (secret, isExposed) = try SecretInput.file(path, limit: 10)
    #expect(Self.text(secret) == "0123456789" && !isExposed)
    #expect(Self.code { try SecretInput.file(path, limit: 9) } == .badInput)
    try FileSystem.replace(path, with: [])
    #expect(try SecretInput.file(path, limit: 9).secret.count == 0)
    #expect(try SecretInput.file(path, limit: 9).isExposed)
    #expect(Self.code { try SecretInput.file(FileSystem.temporaryFolder, limit: 9) } == .badInput)
  }

  @Test("a variable is taken out of the environment once")
  func environment() async {
    await #expect(processExitsWith: .success) {
      setenv("DSV_SECRET_TEST", "abc", 1)
      let value = try #require(getenv("DSV_SECRET_TEST"))
      #expect(SecretInput.takeEnvironment("DSV_SECRET_TEST")?.withBytes { Array($0) } == Array("abc".utf8))
      #expect(getenv("DSV_SECRET_TEST") == nil && value.pointee == 0)
      #expect(SecretInput.takeEnvironment("DSV_SECRET_TEST") == nil)
      SecretInput.hideProcess()
    }
  }

  @Test("a command's output is taken if it ends well and says little")
  func command() throws {
    #expect(Self.text(try SecretInput.command("printf '%s' a b; echo", limit: 3)) == "ab\n")
    #expect(try SecretInput.command("true", limit: 3).count == 0)
    for (command, word) in [
      ("exit 3", "status 3"), ("echo x; exit 1", "status 1"), ("kill -9 $$", "signal 9"),
      ("nothing-such 2>&-", "127"),
    ] {
      let error = #expect(throws: DSVError.self) { try SecretInput.command(command, limit: 3) }
      #expect(error?.code == .badInput && error?.message.contains(word) == true)
    }
    #expect(Self.code { try SecretInput.command("while :; do echo long; done", limit: 3) } == .badInput)
  }

  /// The two ends of a terminal that a test sits at.
  private static func terminal() throws -> (master: Int32, path: String) {
    let master = open("/dev/ptmx", O_RDWR | O_NOCTTY)
    var (locked, number) = (CInt(0), CInt(0))
    // TIOCSPTLCK and TIOCGPTN: the C library's own calls for it are not in Swift's Glibc.
    try #require(
      master >= 0 && ioctl(master, 0x4004_5431, &locked) == 0 && ioctl(master, 0x8004_5430, &number) == 0)
    return (master, "/dev/pts/\(number)")
  }

  @Test("what is typed is not shown, and the terminal shows again what is typed after")
  func ask() throws {
    let (master, path) = try Self.terminal()
    defer { close(master) }
    let line = Array("très secret\n".utf8)
    var isTyped = false
    let secret = try SecretInput.ask("Say: ", limit: 20, terminal: path) {
      // Typed once it is asked for: what came before is thrown away.
      if !isTyped { write(master, line, line.count) }
      isTyped = true
    }
    #expect(Self.text(secret) == "très secret")
    // It comes in as many pieces as the system likes.
    var shown: [UInt8] = []
    var wait = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
    while shown.last != 10, poll(&wait, 1, 10_000) > 0 {
      var piece = [UInt8](repeating: 0, count: 100)
      let count = read(master, &piece, piece.count)
      if count <= 0 { break }
      shown += piece[..<count]
    }
    #expect(String(decoding: shown, as: UTF8.self) == "Say: \r\n")
    let slave = open(path, O_RDWR | O_NOCTTY)
    defer { close(slave) }
    var attributes = termios()
    tcgetattr(slave, &attributes)
    #expect(attributes.c_lflag & tcflag_t(ECHO) != 0)
  }

  @Test("asking ends where somebody stops it, where the line is too long, and where there is no terminal")
  func askNobody() throws {
    let (master, path) = try Self.terminal()
    defer { close(master) }
    let stopped = Self.code {
      try SecretInput.ask("Say: ", limit: 20, terminal: path) { () throws(DSVError) in
        throw DSVError(.interrupted, "stopped")
      }
    }
    #expect(stopped == .interrupted)
    var attributes = termios()
    tcgetattr(master, &attributes)
    #expect(attributes.c_lflag & tcflag_t(ECHO) != 0)
    let line = Array("much too long for that\n".utf8)
    var isTyped = false
    let long = Self.code {
      try SecretInput.ask("Say: ", limit: 20, terminal: path) {
        if !isTyped { write(master, line, line.count) }
        isTyped = true
      }
    }
    #expect(long == .badInput)
    let file = FileSystem.temporaryName(beside: "\(FileSystem.temporaryFolder)/dsv-secret")
    defer { try? FileSystem.remove(file) }
    try FileSystem.replace(file, with: [])
    #expect(Self.code { try SecretInput.ask("Say: ", limit: 20, terminal: file) {} } == .badInput)
    #expect(Self.code { try SecretInput.ask("Say: ", limit: 20, terminal: "\(file).none") {} } == .badInput)
  }
}
