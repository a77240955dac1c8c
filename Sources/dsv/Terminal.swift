import DSVFormat
import DSVRecords
import DSVSystem
import Glibc
import Synchronization

/// Text to people and programs: data on standard output, all else on standard error.
enum Terminal {
  static let isColored: Bool = {
    if Machine.environment("NO_COLOR").map({ !$0.isEmpty }) ?? false { return false }
    return File.standardOutput.isTerminal && Machine.environment("TERM") != "dumb"
  }()

  /// Whether errors are told as JSON; set once the arguments are known.
  static let tellsJSON = Atomic<Bool>(false)

  static func bold(_ text: String) -> String { isColored ? "\u{1b}[1m\(text)\u{1b}[0m" : text }
  static func dim(_ text: String) -> String { isColored ? "\u{1b}[2m\(text)\u{1b}[0m" : text }
  static func green(_ text: String) -> String { isColored ? "\u{1b}[32m\(text)\u{1b}[0m" : text }
  static func red(_ text: String) -> String { isColored ? "\u{1b}[31m\(text)\u{1b}[0m" : text }
  static func yellow(_ text: String) -> String { isColored ? "\u{1b}[33m\(text)\u{1b}[0m" : text }

  static func write(_ text: String, to descriptor: Int32) {
    Array(text.utf8).withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let slice = UnsafeRawBufferPointer(rebasing: rest)
        let written = Glibc.write(descriptor, slice.baseAddress, slice.count)
        if written < 0 {
          if errno == EINTR { continue }
          // Nobody reads any more: there is nobody to tell.
          exit(descriptor == 1 && errno == EPIPE ? 0 : 1)
        }
        rest = rest.dropFirst(written)
      }
    }
  }

  static func print(_ line: String) { write(line + "\n", to: 1) }
  static func note(_ line: String) { write("dsv: \(line)\n", to: 2) }

  static func report(_ error: DSVError) {
    ProgressBar.clear()
    if tellsJSON.load(ordering: .relaxed) {
      let object = JSON.object([
        ("error", .object([("code", .text(error.code.rawValue)), ("message", .text(error.text))]))
      ])
      write(object.text + "\n", to: 2)
      return
    }
    write("dsv: \(error.text)\n", to: 2)
  }

  /// Data that may come from anywhere, as it may be shown on a terminal.
  static func shown(_ text: String) -> String {
    File.standardOutput.isTerminal ? TerminalText.escaped(text) : text
  }

  /// Writes rows to standard output; on a terminal with control characters escaped.
  static func writeRows(_ bytes: UnsafeRawBufferPointer) throws(DSVError) {
    try Interrupts.check()
    if File.standardOutput.isTerminal {
      let text = String(decoding: bytes, as: UTF8.self)
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
      write(lines.map { TerminalText.escaped(String($0)) }.joined(separator: "\n"), to: 1)
    } else {
      do throws(DSVError) { try File.standardOutput.writeNext(bytes) } catch {
        if let cause = error.cause as? SystemFailure, cause.code == EPIPE { exit(0) }
        throw error
      }
    }
  }

  /// A number of bytes for people.
  static func size(_ byteCount: Int) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"]
    var (value, unit) = (Double(abs(byteCount)), 0)
    while value >= 1000, unit < units.count - 1 { (value, unit) = (value / 1000, unit + 1) }
    let digits = unit == 0 || value >= 100 ? "\(Int(value.rounded()))" : "\((value * 10).rounded() / 10)"
    return "\(byteCount < 0 ? "-" : "")\(digits) \(units[unit])"
  }

  /// A number of rows for people: 12,345.
  static func count(_ number: Int) -> String {
    var result = ""
    for (index, digit) in String(abs(number)).reversed().enumerated() {
      if index > 0, index % 3 == 0 { result = "," + result }
      result = String(digit) + result
    }
    return number < 0 ? "-" + result : result
  }

  /// A number of things for people: 1 row, 12,345 rows.
  static func count(_ number: Int, _ noun: String) -> String {
    "\(count(number)) \(noun)\(number == 1 ? "" : "s")"
  }

  /// RFC 3339 UTC of microseconds since 1970.
  static func time(_ microseconds: Int64) -> String {
    var text = ByteBuffer()
    CalendarText.append(timestamp: microseconds, unit: .microsecond, zone: "UTC", to: &text)
    return String(decoding: text.bytes, as: UTF8.self)
  }
}
