import DSVColumns
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import DSVVersions
import Synchronization
import Testing

@testable import DSV

/// Remotes that have lost or damaged what was pushed, and what a whole copy does for them.
@Suite(.serialized) struct RemoteCheckTests {
  enum Damage: CaseIterable {
    case flipped, cut, gone, header, indexGone, indexDamaged, bothGone, flippedAndIndexGone

    /// Whether the pack serves again once its index is made anew.
    var isOfIndexOnly: Bool { self == .indexGone || self == .indexDamaged }
  }

  enum Place: CaseIterable { case memory, folder, s3 }

  private func clones(_ place: Place, isEncrypted: Bool = false) throws -> Clones {
    let clones: Clones
    switch place {
    case .memory: clones = try Clones()
    case .folder:
      let folder = try TemporaryFolder()
      clones = try Clones(try FolderBucket("\(folder.path)/remote", isMade: true))
      clones.kept.append(folder)
    case .s3: clones = try Clones(try S3Server.shared().openBucket(prefix: "p"))
    }
    if isEncrypted { clones.key = .random() }
    return clones
  }

  /// A history with packs of one push each, some of which build on those before.
  private func filled(_ clones: Clones) throws -> Repository {
    let a = try clones.new()
    try a.commitTest(noise(0..<60, byteCount: 4000, seed: 1), .replace, key: ["id"])
    _ = try a.push()
    for number in 0..<3 {
      for offset in 0..<3 { try a.commitTest([row(1000 + number * 10 + offset)]) }
      _ = try a.push()
    }
    try a.makeTag("paper", at: try a.resolve("v4").commit)
    _ = try a.pushAll()
    return a
  }

  /// The packs that count, in the order of the log.
  private func packs(_ repository: Repository) throws -> [RemotePack] {
    try repository.catalogue("origin").allPacks.filter { $0.condemnedTime == nil }
  }

  private func damage(_ pack: RemotePack, _ damage: Damage, _ bucket: any Bucket) throws {
    let (key, index) = (RemoteLayout.pack(pack.id), RemoteLayout.index(pack.id))
    var bytes = try #require(try bucket.get(key, limit: 1 << 26))
    switch damage {
    case .flipped, .flippedAndIndexGone:
      bytes[bytes.count / 2] ^= 1
      try bucket.put(key, bytes)
    case .cut: try bucket.put(key, Array(bytes.dropLast(bytes.count / 3)))
    case .header:
      bytes[1] ^= 1
      try bucket.put(key, bytes)
    case .gone, .bothGone: try bucket.delete([key])
    case .indexDamaged:
      var bytes = try #require(try bucket.get(index, limit: 1 << 26))
      bytes[bytes.count / 2] ^= 1
      try bucket.put(index, bytes)
    case .indexGone: break
    }
    if [.indexGone, .bothGone, .flippedAndIndexGone].contains(damage) { try bucket.delete([index]) }
  }

  private func values(_ bucket: any Bucket) throws -> [String: [UInt8]] {
    var values: [String: [UInt8]] = [:]
    for entry in try bucket.list(prefix: "", after: nil, limit: 1000) {
      values[entry.key] = try bucket.get(entry.key, limit: 1 << 26)
    }
    return values
  }

  /// That all that `a` has can be had of the remote, by those who were there and those who come.
  private func expectWhole(_ clones: Clones, _ a: Repository, _ others: [Repository]) throws {
    let check = try a.checkRemote()
    #expect(check.isWhole && check.lost == [] && check.packCount > 0 && check.objectCount > 0)
    let fresh = [try clones.clone(), try clones.lazyClone()]
    for repository in others + fresh {
      _ = try repository.fetch()
      for version in ["origin/main", "origin/main~3", "origin/paper", "origin/v1"] {
        #expect(try repository.rowsTest(version) == a.rowsTest(version))
      }
      #expect(try repository.check().problems == [])
    }
  }

