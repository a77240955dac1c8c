import DSVFormat
import DSVFuzz
import DSVSystem
import Testing

/// The inputs that fuzzing found worth keeping, and bytes near them.
@Suite struct CorpusTests {
  static func corpus(_ target: FuzzTarget) throws -> [String: [UInt8]] {
    let folder = FileSystem.parent(of: #filePath) + "/../../fixtures/fuzz/" + target.rawValue
    var inputs: [String: [UInt8]] = [:]
    for name in try FileSystem.list(folder) {
      inputs[name] = try FileSystem.read("\(folder)/\(name)", limit: 1 << 20)
    }
    return inputs
  }

  @Test(
    "no input of the corpora crashes its reader, nor does one that is cut or has other bytes",
    arguments: FuzzTarget.allCases)
  func replay(target: FuzzTarget) throws {
    let inputs = try Self.corpus(target)
    #expect(!inputs.isEmpty)
    for (_, bytes) in inputs.sorted(by: { $0.key < $1.key }) {
      bytes.withBytes { target.run($0) }
      for position in stride(from: 0, to: bytes.count, by: 1 + bytes.count / 200) {
        Array(bytes[..<position]).withBytes { target.run($0) }
        for mask: UInt8 in [1, 0x80, 0xff] {
          var other = bytes
          other[position] ^= mask
          other.withBytes { target.run($0) }
        }
      }
    }
  }
}
