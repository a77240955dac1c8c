import DSVFormat
import Foundation
import Testing

/// Tokens that go from dsv to Python's `cryptography` and back. Needs `python3` with that package.
@Suite struct FernetExchangeTests {
  static let count = 10_000

  /// Sizes around every border, and random ones of every magnitude.
  static func sizes() -> [Int] {
    var sizes = [0, 1, 15, 16, 17, 31, 32, 33, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537]
    sizes += [4 << 20, (4 << 20) + 1, (4 << 20) - 1]
    while sizes.count < count { sizes.append(Int.random(in: 0..<(1 << Int.random(in: 1...14)))) }
    return sizes
  }

  private static func part(_ bytes: [UInt8]) -> Data {
    withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { Data($0) } + Data(bytes)
  }

  @Test("10,000 tokens open in Python, and as many of its tokens here")
  func exchange() throws {
    var messages: [(key: FernetKey, plain: [UInt8])] = []
    var input = Data()
    for size in Self.sizes() {
      let (key, plain) = (FernetKey.random(), RandomSource.bytes(size))
      messages.append((key, plain))
      input += Data(key.text.exposed) + Self.part(plain)
      input += Self.part(plain.withUnsafeBytes { Fernet.seal($0, with: key) })
    }
    let tokens = try Self.python(input)
    var position = 0
    for (number, message) in messages.enumerated() {
      let count = tokens[position..<position + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
      position += 4
      let token = Array(tokens[position..<position + count])
      position += count
      let plain = try token.withUnsafeBytes { try Fernet.open($0, with: message.key, of: "token \(number)") }
      #expect(plain == message.plain, "token \(number), of \(message.plain.count) bytes")
    }
    #expect(position == tokens.count && messages.count == Self.count)
  }

  /// What `exchange.py` answers.
  private static func python(_ input: Data) throws -> Data {
    // Files, not pipes: a process that ends early would take a writer to its pipe with it.
    let folder = FileManager.default.temporaryDirectory.appending(path: "dsv-fernet-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (source, sink) = (folder.appending(path: "in"), folder.appending(path: "out"))
    try input.write(to: source)
    try Data().write(to: sink)
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3", Fixture.root.appending(path: "fernet/exchange.py").path]
    process.standardInput = try FileHandle(forReadingFrom: source)
    process.standardOutput = try FileHandle(forWritingTo: sink)
    try process.run()
    process.waitUntilExit()
    try #require(
      process.terminationStatus == 0,
      "exchange.py failed, as it said above; it needs python3 and its package 'cryptography'")
    return try Data(contentsOf: sink)
  }
}