  @Test(
    "what is damaged is named, and put anew from a whole copy; all clones go on",
    arguments: Damage.allCases.map { ($0, false) } + [(.flipped, true), (.gone, true), (.indexGone, true)])
  func repaired(damage: Damage, isEncrypted: Bool) throws {
    let clones = try clones(.memory, isEncrypted: isEncrypted)
    try repair(clones, damage, forgetting: false)
  }

  @Test(
    "the same of folders and of S3", arguments: [Place.folder, .s3], [Damage.flipped, .bothGone, .indexGone])
  func places(place: Place, damage: Damage) throws {
    try repair(try clones(place), damage, forgetting: false)
  }

  @Test("the same by who has a whole copy and knows nothing yet of the remote", arguments: Damage.allCases)
  func forgotten(damage: Damage) throws {
    try repair(try clones(.memory), damage, forgetting: true)
  }

  private func repair(_ clones: Clones, _ damage: Damage, forgetting: Bool) throws {
    var a = try filled(clones)
    let (b, lazy) = (try clones.clone(), try clones.lazyClone())
    #expect(try a.checkRemote().isWhole)
    let (first, last) = (try #require(packs(a).first), try #require(packs(a).last))
    #expect(first != last)
    for pack in [first, last] { try self.damage(pack, damage, clones.bucket.base) }
    if forgetting {
      a.close()
      try FileSystem.removeTree("\(a.path)/.dsv/remotes/origin/catalogue")
      a = try Repository.open(at: a.path, options: clones.options)
    }
    let before = try values(clones.bucket.base)
    let found = try a.checkRemote()
    #expect(Set(found.damaged.map(\.key)) == [first.key, last.key])
    #expect(found.lost == [] && found.damaged.allSatisfy { !$0.problem.isEmpty })
    #expect(try values(clones.bucket.base) == before)

    let result = try a.checkRemote(repairs: true)
    #expect(result.lost == [])
    if damage.isOfIndexOnly {
      #expect(
        result.restoredIndexCount == 2 && result.condemnedPackCount == 0 && result.writtenPackCount == 0)
    } else {
      #expect(result.condemnedPackCount == 2 && result.writtenPackCount > 0 && result.writtenObjectCount > 0)
    }
    try expectWhole(clones, a, [b, lazy])
    // What is pushed from then on builds on what is whole, and what was given up can go.
    try b.commitTest([row(5000)])
    _ = try b.push()
    _ = try a.pull()
    for time in [0, Int.max] { _ = try a.collectRemoteGarbage(nil, before: time) }
    try expectWhole(clones, a, [b, lazy])
    #expect(try a.checkRemote(repairs: true).condemnedPackCount == 0)
  }

  @Test(
    "what a lazy clone cannot put is named; all else is put, nothing is deleted, and who has it puts it",
    arguments: [
      Damage.flipped, .gone, .flippedAndIndexGone,
    ], [false, true])
  func partly(damage: Damage, isEncrypted: Bool) throws {
    let clones = try clones(.memory, isEncrypted: isEncrypted)
    let a = try filled(clones)
    let lazy = try clones.lazyClone()
    let first = try #require(packs(a).first)
    try self.damage(first, damage, clones.bucket.base)
    let found = try lazy.checkRemote()
    #expect(found.damaged.map(\.key) == [first.key] && !found.lost.isEmpty)
    let result = try lazy.checkRemote(repairs: true)
    #expect(Set(result.lost) == Set(found.lost))
    #expect(result.condemnedPackCount == 1)
    // What builds on a flipped object is lost with it, and where that is in the pack is for the key to say.
    if damage == .flipped { #expect(result.writtenObjectCount > 0) }
    // The loss stays known, and a clean-up does not make it greater.
    let before = try values(clones.bucket.base)
    for time in [0, Int.max] {
      let error = try #require(throws: DSVError.self) { try lazy.collectRemoteGarbage(nil, before: time) }
      #expect(error.code == .corrupt && error.message.contains("dsv remote check origin"))
    }
    #expect(try values(clones.bucket.base) == before)
    let again = try lazy.checkRemote()
    #expect(!again.isWhole && again.damaged == [] && Set(again.lost).isSubset(of: result.lost))
    #expect(again.missingCount > 0 && again.missingCount <= again.lost.count)

    let put = try a.checkRemote(repairs: true)
    #expect(
      put.missingCount >= again.missingCount && put.lost == [] && put.writtenObjectCount == put.missingCount
    )
    try expectWhole(clones, a, [lazy])
  }

