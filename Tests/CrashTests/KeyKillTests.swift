import DSV
import DSVFormat
import DSVSystem
import DSVVersions
import Testing

/// What changes or makes encrypted repositories is killed at any moment. Nothing is lost, and the same command goes on.
@Suite(.serialized) struct KeyKillTests {
  static let killCount = Kills.count(10)

  @Test(
    "an exchange of keys that is killed has happened or not, goes on, and nothing is lost",
    arguments: KeySetting.Exchange.allCases)
  func exchange(_ exchange: KeySetting.Exchange) throws {
    var setting = try KeySetting(exchange)
    let before = try setting.picture()
    let start = Clock.monotonicNanoseconds()
    let whole = try Child.run(try setting.prepare(), scratch: setting.scratch.path)
    let duration = Clock.monotonicNanoseconds() - start
    var kills = Kills(
      Self.killCount, within: duration, from: exchange == .reencrypt ? 0 : 0.5, seed: 11)
    #expect(whole.code == 0, "\(exchange): \(whole.errors)")
    try setting.finish()
    var happenedCount = 0
    while let delay = kills.next() {
      let arguments = try setting.prepare()
      let end = try Child(arguments, scratch: setting.scratch.path).kill(afterNanoseconds: delay)
      kills.note(end, "\(exchange)")
      let context = kills.context("\(exchange)")
      // Either all of it or nothing, and whom it does not concern still gets in.
      let happened = try setting.hasHappened()
      #expect(happened || !end.isAcknowledged, context)
      if happened, end.signal == 9 { happenedCount += 1 }
      #expect(try setting.opens(setting.kept), context)
      #expect(try setting.open().check().problems == [], context)
      if !happened, exchange != .reencrypt {
        let again = try Child.run(arguments, scratch: setting.scratch.path)
        #expect(again.code == 0, "\(context): \(again.errors)")
        #expect(try setting.hasHappened(), context)
      }
      try setting.finish()
      #expect(try setting.picture() == before, context)
      #expect(try setting.open().check().problems == [], context)
      #expect(try setting.open().keys().count == 2, context)
    }
    kills.expectAll("\(exchange)")
    print("of those, \(happenedCount) when it had happened")
  }

  @Test("an encryption that is killed goes on, and comes to what it would have")
  func encryption() throws {
    let scratch = try Scratch()
    do {
      let repository = try Repository.initialize(at: scratch.repository, options: .init(threadCount: 0))
      for number in 0..<4 {
        let rows = Rows.text(number * 100..<number * 100 + 100, seed: UInt64(number))
        try repository.commitTest(try scratch.file("a.jsonl", rows), number == 0 ? .replace : .append)
      }
      let noise = Rows.noise(1000, byteCount: 1_500_000, seed: 2)
      try repository.commitTest(try scratch.file("b.jsonl", noise), .append)
    }
    let source = try Repository.open(at: scratch.repository, options: .init(threadCount: 0))
    let expected = try source.log(from: try source.resolve("HEAD").commit).map {
      try Picture.export(source, $0.id)
    }
    let key = RepositoryKey.random()
    let keyFile = try scratch.file("key", try #require(key.text) + "\n")
    let copy = "\(scratch.path)/copy"
    let arguments = ["encrypt", scratch.repository, copy, "--key-file", keyFile, "--quiet", "--json"]
    let start = Clock.monotonicNanoseconds()
    let whole = try Child.run(arguments, scratch: scratch.path)
    var kills = Kills(Self.killCount, within: Clock.monotonicNanoseconds() - start, seed: 12)
    #expect(whole.code == 0, "\(whole.errors)")
    try FileSystem.removeTree(copy)
    while let delay = kills.next() {
      let end = try Child(arguments, scratch: scratch.path).kill(afterNanoseconds: delay)
      kills.note(end, "encrypt")
      let context = kills.context("encrypt")
      if !end.isAcknowledged {
        // Killed in the last moment it is whole, and says so.
        let again = try Child.run(arguments, scratch: scratch.path)
        #expect(again.code == 0 || again.code == 4, "\(context): \(again.errors)")
      }
      var options = Repository.Options(threadCount: 0)
      options.key = key
      let repository = try Repository.open(at: copy, options: options)
      #expect(try repository.check().problems == [], context)
      let found = try repository.log(from: try repository.resolve("HEAD").commit)
      #expect(found.map(\.version) == ["v5", "v4", "v3", "v2", "v1"], context)
      #expect(try found.map { try Picture.export(repository, $0.id) } == expected, context)
      try FileSystem.removeTree(copy)
    }
    kills.expectAll("encrypt")
  }
}
