import DSV
import DSVColumns
import DSVFormat
import DSVStore
import DSVSystem
import DSVTesting
import DSVVersions
import Testing

/// Many small commits, whose objects build on those of the commits before.
@Suite struct BaseTests {
  static func row(_ number: Int) -> String {
    let words = (0..<200).map { "w\(Hash64.of(UInt64(number * 200 + $0)) % 1000)" }.joined(separator: " ")
    let tags = (0..<number % 4).map { #""t\#($0)""# }.joined(separator: ",")
    return #"{"id":"row-\#(number)","n":\#(number * 7),"tags":[\#(tags)],"even":\#(number % 2 == 0),"#
      + #""half":\#(number % 3 == 0 ? "null" : "\(number).5"),"text":"\#(words)"}"#
  }

  static let count = 120

  func grown() throws -> Dataset {
    let dataset = try Dataset()
    for number in 0..<Self.count { try dataset.commit([Self.row(number)], .append) }
    return dataset
  }

  @Test("rows appended one at a time give the root and the rows of one commit, in every version")
  func rows() throws {
    let (grown, whole) = (try grown(), try Dataset())
    let all = (0..<Self.count).map(Self.row)
    let result = try whole.commit(all)
    let log = try grown.repository.log(from: try #require(try grown.repository.head().commit))
    #expect(log.first?.commit.root == result.root)
    #expect(try grown.repository.check().problems == [])
    let expected = try whole.rows()
    for (index, entry) in log.enumerated() {
      #expect(try grown.rows(entry.id) == Array(expected.prefix(Self.count - index)))
    }
    // From packs and reflog alone, too.
    try grown.repository.repair()
    #expect(try grown.repository.check().problems == [])
    let fresh = try TestRepository.open(at: grown.folder.path)
    #expect(
      try fresh.check().problems == [] && fresh.info().objectCount == grown.repository.info().objectCount)
  }

  @Test("gc keeps what live versions build on, and no more; what it took can be committed again")
  func garbage() throws {
    let dataset = try grown()
    let tip = try #require(try dataset.repository.head().commit)
    let rows = try dataset.rows()
    // A history of one commit, over the same snapshot: all others go, but for what it builds on.
    try dataset.repository.moveAlone(to: try dataset.repository.commit(tip).root, rowCount: Self.count)
    let before = try dataset.repository.info().objectCount
    _ = try dataset.repository.collectGarbage(keepDays: -1)
    let after = try dataset.repository.info().objectCount
    #expect(after < before / 4, "\(after) of \(before) objects")
    for _ in 0..<2 {
      #expect(try dataset.repository.check().problems == [])
      let fresh = try TestRepository.open(at: dataset.folder.path)
      let table = try fresh.table(nil, of: try #require(try fresh.head().commit))
      var bytes: [UInt8] = []
      try RowExport(table, ExportOptions(), reader: fresh.reader).run { bytes.append(contentsOf: $0) }
      #expect(String(decoding: bytes, as: UTF8.self) == rows.map { $0 + "\n" }.joined())
      try dataset.repository.repair()
    }
    // Older states: their objects are gone, or are there only as what others build on.
    for count in stride(from: Self.count - 1, to: Self.count - 20, by: -3) {
      try dataset.commit((0..<count).map(Self.row))
      #expect(try dataset.rows() == Array(rows.prefix(count)))
    }
    #expect(try dataset.repository.check().problems == [])
  }

  @Test("a base that is gone is corrupt, and both objects are named")
  func missingBase() throws {
    let dataset = try grown()
    let store = dataset.repository.store
    let tip = try #require(try dataset.repository.head().commit)
    let root = AnyID(try dataset.repository.commit(tip).root)
    var (extended, base): (AnyID, AnyID?) = (root, try store.read(root).base?.id)
    try store.forEachObject { (id, place) throws(DSVError) in
      if base == nil, place.baseDepth == 3 { (extended, base) = (id, try store.read(id).base?.id) }
    }
    let gone = try #require(base)
    try store.collectGarbage(garbageShareMin: 0) { () throws(DSVError) in { $0 != gone } }
    let fresh = try TestRepository.open(at: dataset.folder.path)
    let problems = try fresh.check().problems
    #expect(
      problems.contains { $0.contains("\(extended)") && $0.contains("\(gone)") }, "\(problems.prefix(3))")
    // Nor is it hidden by what is in memory.
    #expect(try !dataset.repository.check().problems.isEmpty)
    let error = try #require(throws: DSVError.self) { try fresh.collectGarbage() }
    #expect(error.code == .corrupt && error.message.contains("\(gone)"))
  }
}

extension Repository {
  /// Moves the branch to a new commit of that root that has no parents.
  func moveAlone(to root: SnapshotID, rowCount: Int) throws {
    let session = try store.session()
    let id = try session.put(
      Commit(root: root, parents: [], rowCount: rowCount, time: 0, author: "", message: "alone"))
    _ = try session.publish { (publication) throws(DSVError) in
      try publication.move(RefMove("heads/main", expected: .anything, new: .commit(id), action: "test"))
    }
  }
}