  @Test(
    "what was given up and lies there yet is of use to who finds something missing",
    arguments: [false, true], [false, true])
  func givenUp(forgetting: Bool, isIndexGone: Bool) throws {
    let clones = try clones(.memory)
    let a = try filled(clones)
    var lazy = try clones.lazyClone()
    let first = try #require(packs(a).first)
    let bytes = try #require(try clones.bucket.get(first.key, limit: 1 << 26))
    try clones.bucket.base.delete([first.key])
    #expect(try !lazy.checkRemote(repairs: true).lost.isEmpty)
    if forgetting {
      // A checkpoint does not say how long it was.
      let state = try #require(try lazy.catalogue("origin").checkpoint())
      try RemoteLog(clones.bucket).put(state)
      lazy.close()
      try FileSystem.removeTree("\(lazy.path)/.dsv/remotes/origin/catalogue")
      lazy = try Repository.open(at: lazy.path, options: clones.options)
      _ = try lazy.catalogue("origin").readOn(RemoteLog(clones.bucket))
      #expect(try lazy.catalogue("origin").pack(first.id)?.byteCount == 0)
    }
    // The bucket's owner brings it back.
    try clones.bucket.base.put(first.key, bytes)
    if isIndexGone { try clones.bucket.base.delete([RemoteLayout.index(first.id)]) }
    #expect(try lazy.checkRemote(repairs: true).lost == [])
    try expectWhole(clones, a, [lazy])
  }

  @Test("what lies whole in the second of two packs that were given up is not lost")
  func givenUpTwice() throws {
    let clones = try clones(.memory)
    let a = try filled(clones)
    let lazy = try clones.lazyClone()
    let first = try #require(packs(a).first)
    let bytes = try #require(try clones.bucket.get(first.key, limit: 1 << 26))
    try damage(first, .flipped, clones.bucket.base)
    let count = try packs(a).count
    #expect(try a.checkRemote(repairs: true).condemnedPackCount == 1)
    let second = try packs(a).dropFirst(count - 1)
    for pack in second { try damage(pack, .gone, clones.bucket.base) }
    #expect(try !lazy.checkRemote(repairs: true).lost.isEmpty)
    // Of both what is damaged comes back too.
    try clones.bucket.base.put(first.key, bytes)
    for pack in second { try clones.bucket.base.put(pack.key, [UInt8](repeating: 0, count: pack.byteCount)) }
    #expect(try lazy.checkRemote(repairs: true).lost == [])
    try expectWhole(clones, a, [lazy])
  }

