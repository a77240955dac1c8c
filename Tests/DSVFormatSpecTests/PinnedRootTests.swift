import DSVColumns
import DSVFormat
import DSVTables
import DSVVersions
import Testing

/// Known tables have known roots. A change here means that every dataset gets new roots: it needs a new format revision.
@Suite struct PinnedRootTests {
  let objects = MemoryObjects()
  var reader: ObjectReader {
    ObjectReader(objects, cache: ObjectCache(byteCountMax: 1 << 20), pool: WorkerPool(threadCount: 0))
  }

  /// Root, and the chunks' lengths.
  private func measure(_ root: ColumnRoot) throws -> (root: String, counts: [Int]) {
    var walker = TreeWalker(root, reader: reader)
    var counts: [Int] = []
    while let leaf = try walker.next() { counts.append(leaf.entry.rowCount) }
    return (root.id?.description ?? "inline", counts)
  }

  @Test("numbers are cut where they were always cut")
  func numbers() throws {
    let (root, counts) = try measure(try Examples.cutColumn(objects))
    #expect(root == "0812d2dd6b093cab1abdd492a0ce4f17a80ea9341cd5fb6698ba172b26aeb15d")
    #expect(counts == [7314, 4686])
  }

  @Test("numbers with nulls are cut where they were always cut")
  func nullableNumbers() throws {
    let values = (0..<30_000).map { $0 % 5 == 2 ? nil : Int64(bitPattern: Hash64.of(UInt64($0))) % 1000 }
    let (root, counts) = try measure(try Examples.integers(values, objects))
    #expect(root == "1801df54f041df0f7e72986db07ceb0bf6760d474c520fc7d5608a7a020d355f")
    #expect(counts == [2202, 2855, 17655, 7288])
  }

  @Test("short texts are cut where they were always cut")
  func shortTexts() throws {
    let (root, counts) = try measure(
      try Examples.texts((0..<40_000).map { "word \(Hash64.of(UInt64($0)) % 5000)" }, objects))
    #expect(root == "eb1dcccae876ddb2599d5a61dd0bee1f2c9c1cf122ece50bb280667d58cbadb0")
    #expect(counts == [4100, 6521, 5209, 9871, 1800, 3227, 5122, 2872, 1278])
  }

  @Test("long texts are cut where they were always cut")
  func longTexts() throws {
    let values = (0..<200).map { n in String(repeating: "text \(n). ", count: Int(Hash64.of(UInt64(n)) % 500))
    }
    let (root, counts) = try measure(try Examples.texts(values, objects))
    #expect(root == "19dd858cae9baf48740566b39c6ba6288ba90ed30349bffba54eac74cb02ddac")
    #expect(counts == [23, 25, 7, 59, 30, 17, 14, 18, 7])
  }

  @Test("values without content are cut at the minimum")
  func none() throws {
    let root = try Examples.column(.struct([]), [Bool?](repeating: true, count: 20_000), objects) {
      writer, _ in
      writer.builder.appendValue()
      try writer.endValue()
    }
    let counts = try measure(root).counts
    #expect(counts == [16384, 3616])
  }

  @Test("a column of three levels has the root that it always had")
  func levels() throws {
    let values = (0..<6_000_000).map { UInt8(truncatingIfNeeded: Hash64.of(UInt64($0 / 3))) }
    let column = try Examples.column(.uint8, values, objects) { try $0.append(fixed: $1) }
    guard case .object(_, level: 2) = column.place else { return #expect(Bool(false), "\(column.place)") }
    let (root, counts) = try measure(column)
    #expect(root == "218127524bf6be0638ca175f67853d58615ded94772edba5d586c4a08e05b0ff")
    #expect(counts.count == 100)
  }

  @Test("a blob has the root that it always had")
  func blob() throws {
    let text = String(repeating: "All that is in it. ", count: 20_000)
    let root = try Examples.texts([text], objects)
    guard case .inline(let plain) = root.place else { return #expect(Bool(false)) }
    #expect(
      plain.suffix(40).prefix(32) == [
        203, 202, 1, 52, 19, 243, 238, 43, 37, 136, 114, 133, 253, 119, 212, 103, 175, 130, 119, 96, 147, 122,
        181, 188, 97, 205, 36, 245, 36, 138, 6, 30,
      ])
  }

  @Test("lists are cut where they were always cut")
  func lists() throws {
    let lists = try Examples.column(.list(.list(.int32)), (0..<4000).map { $0 % 9 == 4 ? nil : $0 }, objects)
    {
      (writer, n: Int) in
      for inner in 0..<n % 5 {
        for element in 0..<inner * 3 {
          writer.builder.children[0].children[0].append(fixed: Int32(n &* element))
        }
        writer.builder.children[0].appendNested()
      }
      writer.builder.appendNested()
      try writer.endValue()
    }
    let (root, counts) = try measure(lists)
    #expect(root == "9044db70aef7806a7ee68fe55a77a047754002e818820b3e2d7be9a996274d11")
    #expect(counts == [3260, 740])
  }

  @Test("a table has the root that it always had")
  func snapshot() throws {
    #expect(
      try Examples.snapshot().id.description
        == "f7feb593e37e54f44b3db71a837b2a1b1b8be687cc0a771313089a18fe1d16c6")
  }
}
