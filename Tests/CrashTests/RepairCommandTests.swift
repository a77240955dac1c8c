import DSV
import DSVFormat
import DSVSystem
import DSVVersions
import Testing

/// `dsv fsck --repair` makes the index anew from packs and reflog, names what cannot be had back, and leaves the rest as it was.
@Suite struct RepairCommandTests {
  let scratch: Scratch
  let files: [String: [UInt8]]
  let expected: Picture

  private var folder: String { "\(scratch.repository)/.dsv" }
  private static let index = ".dsv/index/data.mdb"

  init() throws {
    scratch = try Scratch(inMemory: true)
    files = try DamagedSubject.plain.make(in: scratch)
    try Tree.write(files, to: scratch.repository)
    expected = try Picture(try Repository.test(at: scratch.repository))
  }

  private func fsck(_ options: String...) throws -> Child.End {
    try Child.run(["fsck", "-C", scratch.repository, "--quiet"] + options, scratch: scratch.path)
  }

  /// The command mends all of it, says so, and has nothing more to do afterwards.
  private func expectRepaired(_ context: Comment) throws {
    let end = try fsck("--repair")
    #expect(end.code == 0 && end.output.hasPrefix("all is well: "), "\(context): \(end)")
    #expect(try Picture(try Repository.test(at: scratch.repository)) == expected, context)
    let later = try fsck()
    #expect(later.code == 0 && later.errors == "" && later.output == end.output, "\(context): \(later)")
  }

  @Test("an index that is gone, cut or empty is made anew, and every version reads")
  func lostIndex() throws {
    try FileSystem.removeTree("\(folder)/index")
    try expectRepaired("removed")
    for damage: DamageTests.Damage in [
      .cut(Self.index, to: 5000), .cut(Self.index, to: 0), .remove(Self.index), .remove(".dsv/index.stamp"),
    ] {
      try Tree.write(damage.applied(to: files), to: scratch.repository)
      try expectRepaired("\(damage)")
    }
  }

  @Test("an index of which a disk has exchanged any page, and nothing tells that it did, is made anew")
  func exchangedPages() throws {
    let pristine = try #require(files[Self.index])
    for start in stride(from: 0, to: pristine.count, by: 4096) {
      let filler: UInt8? = [0, 0xff, nil][start / 4096 % 3]
      var damaged = files
      for offset in start..<start + 4096 {
        damaged[Self.index]?[offset] = filler ?? pristine[(offset + 4096) % pristine.count]
      }
      if damaged[Self.index] == pristine { continue }
      try Tree.write(damaged, to: scratch.repository)
      try PowerLossTests.restamp(folder)
      let end = try fsck("--repair")
      #expect(end.code == 0, "page \(start / 4096), \(filler.map { "\($0)" } ?? "its neighbour"): \(end)")
      let repository = try Repository.test(at: scratch.repository)
      #expect(try Picture(repository, isExported: false).names == expected.names)
    }
    #expect(try Picture(try Repository.test(at: scratch.repository)) == expected)
  }