  @Test(
    "who pushes while a repair is under way comes through, and the repair as well", arguments: [false, true])
  func raced(isRepairedByOther: Bool) throws {
    let clones = try clones(.memory)
    let a = try filled(clones)
    let b = try clones.clone()
    try b.commitTest([row(7000)])
    let first = try #require(packs(a).first)
    try damage(first, .flipped, clones.bucket.base)
    clones.refused.other.withLock { other in
      other = {
        if isRepairedByOther { #expect(try b.checkRemote(repairs: true).condemnedPackCount == 1) }
        _ = try b.push()
      }
    }
    let result = try a.checkRemote(repairs: true)
    #expect(result.condemnedPackCount == (isRepairedByOther ? 0 : 1))
    _ = try a.pull()
    #expect(try a.rowsTest() == b.rowsTest())
    try expectWhole(clones, a, [b])
  }

  @Test(
    "a clean-up that takes what a repair has just put for left behind does not make it give up all",
    arguments: [1, 2])
  func cleanedUp(count: Int) throws {
    let clones = try clones(.memory)
    let a = try filled(clones)
    let b = try clones.clone()
    try damage(try #require(packs(a).first), .flipped, clones.bucket.base)
    clones.refused.otherAt.withLock { other in
      other = (
        .create, "log/",
        {
          // The first gives them up, the second deletes them.
          for _ in 0..<count { _ = try b.collectRemoteGarbage(nil, before: .max) }
        }
      )
    }
    let result = try a.checkRemote(repairs: true)
    #expect(clones.refused.otherAt.withLock { $0 == nil })
    #expect(result.lost == [] && result.condemnedPackCount > 0 && result.writtenPackCount > 0)
    try expectWhole(clones, a, [b])
  }

  @Test(
    "a repair that fails at any request does no more damage, and the next goes on",
    arguments: [FaultyBucket.Moment.before, .after])
  func faults(moment: FaultyBucket.Moment) throws {
    let clones = try clones(.memory)
    let a = try filled(clones)
    var (number, failureCount) = (0, 0)
    while number < 45 {
      if try a.checkRemote().isWhole {
        let packs = try packs(a)
        try damage(packs[0], .flipped, clones.bucket.base)
        try damage(packs[packs.count - 1], .indexGone, clones.bucket.base)
      }
      clones.bucket.plan(.call(number), moment)
      do throws(DSVError) { _ = try a.checkRemote(repairs: true) } catch {
        #expect(error.code == .io)
        failureCount += 1
      }
      clones.bucket.plan(.never)
      number += 1
    }
    #expect(failureCount > 15)
    #expect(try a.checkRemote(repairs: true).lost == [])
    try expectWhole(clones, a, [])
  }

  @Test("what is stored in another form here than it was pushed in is put in one that the remote can give")
  func archived() throws {
    let clones = try clones(.memory)
    let a = try clones.new()
    // Texts of words that come again and again, so that an archive stores them over a sample.
    var random = SeededGenerator(seed: 1)
    let words = (0..<3000).map { _ in String(random.next(), radix: 36) }
    let rows = (0..<700).map { id in
      let text = (0..<100).map { _ in words[random.below(words.count)] }.joined(separator: " ")
      return #"{"id":\#(id),"text":"\#(text)"}"#
    }
    try a.commitTest(rows, .replace, key: ["id"])
    _ = try a.push()
    _ = try a.archive()
    let catalogue = try a.catalogue("origin")
    var otherCount = 0
    try catalogue.forEachObject { (id, _) throws(DSVError) in
      if let base = try a.store.baseID(of: id), try !catalogue.contains(base) { otherCount += 1 }
    }
    #expect(otherCount > 0)
    for pack in try packs(a) { try damage(pack, .gone, clones.bucket.base) }
    #expect(try a.checkRemote(repairs: true).lost == [])
    #expect(try a.checkRemote().isWhole)
    let b = try clones.clone()
    #expect(try b.rowsTest() == a.rowsTest())
    #expect(try b.check().problems == [])
  }

  @Test("a push tells of a pack that is gone, and what to do")
  func toldByPush() throws {
    let clones = try clones(.memory)
    let a = try filled(clones)
    let notes = Mutex<[String]>([])
    var options = clones.options
    options.note = { note in notes.withLock { $0.append(note) } }
    let again = try Repository.open(at: a.path, options: options)
    _ = try again.push()
    #expect(notes.withLock { $0 } == [])
    let first = try #require(packs(a).first)
    try clones.bucket.base.delete([first.key])
    #expect(try again.push().refs.first?.state == .upToDate)
    let told = notes.withLock { $0 }
    #expect(told.count == 1 && told[0].contains(first.key) && told[0].contains("dsv remote check origin"))
  }

  @Test("a remote that can only be read is checked and not repaired")
  func readOnly() throws {
    let clones = try clones(.memory)
    let a = try filled(clones)
    var config = try a.remoteConfig("origin")
    config.readOnlyReason = "for the test"
    try a.write(config, of: "origin")
    #expect(try a.checkRemote().isWhole)
    #expect(try #require(throws: DSVError.self) { try a.checkRemote(repairs: true) }.code == .badInput)
  }

  @Test("a pack that is said to be longer than any may be is named, and not read")
  func tooLong() throws {
    let folder = try TemporaryFolder()
    let clones = try Clones(try FolderBucket("\(folder.path)/remote", isMade: true))
    let a = try filled(clones)
    let byteCount = RemoteLayout.packByteCountMax + 1
    let pack = PackBuilder()
    let key = RemoteLayout.pack(pack.packID)
    try clones.bucket.put(key, [0])
    try File("\(folder.path)/remote/\(key)", .update).truncate(to: byteCount)
    let index = PackIndex(packID: pack.packID, packByteCount: byteCount, entries: [])
    try clones.bucket.put(RemoteLayout.index(pack.packID), index.bytes)
    var entry = try nextEntry(a)
    entry.added = [LoggedPack(pack.packID, byteCount: byteCount)]
    #expect(try RemoteLog(clones.bucket).create(entry) != nil)
    let isRead = Mutex(false)
    clones.refused.otherAt.withLock { $0 = (.getRange, key, { isRead.withLock { $0 = true } }) }
    let found = try a.checkRemote()
    #expect(found.damaged.map(\.key) == [key] && found.lost == [])
    #expect(!isRead.withLock { $0 })
    #expect(try a.checkRemote(repairs: true).condemnedPackCount == 1)
    try expectWhole(clones, a, [])
  }

  private func nextEntry(_ repository: Repository) throws -> RemoteEntry {
    _ = try repository.fetch()
    let position = try repository.catalogue("origin").position
    return RemoteEntry(
      number: position.number + 1, previous: position.digest, nonce: .random(), time: 1)
  }

  /// Gives nothing now.
  private struct Unreachable: ObjectStore {
    let naming: ObjectNaming
    let code: DSVError.Code
    func contains(_ id: AnyID) throws(DSVError) -> Bool { true }
    func read(_ id: AnyID) throws(DSVError) -> StoredObject { throw DSVError(code, "on purpose") }
  }

  @Test(
    "an object whose base cannot be read now is not said to be damaged",
    arguments: [DSVError.Code.io, .busy, .interrupted, .denied, .wrongKey, .corrupt, .notFound])
  func verdict(code: DSVError.Code) throws {
    let clones = try clones(.memory)
    let a = try filled(clones)
    var based: AnyID?
    try a.catalogue("origin").forEachObject { (id, place) throws(DSVError) in
      if place.baseDepth > 0, try a.store.baseID(of: id) != nil { based = id }
    }
    let id = try #require(based)
    let reader = ObjectReader(
      Unreachable(naming: a.store.naming, code: code), cache: ObjectCache(byteCountMax: 1 << 20),
      pool: .onCaller)
    let object = try a.store.read(id)
    #expect(object.base != nil)
    if code == .corrupt || code == .notFound {
      #expect(try ObjectCheck(reader).verdict(id, object) != nil)
    } else {
      let error = try #require(throws: DSVError.self) { try ObjectCheck(reader).verdict(id, object) }
      #expect(error.code == code)
    }
  }

  @Test(
    "what no branch leads to any more is no loss, is not put, and comes back whole with its branch",
    arguments: [false, true])
  func deletedBranch(isRaced: Bool) throws {
    let clones = try clones(.memory)
    let a = try filled(clones)
    let count = try packs(a).count
    try a.branchOff("side")
    try a.commitTest(noise(100..<160, byteCount: 4000, seed: 2))
    _ = try a.push()
    let side = try packs(a)[count...]
    try a.commitTest([row(2000)])
    _ = try a.push()
    try a.deleteThere("side")
    try a.checkout(try a.resolve("main"))
    let lazy = try clones.lazyClone()
    for pack in side { try damage(pack, .gone, clones.bucket.base) }
    let found = try lazy.checkRemote()
    #expect(Set(found.damaged.map(\.key)) == Set(side.map(\.key)) && found.lost == [])
    if isRaced {
      clones.refused.otherAt.withLock { $0 = (.create, "log/", { _ = try a.pushAll() }) }
    }
    let result = try lazy.checkRemote(repairs: true)
    if isRaced {
      // What was none before is one now, and this clone does not have it.
      #expect(!result.lost.isEmpty)
      #expect(try a.checkRemote(repairs: true).lost == [])
    } else {
      // The packs that lead to it go as well.
      #expect(result.lost == [] && result.condemnedPackCount > side.count)
      try expectWhole(clones, a, [lazy])
      _ = try a.pushAll()
    }
    let fresh = try clones.clone()
    #expect(try fresh.rowsTest("origin/side") == a.rowsTest("side"))
    try expectWhole(clones, a, [lazy, fresh])
  }

  @Test(
    "what no branch leads to any more is a loss to a lazy clone whose versions need it, and it keeps the rest"
  )
  func deletedBranchOfLazyClone() throws {
    let clones = try clones(.memory)
    let a = try filled(clones)
    try a.branchOff("side")
    try a.commitTest(noise(100..<160, byteCount: 4000, seed: 2))
    _ = try a.push()
    let count = try packs(a).count
    try a.commitTest(noise(200..<210, byteCount: 4000, seed: 3), table: "other")
    _ = try a.push()
    let last = try packs(a)[count...]
    let lazy = try clones.lazyClone()
    try a.deleteThere("side")
    for pack in last { try damage(pack, .gone, clones.bucket.base) }
    #expect(try !lazy.checkRemote().lost.isEmpty)
    let result = try lazy.checkRemote(repairs: true)
    #expect(!result.lost.isEmpty && result.condemnedPackCount == last.count)
    #expect(try lazy.rowsTest("origin/side~1") == a.rowsTest("side~1"))
  }

  @Test("a branch that only the remote's log tells of does not have a repair show what is only here")
  func forgedRef() throws {
    let clones = try clones(.memory)
    let a = try filled(clones)
    try a.branchOff("own")
    try a.commitTest(["secret"].map { row(3000, $0) })
    let secret = try a.resolve("own").commit
    var entry = try nextEntry(a)
    entry.moves = [RemoteEntry.Move("heads/forged", old: nil, new: secret)]
    #expect(try RemoteLog(clones.bucket).create(entry) != nil)
    // One that is known to be there is put all the same.
    let first = try #require(packs(a).first)
    try damage(first, .flipped, clones.bucket.base)
    let found = try a.checkRemote()
    #expect(found.damaged.map(\.key) == [first.key] && found.missingCount > 0)
    let result = try a.checkRemote(repairs: true)
    #expect(Set(result.withheld).count == found.missingCount && result.lost == [])
    #expect(result.withheld.contains(AnyID(secret)) && result.condemnedPackCount == 1)
    _ = try a.catalogue("origin").readOn(RemoteLog(clones.bucket))
    for id in result.withheld { #expect(try !a.catalogue("origin").contains(id)) }
    for id in result.withheld { #expect(try a.store.contains(id)) }
    // Whoever means it pushes it.
    var options = PushOptions()
    options.names = ["own"]
    _ = try a.push(options)
    #expect(try a.checkRemote().isWhole)
  }

  @Test("what a clean-up deletes while a check reads it is no damage", arguments: [false, true])
  func cleanedUpMeanwhile(repairs: Bool) throws {
    let clones = try clones(.memory)
    let a = try filled(clones)
    try a.branchOff("side")
    try a.commitTest(noise(100..<160, byteCount: 4000, seed: 2))
    _ = try a.push()
    try a.deleteThere("side")
    try a.checkout(try a.resolve("main"))
    let b = try clones.clone()
    let before = try packs(a).count
    clones.refused.otherAt.withLock { other in
      other = (
        .getRange, RemoteLayout.packPrefix,
        { for _ in 0..<2 { _ = try b.collectRemoteGarbage(nil, before: .max) } }
      )
    }
    let result = try a.checkRemote(repairs: repairs)
    #expect(clones.refused.otherAt.withLock { $0 == nil })
    #expect(result.isWhole && result.condemnedPackCount == 0)
    #expect(try packs(a).count < before)
    try expectWhole(clones, a, [b])
  }

  @Test("a repair begins again where a clean-up gave up a sound pack while it read others back")
  func cleanedUpBesideDamage() throws {
    let clones = try clones(.memory)
    let a = try filled(clones)
    try a.branchOff("side")
    try a.commitTest(noise(100..<160, byteCount: 4000, seed: 2))
    _ = try a.push()
    try a.deleteThere("side")
    try a.checkout(try a.resolve("main"))
    let b = try clones.clone()
    try damage(try #require(packs(a).first), .flipped, clones.bucket.base)
    clones.refused.otherAt.withLock { other in
      other = (
        .getRange, RemoteLayout.packPrefix,
        {
          let collected = try b.collectRemoteGarbage(nil, before: 0)
          #expect(collected.condemnedPackCount == 1)
        }
      )
    }
    let beginnings = Mutex(0)
    let result = try a.checkRemote(repairs: true) { progress in
      if progress.phase.hasPrefix("reading back"), progress.done == 0 { beginnings.withLock { $0 += 1 } }
    }
    #expect(clones.refused.otherAt.withLock { $0 == nil })
    #expect(beginnings.withLock { $0 } == 2 && result.lost == [])
    try expectWhole(clones, a, [b])
  }

  @Test("once it is known what all packs hold, a repair looks at what they build on")
  func lacking() throws {
    let clones = try clones(.memory)
    var a = try clones.new()
    try a.commitTest([row(1)], .replace)
    _ = try a.push()
    let first = try #require(packs(a).first)
    try a.branchOff("side")
    try a.commitTest(noise(0..<20, byteCount: 4000, seed: 1), .replace, table: "own")
    _ = try a.push()
    let base = try #require(packs(a).last)
    try a.commitTest(noise(20..<40, byteCount: 4000, seed: 2), .replace, table: "own")
    _ = try a.push()
    let last = try #require(packs(a).last)
    // The same snapshot without the one between.
    try a.checkout(try a.resolve("main"))
    try a.commitTest(noise(20..<40, byteCount: 4000, seed: 2), .replace, table: "own")
    _ = try a.push()
    try a.deleteThere("side")
    var basedCount = 0
    try a.catalogue("origin").forEachObject { (id, place) throws(DSVError) in
      guard place.pack.id == last.id, let object = try a.store.baseID(of: id) else { return }
      if try a.catalogue("origin").place(of: object)?.pack.id == base.id { basedCount += 1 }
    }
    #expect(basedCount > 0)
    // Somebody gives up what others build on, and an index goes.
    var entry = try nextEntry(a)
    entry.condemned = [base.id]
    #expect(try RemoteLog(clones.bucket).create(entry) != nil)
    try clones.bucket.base.delete([RemoteLayout.index(first.id)])
    a.close()
    try FileSystem.removeTree("\(a.path)/.dsv/remotes/origin/catalogue")
    a = try Repository.open(at: a.path, options: clones.options)
    let result = try a.checkRemote(repairs: true)
    #expect(result.restoredIndexCount == 1 && result.condemnedPackCount > 0 && result.lost == [])
    #expect(try a.checkRemote().isWhole)
    let fresh = try clones.clone()
    #expect(try fresh.rowsTest("origin/main", table: "own") == a.rowsTest("main", table: "own"))
    #expect(try fresh.check().problems == [])
  }
}
