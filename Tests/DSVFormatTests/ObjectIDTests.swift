import DSVFormat
import Testing

@Suite struct ObjectIDTests {
  @Test("the ID of known bytes is pinned: changing it orphans every repository")
  func golden() {
    // printf '\x01abc' | sha256sum
    let id: ColumnID = Array("abc".utf8).withUnsafeBytes { SHA256.id(kind: .chunk, $0) }
    #expect(id.description == "1e18834c426d00e57788444cb3ccd62c771b420c095bb0c4e040a8c122c4570d")
    #expect(ColumnID(hex: id.description) == id)
  }

  @Test("a truncated field is corruption, at every length", arguments: 0..<8)
  func truncated(byteCount: Int) throws {
    let error = #expect(throws: DSVError.self) {
      try [UInt8](repeating: 0, count: byteCount).withUnsafeBytes { bytes in
        var reader = ByteReader(bytes, of: "commit")
        _ = try reader.read(UInt64.self)
      }
    }
    #expect(error?.code == .corrupt)
  }
}
