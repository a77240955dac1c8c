import DSVFormat
import DSVSystem

/// Files of this repository.
enum Fixtures {
  static let root = String(
    #filePath.prefix(#filePath.count - "Tests/DSVFormatSpecTests/Fixtures.swift".count))

  static func bytes(_ path: String) throws -> [UInt8] { try FileSystem.read(root + path, limit: 1 << 24) }
  static func text(_ path: String) throws -> String { String(decoding: try bytes(path), as: UTF8.self) }

  static func digest(_ bytes: [UInt8]) -> String {
    let id: AnyID = bytes.withUnsafeBytes { SHA256.id(kind: nil, $0) }
    return id.description
  }

  static func hex(_ bytes: [UInt8]) -> String {
    var text = ""
    for (index, byte) in bytes.enumerated() {
      text += (byte < 16 ? "0" : "") + String(byte, radix: 16) + (index % 16 == 15 ? "\n" : " ")
    }
    return text
  }

  /// The blocks of a specification that begin with a line "hex NAME".
  ///
  /// What follows a "#" in a line explains the bytes before it. In an explanation's place `…` is not bytes.
  static func hexBlocks(_ path: String) throws -> [String: [UInt8]] {
    var blocks: [String: [UInt8]] = [:]
    var name: String?
    for line in try text(path).split(separator: "\n") {
      if line.hasPrefix("```") {
        name = line.hasPrefix("```hex ") ? String(line.dropFirst(7)) : nil
        if let name { blocks[name] = [] }
      } else if let name {
        let digits = line.split(separator: "#", omittingEmptySubsequences: false)[0].filter { $0 != " " }
        var rest = digits[...]
        while let byte = UInt8(rest.prefix(2), radix: 16) {
          blocks[name]?.append(byte)
          rest = rest.dropFirst(2)
        }
        guard rest.isEmpty else { throw DSVError(.badInput, "\(path), \(name): \(line)") }
      }
    }
    return blocks
  }
}
