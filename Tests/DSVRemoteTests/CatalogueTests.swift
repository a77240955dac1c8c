import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import Testing

@Suite struct CatalogueTests {
  let folder: TemporaryFolder
  let remote = Remote()

  init() throws { folder = try TemporaryFolder() }

  private func check(_ catalogue: Catalogue, holds numbers: Range<Int>, _ context: Comment = "") throws {
    let reader = RemoteReader(remote.bucket, catalogue)
    #expect(try catalogue.objectCount == numbers.count, context)
    for number in numbers {
      let (id, object) = testObject(number)
      #expect(try reader.read(id) == object, context)
    }
    #expect(try !catalogue.contains(testID(999_999)))
  }

  @Test("what a log names is found and read, entry by entry and at once")
  func readOn() throws {
    let catalogue = try Catalogue(folder.path)
    #expect(try catalogue.readOn(remote.log) == 0)
    for round in 0..<5 {
      try remote.push(round * 10..<round * 10 + 12) { entry in
        entry.moves = [.init("heads/main", old: nil, new: testID(UInt64(round)))]
        entry.numbered = [.init(round + 1, testID(UInt64(round)))]
      }
      #expect(try catalogue.readOn(remote.log) == 1)
      try check(catalogue, holds: 0..<round * 10 + 12)
      #expect(try catalogue.ref("heads/main") == testID(UInt64(round)))
      #expect(try catalogue.number(of: testID(UInt64(round))) == round + 1)
      #expect(try catalogue.lastVersion == round + 1)
    }
    let other = try TemporaryFolder()
    let second = try Catalogue(other.path)
    try second.readOn(remote.log)
    try check(second, holds: 0..<52)
    #expect(try second.position == catalogue.position)
    #expect(try second.checkpoint() == catalogue.checkpoint())
  }

