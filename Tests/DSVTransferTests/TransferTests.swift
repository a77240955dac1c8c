import DSV
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTables
import DSVTesting
import DSVVersions
import Synchronization
import Testing

@Suite struct TransferTests {
  let clones: Clones

  init() throws { clones = try Clones() }

  @Test("what is pushed is cloned, with numbers, tags and every row")
  func pushAndClone() throws {
    let a = try clones.new()
    try a.commitTest(noise(0..<40, byteCount: 20_000, seed: 1), .replace, key: ["id"])
    for number in 0..<20 { try a.commitTest([row(100 + number)]) }
    try a.makeTag("paper", at: try a.resolve("v7").commit)
    try a.makeBranch("side", at: try a.resolve("v3").commit)
    let result = try a.pushAll()
    #expect(result.commitCount == 21)
    #expect(result.refs.allSatisfy { $0.state == .pushed } && result.refs.count == 3)
    #expect(try a.pushAll().refs.allSatisfy { $0.state == .upToDate })

    let b = try clones.clone()
    #expect(try b.check().problems == [])
    for number in 1...21 {
      #expect(try b.resolve("v\(number)").commit == a.resolve("v\(number)").commit)
      #expect(try b.resolve("origin/v\(number)").commit == a.resolve("v\(number)").commit)
      #expect(try b.rowsTest("v\(number)") == a.rowsTest("v\(number)"))
    }
    #expect(try b.resolve("paper").commit == a.resolve("v7").commit)
    #expect(try b.resolve("origin/paper").commit == a.resolve("v7").commit)
    #expect(try b.resolve("origin/side~1").commit == a.resolve("v2").commit)
    #expect(try b.head().branch == "main")
    #expect(try b.log(from: try b.resolve("HEAD").commit).first?.names.contains("origin/main") == true)
    #expect(throws: DSVError.self) { try b.resolve("origin/v99") }
    #expect(throws: DSVError.self) { try b.resolve("origin/none") }
    #expect(try b.store.objectCount <= a.store.objectCount)
  }

  @Test("a change moves what it added, in few requests")
  func smallChange() throws {
    let a = try clones.new()
    try a.commitTest(noise(0..<400, byteCount: 8000, seed: 1), .replace, key: ["id"])
    _ = try a.push()
    let before = try a.store.byteCount
    let result = try a.commitTest(noise(10..<14, byteCount: 8000, seed: 2), .upsert)
    clones.bucket.plan(.never)
    let pushed = try a.push()
    #expect(pushed.packCount == 1)
    #expect(clones.bucket.callCount <= 12)
    #expect(Double(pushed.byteCount) <= 1.2 * Double(result.newByteCount))
    print(
      "pushed \(pushed.byteCount) bytes of \(result.newByteCount) new, \(before) old; \(clones.bucket.counts)"
    )
    let b = try clones.clone()
    try a.commitTest([row(1000)])
    let local = try a.commitTest([row(1001)]).newByteCount
    _ = try a.push()
    clones.bucket.plan(.never)
    let fetched = try b.fetch()
    #expect(fetched.commitCount == 2 && fetched.byteCount < 4 * local + 20_000)
    print("fetched \(fetched.byteCount) bytes of \(local) new: \(clones.bucket.counts)")
  }

  @Test("many small packs are fetched with a request each, by who has some and by who has none")
  func manySmallPacks() throws {
    let a = try clones.new()
    try a.commitTest([row(0)], .replace, key: ["id"])
    _ = try a.push()
    let b = try clones.clone()
    let count = 150
    for number in 1...count {
      try a.commitTest([row(number)])
      _ = try a.push()
    }
    let bucket = clones.bucket
    bucket.plan(.never)
    #expect(try b.fetch().commitCount == count)
    // For each its entry of the log, its index and its pack; what goes ahead of what is wanted may be a few too many.
    #expect(bucket.counts[.get] ?? 0 <= 2 * count + 5)
    #expect(bucket.counts[.getRange] ?? 0 <= count + 5)
    bucket.plan(.never)
    let c = try clones.clone()
    #expect(bucket.counts[.getRange] ?? 0 <= count + 10)
    bucket.plan(.never)
    let lazy = try clones.lazyClone()
    #expect(bucket.counts[.getRange] ?? 0 <= count + 10)
    for repository in [b, c, lazy] {
      #expect(try repository.rowsTest("origin/main").sorted() == a.rowsTest().sorted())
      #expect(try repository.check().problems == [])
    }
  }

