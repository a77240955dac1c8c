package import DSVFormat
import Glibc

extension SecretInput {
  /// Asks whoever sits at the terminal for a line, which is not shown. A line's end is no part of it.
  ///
  /// - Parameters:
  ///   - terminal: the device; that which the process belongs to, if none is named.
  ///   - check: called time and again while nothing comes; if it throws, so does this.
  /// - Throws: `.badInput` if there is no terminal, or the line has more than `limit` bytes.
  package static func ask(
    _ prompt: String, limit: Int, terminal: String = "/dev/tty", check: () throws(DSVError) -> Void
  ) throws(DSVError) -> SecretBytes {
    let file: File
    do throws(DSVError) { file = try File(terminal, .update) } catch {
      throw DSVError(.badInput, "there is no terminal to ask for a passphrase on", cause: error)
    }
    return try file.withDescriptor { (descriptor) throws(DSVError) in
      var shown = termios()
      guard tcgetattr(descriptor, &shown) == 0 else {
        throw DSVError(.badInput, "there is no terminal to ask for a passphrase on")
      }
      var hidden = shown
      hidden.c_lflag &= ~tcflag_t(ECHO | ECHOE | ECHOK | ECHONL)
      hidden.c_lflag |= tcflag_t(ICANON | ISIG)
      // What was typed before the question is no answer.
      tcsetattr(descriptor, TCSAFLUSH, &hidden)
      defer { tcsetattr(descriptor, TCSAFLUSH, &shown) }
      try file.writeNext(prompt)
      let line = try readLine(file, descriptor, limit, check)
      try file.writeNext("\n")
      return line
    }
  }

  private static func readLine(
    _ file: File, _ descriptor: Int32, _ limit: Int, _ check: () throws(DSVError) -> Void
  ) throws(DSVError) -> SecretBytes {
    var count = 0
    let room = try SecretBytes(count: limit + 1) { (room) throws(DSVError) in
      // The terminal gives whole lines.
      while count < room.count, count == 0 || room[count - 1] != UInt8(ascii: "\n") {
        var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let ready = poll(&wait, 1, 100)
        try check()
        guard ready > 0 else { continue }
        let read = try file.readNext(into: UnsafeMutableRawBufferPointer(rebasing: room[count...]))
        guard read > 0 else { throw DSVError(.badInput, "the terminal gave no passphrase") }
        count += read
      }
      guard count > 0, room[count - 1] == UInt8(ascii: "\n") else {
        throw DSVError(.badInput, "a passphrase has at most \(limit) bytes")
      }
    }
    return room.withBytes { SecretBytes(copying: UnsafeRawBufferPointer(rebasing: $0[..<(count - 1)])) }
  }
}

extension File {
  fileprivate func writeNext(_ text: String) throws(DSVError) {
    try Array(text.utf8).withBytes { (bytes) throws(DSVError) in try writeNext(bytes) }
  }
}