  @Test(
    "a reflog that is cut, gone or has other bytes is made whole from the index, and no name or version is lost"
  )
  func damagedReflog() throws {
    let reflog = ".dsv/reflog"
    let pristine = try #require(files[reflog])
    var damages: [DamageTests.Damage] = [.remove(reflog)]
    for count in [0, 3, 17, 40, pristine.count / 2, pristine.count - 30, pristine.count - 1] {
      damages.append(.cut(reflog, to: count))
    }
    for offset in stride(from: 1, to: pristine.count, by: max(1, pristine.count / 24)) {
      damages.append(.flip(reflog, offset: offset, mask: 16))
    }
    for damage in damages {
      try Tree.write(damage.applied(to: files), to: scratch.repository)
      let before = try fsck()
      #expect(before.code == 5 && before.output.contains("reflog"), "\(damage): \(before)")
      let end = try fsck("--repair")
      #expect(end.code == 0 && end.errors.contains("what the index knows"), "\(damage): \(end)")
      #expect(
        try Picture(try Repository.test(at: scratch.repository), isExported: false).names == expected.names)
      // From here on the index can be made again, and gc takes nothing that has a name.
      try FileSystem.removeTree("\(folder)/index")
      try expectRepaired("\(damage)")
    }
  }

  @Test("a reflog that was lost and begun again by a commit is made whole, too")
  func reflogBegunAgain() throws {
    try FileSystem.remove("\(folder)/reflog")
    let repository = try Repository.test(at: scratch.repository)
    try repository.commitTest(
      try scratch.file("late.jsonl", Rows.text(900..<903, seed: 5)), .replace, table: "late")
    repository.close()
    let names = try Picture(try Repository.test(at: scratch.repository), isExported: false).names
    #expect(try fsck().code == 5)
    let end = try fsck("--repair")
    #expect(end.code == 0 && end.errors.contains("what the index knows"), "\(end)")
    #expect(try Picture(try Repository.test(at: scratch.repository), isExported: false).names == names)
  }

  /// Objects of which one is damaged: the first of its sort in the packs.
  enum Lost: String, CaseIterable {
    case chunk, node, snapshot, commit, based

    func isFirst(_ kind: ObjectKind, baseDepth: UInt8) -> Bool {
      switch self {
      case .chunk: kind == .chunk && baseDepth == 0
      case .node: kind == .node && baseDepth == 0
      case .snapshot: kind == .snapshot && baseDepth == 0
      case .commit: kind == .commit
      case .based: baseDepth == 2
      }
    }
  }

  @Test(
    "what a damaged record held is named each time, and all that does not need it reads",
    arguments: Lost.allCases)
  func lostRecord(lost: Lost) throws {
    var damage: (path: String, record: Range<Int>)?
    for path in files.keys.sorted() where path.hasPrefix(".dsv/packs/") && damage == nil {
      let bytes = files[path] ?? []
      let record = DamageTests.records(bytes).first {
        ObjectKind(rawValue: bytes[$0.lowerBound + 4]).map { [baseDepth = bytes[$0.lowerBound + 5]] kind in
          lost.isFirst(kind, baseDepth: baseDepth)
        } ?? false
      }
      damage = record.map { (path, $0) }
    }
    let (path, record) = try #require(damage)
    let id = DamageTests.id(files[path] ?? [], at: record.lowerBound)
    try Tree.write(
      DamageTests.Damage.flip(path, offset: record.upperBound - 1, mask: 4).applied(to: files),
      to: scratch.repository)
    let before = try fsck()
    #expect(before.code == 5 && before.output.contains(id) && before.output.contains(path), "\(before)")

    let first = try fsck("--repair", "--json")
    #expect(first.code == 5 && first.output.hasPrefix(#"{"ok":false,"#), "\(first)")
    #expect(first.output.contains(id), "\(id): \(first)")
    #expect(first.output.contains("\(scratch.repository)/\(path) at byte \(record.lowerBound): "), "\(first)")
    // That there is no help for it is no reason to say another thing of it the next time.
    for options in [["--repair", "--json"], ["--json"]] {
      let again = try Child.run(
        ["fsck", "-C", scratch.repository, "--quiet"] + options, scratch: scratch.path)
      #expect(again.code == 5 && again.output == first.output, "\(again)")
    }
    try expectRest(first.output)
  }

  /// Every version reads as it was, or says that it lacks an object that the check has named.
  private func expectRest(_ told: String) throws {
    let repository = try Repository.test(at: scratch.repository)
    var (readCount, lostCount) = (0, 0)
    for (version, text) in expected.versions {
      do throws(DSVError) {
        #expect(try Picture.export(repository, try repository.resolve(version).commit) == text, "\(version)")
        readCount += 1
      } catch {
        // What built on the object is gone with it.
        let ids = error.message.matches(of: #/[0-9a-f]{12,}/#).map { $0.output.prefix(12) }
        #expect(ids.contains { told.contains($0) }, "\(version): \(error)")
        #expect(error.code == .corrupt || error.code == .notFound, "\(version): \(error)")
        lostCount += 1
      }
    }
    #expect(lostCount >= 1 && readCount + lostCount == expected.versionCount)
  }

  @Test("the objects of a pack that is gone are named, and what lies in the others reads")
  func lostPack() throws {
    let paths = files.keys.filter { $0.hasPrefix(".dsv/packs/") }.sorted()
    for path in paths {
      try Tree.write(DamageTests.Damage.remove(path).applied(to: files), to: scratch.repository)
      try FileSystem.removeTree("\(folder)/index")
      let end = try fsck("--repair")
      #expect(end.code == 5, "\(end)")
      let bytes = files[path] ?? []
      let ids = DamageTests.records(bytes).map { DamageTests.id(bytes, at: $0.lowerBound) }
      #expect(ids.contains { end.output.contains($0) }, "\(path): \(end)")
      #expect(try fsck("--repair").output == end.output)
    }
    #expect(paths.count >= 2)
  }
}