  @Test("a push asks nothing about what earlier ones put in vain, however often others came first")
  func inVain() throws {
    let a = try clones.new()
    try a.commitTest([row(0)], .replace, key: ["id"])
    _ = try a.push()
    let b = try clones.clone()
    let bucket = clones.bucket
    func requestCount() throws -> Int {
      bucket.plan(.never)
      _ = try b.push()
      return bucket.callCount
    }
    try b.commitTest([row(1)])
    let first = try requestCount()
    for number in 0..<10 {
      try b.commitTest([row(100 + number)])
      clones.refused.other.withLock {
        $0 = {
          _ = try a.pull()
          try a.commitTest([row(200 + number)])
          _ = try a.push()
        }
      }
      #expect(throws: DSVError.self) { try b.push() }
      #expect(try b.pull(rebases: true).kind == .rebased)
      let count = try requestCount()
      #expect(count <= first + 1, "after \(number + 1) in vain; the first took \(first)")
    }
    #expect(try FileSystem.list("\(b.store.root)/remotes/origin/push").count == 10)
    _ = try a.pull()
    #expect(try a.rowsTest().count == 22)
  }

  @Test("pull goes forward, tells of what diverged, and makes it again on demand")
  func pull() throws {
    let a = try clones.new()
    try a.commitTest((0..<50).map { row($0) }, .replace, key: ["id"])
    _ = try a.push()
    let b = try clones.clone()
    try a.commitTest([row(100)])
    _ = try a.push()
    let forward = try b.pull()
    #expect(forward.kind == .fastForward)
    #expect(try b.rowsTest() == a.rowsTest())
    #expect(try b.pull().kind == .upToDate)

    // Both go on.
    try a.commitTest([row(101)])
    try a.commitTest([row(3, "a")], .upsert)
    _ = try a.push()
    try b.commitTest([row(200)])
    try b.commitTest([row(5, "b"), row(201)], .upsert, message: "mine")
    let before = try b.head()
    #expect(throws: DSVError.self) { try b.push() }
    let error = #expect(throws: DSVError.self) { try b.pull() }
    #expect(error?.code == .conflict && error?.message.contains("--rebase") == true)
    #expect(try b.head() == before)
    let rebased = try b.pull(rebases: true)
    #expect(rebased.kind == .rebased && rebased.replayedCount == 2)
    var rows = (0..<50).filter { $0 != 3 && $0 != 5 }.map { row($0) } + [row(100), row(101), row(3, "a")]
    rows += [row(200), row(5, "b"), row(201)]
    #expect(try b.rowsTest().sorted() == rows.sorted())
    #expect(try b.commit(try b.resolve("HEAD").commit).message == "mine")
    _ = try b.push()
    _ = try a.pull()
    #expect(try a.rowsTest() == b.rowsTest())
    for repository in [a, b] { #expect(try repository.check().problems == []) }
  }

  @Test("a transform runs again on the remote's rows; a replacement cannot be made again, and nothing moves")
  func replayed() throws {
    let a = try clones.new()
    try a.commitTest((0..<10).map { row($0) }, .replace)
    _ = try a.push()
    let b = try clones.clone()
    try a.commitTest([row(77), row(4)])
    _ = try a.push()
    try b.selectTest("id < 5")
    try b.commitTest([row(3)])
    let rebased = try b.pull(rebases: true)
    #expect(rebased.replayedCount == 2)
    #expect(try b.rowsTest() == [0, 1, 2, 3, 4, 4, 3].map { row($0) })
    #expect(
      try b.commit(try b.resolve("HEAD~1").commit).lineage?.input == (try b.resolve("origin/main").commit))
    _ = try b.push()

    try a.commitTest([row(1)], .replace)
    let tip = try a.head()
    let error = #expect(throws: DSVError.self) { try a.pull(rebases: true) }
    #expect(error?.code == .conflict && error?.message.contains("v3") == true, "\(String(describing: error))")
    #expect(try a.head() == tip)
    #expect(try a.check().problems == [])
  }

