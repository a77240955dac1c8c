import DSV
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting
import DSVVersions
import Glibc
import Testing

/// Transfers to a real server that speaks S3: moto, or the one that `DSV_TEST_S3` names.
@Suite(.serialized) struct S3TransferTests {
  static let writerCommits = Machine.environment("DSV_S3_COMMITS").flatMap { Int($0) } ?? 3
  /// Pushes and pulls.
  static let transferCount = Machine.environment("DSV_TRANSFER_ROUNDS").flatMap { Int($0) } ?? 40

  /// Commits `count` rows, each pushed before the next; returns how often somebody else came first.
  static func write(
    _ writer: Int, _ count: Int, _ url: String, _ place: CloneOptions, _ path: String
  ) throws -> Int {
    let repository = try Repository.clone(url, to: path, place, options: .init(threadCount: 0)).repository
    var lostCount = 0
    for number in 0..<count {
      try repository.commitTest([row(writer * 100_000 + number)])
      while true {
        do throws(DSVError) {
          _ = try repository.push()
          break
        } catch {
          guard error.code == .conflict || error.code == .busy else { throw error }
          lostCount += 1
          _ = try repository.pull(rebases: true)
        }
      }
    }
    return lostCount
  }

  @Test("8 processes push to one branch, and nothing is lost")
  func writers() async throws {
    let server = try S3Server.shared()
    let place = try server.makeBucket()
    let folder = try TemporaryFolder(inMemory: true)
    let url = "s3://\(place.bucket)/data/set"
    var options = CloneOptions()
    (options.endpoint, options.isPathStyle) = (server.endpoint, true)
    setenv("AWS_ACCESS_KEY_ID", server.credentials.accessKeyID, 1)
    setenv("AWS_SECRET_ACCESS_KEY", server.credentials.secretKey, 1)
    let first = try Repository.initialize(at: "\(folder.path)/first", options: .init(threadCount: 0))
    try first.commitTest([row(-1)], .replace, key: ["id"])
    let remote = try first.addRemote("origin", url: url, endpoint: server.endpoint, isPathStyle: true)
    #expect(remote.readOnlyReason == nil)
    _ = try first.push()
    let count = Self.writerCommits
    await withTaskGroup { group in
      for writer in 0..<8 {
        group.addTask {
          await #expect(processExitsWith: .success) {
            [
              writer = writer as Int, count = count as Int, url = url as String,
              endpoint = server.endpoint as String, path = "\(folder.path)/\(writer)" as String
            ] in
            var options = CloneOptions()
            (options.endpoint, options.isPathStyle) = (endpoint, true)
            let lost = try S3TransferTests.write(writer, count, url, options, path)
            try FileSystem.replace(path + "/lost", with: Array("\(lost)".utf8))
          }
        }
      }
    }
    #expect(try first.pull().kind == .fastForward)
    let rows = try first.rowsTest()
    let wanted = [row(-1)] + (0..<8).flatMap { writer in (0..<count).map { row(writer * 100_000 + $0) } }
    #expect(rows.sorted() == wanted.sorted())
    #expect(try first.log(from: try first.resolve("HEAD").commit).count == 1 + 8 * count)
    #expect(try first.resolve("origin/v\(1 + 8 * count)").commit == first.resolve("HEAD").commit)
    #expect(try first.check().problems == [])
    let lost = try (0..<8).map { writer in
      Int(String(decoding: try FileSystem.read("\(folder.path)/\(writer)/lost", limit: 10), as: UTF8.self))
        ?? 0
    }
    print("8 × \(count) commits pushed; another came first \(lost.reduce(0, +)) times")
  }

  @Test("random histories come to the same through a proxy that does every fault with probability 0.2")
  func proxy() throws {
    let server = try S3Server.shared()
    let proxy = try FaultProxy(before: server.endpoint)
    let bucket = try server.openPatiently(server.makeBucket(prefix: "p", endpoint: proxy.endpoint))
    let place = try S3Place(
      bucket: bucket.place.bucket, prefix: "p", endpoint: try S3Place.Endpoint(server.endpoint),
      isPathStyle: true)
    let histories = try HistoryTests.Histories(bucket, honest: try server.open(place), seed: 8)
    try proxy.planEverything(seed: 7, before: server)
    try histories.run(Self.transferCount, chance: nil)
    let counts = try proxy.plan("{}")
    #expect(histories.transferCount >= Self.transferCount)
    #expect(FaultProxy.missing(in: counts, before: server) == [] && counts["trapped"] == 0)
    print(
      "\(histories.transferCount) pushes and pulls, of which \(histories.moveCount) moved something: \(counts)"
    )
  }
}
