import DSVColumns
import DSVFormat
import Testing

/// The curves of `format-spec/rationale.md` show the sizes that dsv writes with as the chosen ones.
@Suite struct RationaleTests {
  @Test("what stands in bold is what the code has")
  func chosen() throws {
    let text = try Fixtures.text("format-spec/rationale.md")
    // The heads of the tables: `| documents | 16 KiB | **64 KiB** |`.
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let heads = lines.indices.dropLast().filter { lines[$0 + 1].hasPrefix("|--") }.map { lines[$0] }
    let bold = heads.map { $0.split(separator: "**").dropFirst().first.map(String.init) ?? "" }
    // One cut in 48 KiB is expected after the minimum: see ChunkCutter.
    let chunk = "\(ChunkCutter.bitCountMin >> 13 + 48) KiB"
    #expect(bold == [chunk, chunk, "\(Zstd.level)"])
    #expect(ChunkCutter.bitCountMin * 16 == ChunkCutter.bitCountMax)
    #expect(TreeNode.childCountMin * 16 == TreeNode.childCountMax)
  }
}
