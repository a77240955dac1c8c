import DSVFormat
import DSVRecords

/// A record or bad row in a form that outlives the reader.
enum Row: Equatable {
  case record(line: Int, json: String)
  case bad(line: Int, BadRow.Reason)
}

/// Everything that a reader says about `bytes`, given to it in pieces of `pieceCount` bytes.
func rows(_ bytes: [UInt8], _ format: RecordFormat, pieceCount: Int = .max) throws -> [Row] {
  var position = 0
  let reader = RecordReader(source: "test", format: format) { (room) throws(DSVError) -> Int in
    let count = min(room.count, bytes.count - position, pieceCount)
    room.copyBytes(from: bytes[position..<position + count])
    position += count
    return count
  }
  var result: [Row] = []
  while true {
    switch try reader.next() {
    case .end: return result
    case .record(let record): result.append(.record(line: record.line, json: canonical(record.events)))
    case .badRow(let row): result.append(.bad(line: row.line, row.reason))
    }
  }
}

func rows(_ text: String, _ format: RecordFormat) throws -> [Row] { try rows(Array(text.utf8), format) }

func canonical(_ events: Events) -> String {
  var buffer = ByteBuffer()
  var cursor = EventCursor(events)
  cursor.appendCanonicalJSON(to: &buffer)
  return String(decoding: buffer.bytes, as: UTF8.self)
}

/// Parses one text, and hands its events or the reason against it to `body`.
func parsing<R>(
  _ text: [UInt8], _ parser: JSONParser = JSONParser(),
  _ body: (Result<Events, JSONParser.Failure>) throws -> R
) rethrows -> R {
  // What follows a text must not matter, so let it be what could be mistaken for its rest.
  let padded = text + [UInt8](repeating: UInt8(ascii: "}"), count: JSONParser.padding)
  return try padded.withUnsafeBytes { bytes in
    let text = UnsafeRawBufferPointer(rebasing: bytes[..<text.count])
    let result: Result<Events, JSONParser.Failure>
    do throws(JSONParser.Failure) {
      result = .success(try parser.parse(padded: text))
    } catch {
      result = .failure(error)
    }
    return try body(result)
  }
}

/// The canonical text of a JSON text, or the reason against it.
func outcome(_ text: [UInt8]) -> (json: String?, reason: BadRow.Reason?, offset: Int) {
  parsing(text) { result in
    switch result {
    case .success(let events): (canonical(events), nil, 0)
    case .failure(let failure): (nil, failure.reason, failure.offset)
    }
  }
}

func outcome(_ text: String) -> (json: String?, reason: BadRow.Reason?, offset: Int) {
  outcome(Array(text.utf8))
}

/// What `body` appends to an empty buffer.
func written(_ body: (inout ByteBuffer) -> Void) -> String {
  var buffer = ByteBuffer()
  body(&buffer)
  return String(decoding: buffer.bytes, as: UTF8.self)
}

/// The summary of JSONL or CSV rows.
func summary(_ text: String, _ format: RecordFormat = .jsonl) throws -> KindSummary {
  let bytes = Array(text.utf8)
  let summary = KindSummary(for: format)
  var position = 0
  let reader = RecordReader(source: "test", format: format) { (room) throws(DSVError) -> Int in
    let count = min(room.count, bytes.count - position)
    room.copyBytes(from: bytes[position..<position + count])
    position += count
    return count
  }
  while case .record(let record) = try reader.next() { summary.observe(record.events) }
  return summary
}

/// Numbers that are the same in every run with the same seed.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return Hash64.of(state)
  }
}