  @Test("from a checkpoint on it comes to the same, and one that is damaged is passed over")
  func checkpoints() throws {
    let first = try Catalogue(folder.path)
    for round in 0..<8 {
      try remote.push(round..<round + 3) { entry in
        entry.moves = [.init("tags/t\(round)", old: nil, new: testID(UInt64(round)))]
        entry.numbered = [.init(round + 1, testID(UInt64(round)))]
      }
      try first.readOn(remote.log)
      if round == 3 || round == 5 { try remote.log.put(try #require(try first.checkpoint())) }
    }
    for damaged in [nil, 6, 4] as [Int?] {
      if let damaged { try remote.bucket.put(RemoteLayout.checkpoint(damaged), [1, 2, 3]) }
      let other = try TemporaryFolder()
      let catalogue = try Catalogue(other.path)
      let count = try catalogue.readOn(remote.log)
      #expect(count == (damaged == nil ? 2 : damaged == 6 ? 4 : 8))
      #expect(try catalogue.checkpoint() == first.checkpoint())
      try check(catalogue, holds: 0..<10)
    }
  }

  @Test("objects of a condemned pack are had from the packs that took them over, or not at all")
  func condemned() throws {
    let catalogue = try Catalogue(folder.path)
    let old = try #require(try remote.push(0..<10))
    try catalogue.readOn(remote.log)
    let orphan = PackID(high: 1, low: 1)
    try remote.push(5..<12) { $0.condemned = [old, orphan] }
    try catalogue.readOn(remote.log)
    try remote.bucket.delete([RemoteLayout.pack(old), RemoteLayout.index(old)])
    for number in 5..<12 {
      let (id, object) = testObject(number)
      #expect(try RemoteReader(remote.bucket, catalogue).read(id) == object)
    }
    #expect(try catalogue.objectCount == 7)
    #expect(try catalogue.pack(old)?.condemnedTime == 1_700_000_000)
    #expect(try catalogue.pack(orphan)?.condemnedTime == 1_700_000_000)
    try remote.push(0..<0) { $0.deleted = [old, orphan] }
    try catalogue.readOn(remote.log)
    #expect(try catalogue.pack(old) == nil && catalogue.pack(orphan) == nil)
    // Who was not there meanwhile comes to the same.
    let other = try TemporaryFolder()
    let second = try Catalogue(other.path)
    try second.readOn(remote.log)
    #expect(try second.objectCount == 7)
    #expect(try second.checkpoint() == catalogue.checkpoint())
  }

  @Test("a list of the log in which the last entry's name is damaged is no shorter log")
  func damagedName() throws {
    let catalogue = try Catalogue(folder.path)
    try remote.push(0..<5)
    try remote.push(5..<7)
    let last = RemoteLayout.entry(2)
    let bytes = try #require(try remote.bucket.get(last, limit: 1 << 20))
    try remote.bucket.delete([last])
    try remote.bucket.put(String(last.dropLast()) + "r", bytes)
    let error = try #require(throws: DSVError.self) { try catalogue.readOn(remote.log) }
    #expect(error.code == .corrupt && error.message.contains("no entry"))
    try remote.bucket.put(last, bytes)
    try remote.bucket.delete([String(last.dropLast()) + "r"])
    try catalogue.readOn(remote.log)
    #expect(try catalogue.objectCount == 7)
  }

  /// Where the objects of a catalogue lie, and where else.
  private func places(_ catalogue: Catalogue) throws -> [AnyID: [String]] {
    var places: [AnyID: [String]] = [:]
    try catalogue.forEachObject { id, place in places[id] = ["\(place.pack.id) \(place.offset)"] }
    try catalogue.forEachSpare { id, place in
      places[id, default: []].append("\(place.pack.id) \(place.offset)")
    }
    return places
  }

  @Test(
    "an object that lies in two packs is had from the other when one is given up, however the log is read")
  func spares() throws {
    let catalogue = try Catalogue(folder.path)
    let first = try #require(try remote.push(0..<10))
    try catalogue.readOn(remote.log)
    let second = try #require(try remote.push(5..<15))
    try catalogue.readOn(remote.log)
    let third = try #require(try remote.push(8..<9))
    try catalogue.readOn(remote.log)
    #expect(try catalogue.spares(of: testObject(8).id).map(\.pack.id) == [second, third])

    func expectPlaces(_ numbers: [Int], without gone: PackID) throws {
      try catalogue.readOn(remote.log)
      try remote.bucket.delete([RemoteLayout.pack(gone), RemoteLayout.index(gone)])
      #expect(try catalogue.objectCount == numbers.count)
      for number in numbers {
        let (id, object) = testObject(number)
        #expect(try RemoteReader(remote.bucket, catalogue).read(id) == object)
      }
      let other = try TemporaryFolder()
      let anew = try Catalogue(other.path)
      try anew.readOn(remote.log)
      #expect(try places(anew) == places(catalogue))
      #expect(try anew.checkpoint() == catalogue.checkpoint())
    }
    try remote.push(0..<0) { $0.condemned = [first] }
    try expectPlaces(Array(5..<15), without: first)
    #expect(try catalogue.place(of: testObject(8).id)?.pack.id == second)
    try remote.push(3..<6) { $0.condemned = [second] }
    try expectPlaces([3, 4, 5, 8], without: second)
  }

  @Test("a long log is taken in group by group, packs that are deleted by its end too, and comes to the same")
  func groups() throws {
    var packs: [PackID] = []
    for number in 0..<30 {
      let pack = try #require(
        try remote.push(number..<number + 3) { entry in
          entry.numbered = [.init(number + 1, testID(UInt64(number)))]
          if number % 3 == 2 { entry.condemned = [packs[number - 1]] }
          if number % 6 == 5 { entry.deleted = [packs[number - 1], packs[number - 4]] }
        })
      packs.append(pack)
      if number % 6 == 5 {
        for gone in [packs[number - 1], packs[number - 4]] {
          try remote.bucket.delete([RemoteLayout.pack(gone), RemoteLayout.index(gone)])
        }
      }
    }
    let sizes = try remote.bucket.list(prefix: RemoteLayout.entryPrefix, after: nil, limit: 100).map(
      \.byteCount)
    for bound in [1, 500, 1000, RemoteLog.groupByteCountMax] {
      let log = RemoteLog(remote.bucket, groupByteCountMax: bound)
      var counts: [Int] = []
      let end = try log.read(after: .start, seen: .start) { update in counts.append(update.entries.count) }
      #expect(end.number == 30 && counts.reduce(0, +) == 30)
      var first = 0
      for count in counts {
        #expect(count == 1 || sizes[first..<first + count].reduce(0, +) <= bound)
        first += count
      }
      let other = try TemporaryFolder()
      let catalogue = try Catalogue(other.path)
      #expect(try catalogue.readOn(log) == 30)
      try check(catalogue, holds: 0..<32, "groups of \(bound)")
      let (whole, once) = (try TemporaryFolder(), RemoteLog(remote.bucket))
      let reference = try Catalogue(whole.path)
      try reference.readOn(once)
      #expect(try places(catalogue) == places(reference))
    }
    // A pack that is named still, and whose index is gone.
    try remote.bucket.delete([RemoteLayout.index(packs[29])])
    let other = try TemporaryFolder()
    let catalogue = try Catalogue(other.path)
    for _ in 0..<2 { #expect(throws: DSVError.self) { try catalogue.readOn(remote.log) } }
    try remote.push(29..<32) { $0.condemned = [packs[29]] }
    try catalogue.readOn(remote.log)
    try check(catalogue, holds: 0..<32)
  }

  @Test("an entry or a checkpoint that is too long is not asked for")
  func tooLong() throws {
    try remote.push(0..<3)
    let bucket = FaultyBucket(remote.bucket)
    let bytes = [UInt8](repeating: 0, count: RemoteLayout.entryByteCountMax + 1)
    try bucket.put(RemoteLayout.checkpoint(1), bytes)
    #expect(try Catalogue(folder.path).readOn(RemoteLog(bucket)) == 1)
    #expect(bucket.counts[.get] == 2)
    try bucket.put(RemoteLayout.entry(2), bytes)
    let other = try TemporaryFolder()
    bucket.plan(.never)
    let error = #expect(throws: DSVError.self) { try Catalogue(other.path).readOn(RemoteLog(bucket)) }
    #expect(error?.code == .corrupt)
    #expect(bucket.counts[.get] ?? 0 == 0)
  }

  @Test("a log that was written anew, and has a checkpoint at the entry that was last read here, is noticed")
  func rewrittenWithCheckpoint() throws {
    let other = Remote()
    for number in 0..<4 { try remote.push(number..<number + 1) }
    try Catalogue(folder.path).readOn(remote.log)
    for number in 0..<5 { try other.push(number + 10..<number + 11) }
    let forged = try TemporaryFolder()
    let last = RemoteLayout.entry(5)
    let fifth = try #require(try other.bucket.get(last, limit: 1 << 20))
    try other.bucket.delete([last])
    try Catalogue(forged.path).readOn(other.log)
    try other.log.put(try #require(try Catalogue(forged.path).checkpoint()))
    for isLonger in [false, true] {
      if isLonger { try other.bucket.put(last, fifth) }
      for isNew in [true, false] {
        if isNew { try FileSystem.removeTree("\(folder.path)/catalogue") }
        let catalogue = try Catalogue(folder.path)
        let error = #expect(throws: DSVError.self) { try catalogue.readOn(other.log) }
        #expect(error?.code == .corrupt)
        #expect(try catalogue.objectCount == 0 && catalogue.position == .start)
      }
    }
    try Catalogue(folder.path).readOn(remote.log)
  }

  @Test("a log that was rolled back or rewritten is noticed, also by a catalogue made anew")
  func rollback() throws {
    let catalogue = try Catalogue(folder.path)
    for number in 0..<3 { try remote.push(number..<number + 1) }
    let old = try #require(try remote.bucket.get(RemoteLayout.entry(3), limit: 1 << 20))
    try remote.push(3..<4)
    try catalogue.readOn(remote.log)
    let last = try #require(try remote.bucket.get(RemoteLayout.entry(4), limit: 1 << 20))

    func expectRefused(_ context: Comment) throws {
      for isNew in [false, true] {
        if isNew { try FileSystem.removeTree("\(folder.path)/catalogue") }
        let again = try Catalogue(folder.path)
        let error = #expect(throws: DSVError.self, context) { try again.readOn(remote.log) }
        #expect(error?.code == .corrupt, context)
      }
    }
    try remote.bucket.delete([RemoteLayout.entry(4)])
    try expectRefused("the last entry is gone")
    try remote.push(7..<8)
    try expectRefused("another entry in its place")
    try remote.push(8..<9)
    try expectRefused("and it goes on")
    try remote.bucket.delete([RemoteLayout.entry(5)])
    try remote.bucket.put(RemoteLayout.entry(4), last)
    try Catalogue(folder.path).readOn(remote.log)
    try remote.bucket.delete([RemoteLayout.entry(3)])
    let other = try TemporaryFolder()
    #expect(throws: DSVError.self) { try Catalogue(other.path).readOn(remote.log) }
    try remote.bucket.put(RemoteLayout.entry(3), old)
    #expect(try Catalogue(other.path).readOn(remote.log) == 4)
  }

  @Test("numbers that no remote gives are refused, and take no time and no memory")
  func hostileNumbers() throws {
    try remote.push(0..<5)
    let entry = try #require(try remote.bucket.get(RemoteLayout.entry(1), limit: 1 << 20))
    func expectRefused(_ change: () throws -> Void) throws {
      try change()
      let other = try TemporaryFolder()
      let error = #expect(throws: DSVError.self) { try Catalogue(other.path).readOn(remote.log) }
      #expect(error?.code == .corrupt)
    }
    let far = 1 << 55
    try expectRefused { try remote.bucket.put(RemoteLayout.entry(far), entry) }
    let checkpoint = Checkpoint(LogPosition(number: far, digest: RemoteEntry.digest(of: entry)))
    try remote.log.put(checkpoint)
    let other = try TemporaryFolder()
    // That is a log whose first entries nobody wants.
    let catalogue = try Catalogue(other.path)
    try catalogue.readOn(remote.log)
    #expect(try catalogue.position.number == far)
    try remote.bucket.delete([RemoteLayout.entry(far), RemoteLayout.checkpoint(far)])
    try expectRefused { try remote.push(9..<10) { $0.numbered = [.init(4_000_000_000, testID(1))] } }
  }

  @Test("of many that create an entry at once, one is first; who was it is known after a failure too")
  func race() throws {
    let bucket = FaultyBucket(MemoryBucket())
    let log = RemoteLog(bucket)
    let entries = (0..<8).map {
      RemoteEntry(number: 1, previous: LogPosition.start.digest, nonce: PackID(high: $0, low: 0), time: 0)
    }
    let won = try Parallel.map(8, width: 8) { (index) throws(DSVError) in
      try log.create(entries[index]) != nil
    }
    #expect(won.count { $0 } == 1)
    bucket.plan(.call(0), .after)
    let next = RemoteEntry(
      number: 2, previous: RemoteEntry.digest(of: entries[won.firstIndex(of: true) ?? 0].bytes),
      nonce: PackID(high: 9, low: 9), time: 0)
    #expect(try log.create(next) == RemoteEntry.digest(of: next.bytes))
  }

  @Test("neighbours are read with one request, and all that is given was checked")
  func runs() throws {
    let bucket = FaultyBucket(remote.bucket)
    let pack = try #require(try remote.push(0..<100))
    let catalogue = try Catalogue(folder.path)
    try catalogue.readOn(remote.log)
    let items = try (0..<100).filter { $0 % 3 != 1 }.map { number -> (id: AnyID, place: RemotePlace) in
      let id: AnyID = testID(UInt64(number))
      return (id, try #require(try catalogue.place(of: id)))
    }
    let runs = RemoteReader.runs(items)
    #expect(runs.count == 1)
    let reader = RemoteReader(bucket, catalogue)
    #expect(try reader.read(runs[0]).count == items.count)
    #expect(bucket.callCount == 1)
    #expect(RemoteReader.runs(items, gap: 0).count > 30)
    var bytes = try #require(try remote.bucket.get(RemoteLayout.pack(pack), limit: 1 << 20))
    bytes[bytes.count - 10] ^= 1
    try remote.bucket.put(RemoteLayout.pack(pack), bytes)
    #expect(throws: DSVError.self) { try reader.read(runs[0]) }
  }

  @Test("a catalogue that was damaged is made anew")
  func damaged() throws {
    try remote.push(0..<50)
    do { try Catalogue(folder.path).readOn(remote.log) }
    let path = "\(folder.path)/catalogue/index/data.mdb"
    try File(path, .update).write([UInt8](repeating: 0xff, count: 5000), at: 8192)
    let catalogue = try Catalogue(folder.path)
    try catalogue.readOn(remote.log)
    try check(catalogue, holds: 0..<50)
  }

  @Test("a call of the bucket that fails leaves a catalogue that goes on")
  func faults() throws {
    for round in 0..<4 { try remote.push(round * 10..<round * 10 + 10) }
    let bucket = FaultyBucket(remote.bucket)
    for number in 0... {
      bucket.plan(.call(number))
      let other = try TemporaryFolder()
      let catalogue = try Catalogue(other.path)
      let result = Result { try catalogue.readOn(RemoteLog(bucket)) }
      if case .success = result, bucket.faultCount == 0 { break }
      bucket.plan(.never)
      try catalogue.readOn(RemoteLog(bucket))
      try check(catalogue, holds: 0..<40, "call \(number)")
    }
  }
}
