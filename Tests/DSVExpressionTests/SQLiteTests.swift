import DSVExpression
import DSVFormat
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite struct SQLiteTests {
  /// The rows of `fixtures/expression/make.py`.
  static let batch: Batch = {
    let none: [Cell] = [.null]
    func integers(_ values: [Int64?]) -> [Cell] { values.map { $0.map { .integer(Int128($0)) } ?? none[0] } }
    func doubles(_ values: [Double?]) -> [Cell] { values.map { $0.map { .double($0) } ?? none[0] } }
    func texts(_ values: [String?]) -> [Cell] { values.map { $0.map { .text($0) } ?? none[0] } }
    return Batch(
      fields: [
        Field("id", .int64), Field("i", .int64), Field("j", .int64), Field("d", .float64), Field("s", .utf8),
        Field("t", .utf8),
      ],
      columns: [
        integers((0..<10).map { $0 }),
        integers([1, -7, nil, 9_007_199_254_740_993, .max, 0, 100, 42, nil, -.max]),
        integers([2, 2, 3, 0, 1, nil, -1, 7, nil, 10]),
        doubles([0.5, -2.5, nil, 9007199254740992.0, 1e300, 0, 100, 41.5, nil, -1e300]),
        texts(["abc", "ABC", nil, "a%c", "a_c", "", "straße", "it's", nil, "abcabcd"]),
        texts(["a", "", "b", "%", nil, "", "ß", "'", nil, "abcd"]),
      ])
  }()

  @Test("SQLite selects the same rows, where the languages mean the same")
  func sqlite() throws {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(
      separator: "/")
    let lines = try #require(read(root + "/fixtures/expression/sqlite.tsv")).split(separator: "\n")
    #expect(lines.count > 150)
    for line in lines {
      let parts = line.split(separator: "\t", omittingEmptySubsequences: false)
      let wanted = parts[1].split(separator: " ").map { Int($0)! }
      let checked = try CheckedExpression(parsing: String(parts[0]), fields: SQLiteTests.batch.fields)
      let found = SQLiteTests.batch.select(ExpressionEvaluator(checked))
      #expect(found.indices.filter { found[$0] } == wanted, "\(parts[0])")
    }
  }

  private func read(_ path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(validating: bytes[..<count], as: UTF8.self)
  }
}
