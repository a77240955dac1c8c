package import DSVFormat

/// How rows stand in a file.
package enum RecordFormat: String, Sendable, CaseIterable {
  /// One JSON object a line.
  case jsonl
  /// RFC 4180 with a header row.
  case csv

  /// What a file's ending tells: CSV for `.csv`, else JSONL.
  package init(fileName: String) { self = fileName.lowercased().hasSuffix(".csv") ? .csv : .jsonl }
}

/// A row that cannot be read, as a value: the caller drops it, keeps it aside, or stops.
package struct BadRow: Sendable {
  /// Why. The raw value is stable: programs may act on it.
  package enum Reason: String, Sendable, CaseIterable {
    case syntax, utf8, number, depth, escape, trailing, empty, memory
    case controlCharacter = "control_character"
    case unclosedString = "unclosed_string"
    case duplicateKey = "duplicate_key"
    case tooLong = "too_long"
    case notAnObject = "not_an_object"
    case array
    case columnCount = "column_count"
    case strayQuote = "stray_quote"
    case unclosedQuote = "unclosed_quote"
  }

  /// What was read, as the caller named it.
  package let source: String
  /// The line where the row begins, from 1.
  package let line: Int
  /// The byte of that row where the trouble was noticed, from 1.
  package let column: Int
  package let reason: Reason
  /// What is wrong, for people, without the row's own text.
  package let message: String
  /// The row's bytes without its line end; the first 4 KiB of a row that is too long.
  package let bytes: [UInt8]

  /// - Parameter offset: the byte from the row's start where the trouble was noticed.
  package init(
    source: String, line: Int, offset: Int, reason: Reason, message: String? = nil,
    bytes: some Sequence<UInt8>
  ) {
    self.source = source
    self.line = line
    self.column = offset + 1
    self.reason = reason
    self.message = message ?? reason.message
    self.bytes = Array(bytes)
  }

  /// The row as an error, for a caller that stops at the first one.
  package var error: DSVError {
    DSVError(.badInput, "\(TerminalText.escaped(source)):\(line):\(column): \(message)")
  }
}

extension BadRow.Reason {
  /// The general sentence for it.
  package var message: String {
    switch self {
    case .syntax: "this is not valid JSON"
    case .utf8: "the bytes are not UTF-8"
    case .number: "neither a value nor a number by JSON's grammar"
    case .depth: "more than \(JSONParser.maxDepth) objects and arrays within each other"
    case .escape: "a string has an escape that means no character"
    case .trailing: "there is more after the end of the value"
    case .empty: "there is no value"
    case .memory: "there is not enough memory to read the row"
    case .controlCharacter: "a string holds a control character that is not escaped"
    case .unclosedString: "a string is not closed: is the file cut off?"
    case .duplicateKey: "an object has the same key twice"
    case .tooLong: "the row is longer than 256 MiB"
    case .notAnObject: "a row is a JSON object, and this is another value"
    case .array:
      "a row is a JSON object, and this is an array; one object a line comes from: jq -c '.[]' FILE | dsv commit -"
    case .columnCount: "the row has not as many cells as the header"
    case .strayQuote: "there is text after a cell's closing quote"
    case .unclosedQuote: "a quoted cell is not closed: is the file cut off?"
    }
  }
}