  @Test("types stay what they are when rows are added again")
  func types() throws {
    let a = try clones.new()
    try a.commitTest([#"{"n":1.5,"t":"2020-01-01","l":[1],"s":{"x":1}}"#], .replace)
    _ = try a.push()
    let b = try clones.clone()
    try a.commitTest([#"{"n":2,"t":"x","l":[],"s":{"x":2}}"#])
    _ = try a.push()
    try b.commitTest([#"{"n":3,"t":null,"l":[2,3],"s":null}"#, #"{"t":"y"}"#])
    _ = try b.pull(rebases: true)
    let schema = try b.table(nil, of: try b.resolve("v1").commit).schema
    #expect(try b.table(nil, of: try b.resolve("HEAD").commit).schema.map(\.type) == schema.map(\.type))
    #expect(try b.rowsTest().suffix(2) == [#"{"n":3.0,"t":null,"l":[2,3],"s":null}"#, #"{"t":"y"}"#])
  }

  @Test("nothing of a branch that was not pushed is on the remote")
  func needles() throws {
    let a = try clones.new()
    try a.commitTest((0..<20).map { row($0) }, .replace)
    try a.makeBranch("secret-branch", at: try a.resolve("HEAD").commit)
    try a.checkout(try a.resolve("secret-branch"))
    try a.commitTest(["{\"id\":1,\"needlecolumn\":\"needlevalue\"}"], .append, message: "needlemessage")
    try a.commitTest(["{\"id\":1}"], table: "needletable")
    try a.checkout(try a.resolve("main"))
    try a.commitTest([row(21)])
    _ = try a.push()
    var (count, last) = (0, nil as String?)
    while let entry = try clones.bucket.list(prefix: "", after: last, limit: 1).first {
      let bytes = try #require(try clones.bucket.get(entry.key, limit: 1 << 30))
      for needle in ["secret-branch", "needlecolumn", "needlevalue", "needlemessage", "needletable"] {
        #expect(!String(decoding: bytes, as: UTF8.self).contains(needle), "\(entry.key)")
      }
      (count, last) = (count + 1, entry.key)
    }
    #expect(count >= 4)
    // Plain objects of one row are stored as they are: those of the pushed branch are found the same way.
    let all = try #require(try a.store.commit(number: 2))
    #expect(try !Catalogue(a.store.root + "/remotes/origin").contains(AnyID(all)))
  }

  @Test("a push that was broken off goes on where it was")
  func resumedPush() throws {
    let a = try clones.new()
    try a.commitTest(noise(0..<60, byteCount: 100_000, seed: 3), .replace)
    let bucket = clones.bucket
    // The entry cannot be created; the packs were put.
    clones.refused.prefix.withLock { $0 = "log/" }
    #expect(throws: DSVError.self) { try a.push() }
    clones.refused.prefix.withLock { $0 = nil }
    bucket.plan(.never)
    let result = try a.push()
    #expect(result.packCount >= 3 && result.byteCount == 0)
    #expect(bucket.counts[.put] == nil)
    // A pack of which something is not pushed this time is not named.
    try a.commitTest([row(1)])
    clones.refused.prefix.withLock { $0 = "log/" }
    #expect(throws: DSVError.self) { try a.push() }
    clones.refused.prefix.withLock { $0 = nil }
    try a.makeBranch("other", at: try a.resolve("v1").commit)
    try a.checkout(try a.resolve("other"))
    try a.commitTest([row(2)])
    #expect(try a.push().packCount == 1)
    #expect(try FileSystem.list(a.store.root + "/remotes/origin/push").count == 1)
    try a.checkout(try a.resolve("main"))
    let last = try a.push()
    #expect(last.packCount == 1 && last.byteCount == 0)
    #expect(try FileSystem.list(a.store.root + "/remotes/origin/push") == [])
    let b = try clones.clone()
    #expect(try b.rowsTest() == a.rowsTest())
    #expect(try b.check().problems == [])
  }

  @Test("a remote that was rolled back is noticed")
  func rolledBack() throws {
    let a = try clones.new()
    try a.commitTest([row(0)], .replace)
    _ = try a.push()
    let b = try clones.clone()
    try a.commitTest([row(1)])
    _ = try a.push()
    _ = try b.pull()
    try clones.bucket.delete([RemoteLayout.entry(2)])
    for repository in [a, b] {
      let error = #expect(throws: DSVError.self) { try repository.fetch() }
      #expect(error?.code == .corrupt && error?.message.contains("rolled back") == true)
      try repository.commitTest([row(2)])
      #expect(throws: DSVError.self) { try repository.push() }
    }
    // Who comes anew cannot know.
    #expect(try clones.clone().rowsTest() == [row(0)])
  }

  @Test("a clone of some columns or of one table has those; a lazy one has commits and schemas")
  func partial() throws {
    let a = try clones.new()
    try a.commitTest(noise(0..<300, byteCount: 3000, seed: 4), .replace, key: ["id"])
    try a.commitTest(noise(0..<300, byteCount: 3000, seed: 5), .replace, table: "other")
    _ = try a.push()
    var options = CloneOptions()
    options.isLazy = true
    let lazy = try clones.clone(options)
    #expect(try lazy.store.objectCount == 4)
    #expect(try lazy.table(nil, of: try lazy.resolve("v1").commit).rowCount == 300)
    options = CloneOptions()
    options.columns = ["id"]
    let columns = try clones.clone(options)
    let table = try columns.version("v2").table("data")
    let scan = try table.scan(Scan.Options(columns: ["id"]))
    var count = 0
    while let batch = try scan.next() { count += batch.rowCount }
    #expect(count == 300)
    #expect(try columns.store.byteCount < 400_000)
    options = CloneOptions()
    options.table = "other"
    let other = try clones.clone(options)
    #expect(try other.rowsTest(table: "other") == a.rowsTest(table: "other"))
    #expect(try other.store.objectCount < a.store.objectCount)
  }

  @Test("bytes that were changed on the remote are refused, by name")
  func damage() throws {
    let a = try clones.new()
    try a.commitTest(noise(0..<100, byteCount: 1000, seed: 4), .replace)
    _ = try a.push()
    let key = try #require(
      try clones.bucket.list(prefix: RemoteLayout.packPrefix, after: nil, limit: 10).first {
        $0.key.hasSuffix("pack")
      })
    let good = try #require(try clones.bucket.get(key.key, limit: 1 << 30))
    var random = SeededGenerator(seed: 5)
    for _ in 0..<40 {
      var bad = good
      bad[random.below(bad.count)] ^= UInt8(1 << random.below(8))
      try clones.bucket.put(key.key, bad)
      let path = clones.newPath()
      do {
        let (b, _) = try Repository.clone("s3://test/prefix", to: path, options: clones.options)
        // Only the pack's own header is not needed.
        #expect(try b.rowsTest() == a.rowsTest())
        #expect(Array(bad.dropFirst(32)) == Array(good.dropFirst(32)))
      } catch {
        #expect(error is DSVError)
        try clones.bucket.put(key.key, good)
        let (b, _) = try Repository.clone("s3://test/prefix", to: path, options: clones.options)
        #expect(try b.rowsTest() == a.rowsTest())
      }
    }
  }
}

extension Repository {
  func selectTest(_ condition: String) throws {
    let file = "\(path)/recipe.yaml"
    try FileSystem.replace(file, with: Array("stages:\n  - where: \(condition)\n".utf8))
    try transformTest(file)
  }
}
