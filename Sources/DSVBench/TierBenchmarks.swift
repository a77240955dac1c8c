import DSV
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVTesting

/// What is measured of reading from a remote 20 ms away, beside the least that fetches the same bytes.
enum TierBenchmarks {
  static let all = [
    coldScan, coldScanFloor, coldScanByHTTP, coldScanByHTTPFloor, secondScan, coldTake, coldTakeFloor,
  ]

  private static let latencyNanoseconds: UInt64 = 20_000_000
  /// 1 Gbit/s.
  private static let bytesPerSecond = 125e6

  /// Where the remote is.
  private enum Place {
    /// In this process, and held to 1 Gbit/s.
    case simulated
    /// `loose_s3.py` on loopback: through HTTP, and as fast as that goes.
    case loopback

    func open() throws -> any Bucket {
      switch self {
      case .simulated:
        SlowBucket(MemoryBucket(), latencyNanoseconds: latencyNanoseconds, bytesPerSecond: bytesPerSecond)
      case .loopback: try LooseS3Server(hasRanges: true, latency: RemoteBenchmarks.latency).open()
      }
    }
  }

  /// A repository whose rows are all in a bucket; a copy of its folder for each time it is read.
  private final class Cold {
    let remote: PackedRemote
    let bucket: any Bucket
    let template: String
    let rowCount: Int
    /// What was opened: that it is closed, and what was fetched is written, is not measured.
    private var opened: [Repository] = []

    init(_ setting: Setting, _ place: Place = .simulated) throws {
      let full = try Repository.initialize(at: setting.newPath())
      let message = CommitMessage("a benchmark", author: "dsv-bench", time: 0)
      rowCount = try full.commit([try setting.manyDocuments()], message).rowCount
      bucket = try place.open()
      remote = PackedRemote(bucket)
      try remote.put(full.store)
      full.attach([RemoteTier("origin", bucket, remote)])
      try full.demote([try full.resolve("HEAD").commit])
      full.close()
      template = full.path
    }

    /// Opens a copy of what is left of the repository.
    func open(_ setting: Setting) throws -> Repository {
      let path = setting.newPath()
      try copyTree(template, path)
      let repository = try Repository.open(at: path)
      repository.attach([RemoteTier("origin", bucket, remote)])
      opened.append(repository)
      return repository
    }

    private func copyTree(_ from: String, _ to: String) throws {
      try FileSystem.makeFolder(to)
      for name in try FileSystem.list(from) where name != "lock.mdb" {
        let (source, target) = ("\(from)/\(name)", "\(to)/\(name)")
        if try FileSystem.status(source)?.isFolder == true {
          try copyTree(source, target)
        } else {
          try FileSystem.replace(target, with: try FileSystem.read(source, limit: 1 << 30), isDurable: false)
        }
      }
    }

    /// Random rows, the same each time.
    func rows(_ count: Int) -> [Int] {
      var random = Documents.Generator(state: 4)
      return (0..<count).map { _ in Int(random.next() % UInt64(rowCount)) }
    }
  }

  /// The bytes of the remote's packs, as every work here has them; so that rates can be compared.
  private static func outcome(_ cold: Cold, _ checksum: Int) -> Benchmark.Outcome {
    Benchmark.Outcome(
      byteCount: cold.remote.packs.reduce(0) { $0 + $1.byteCount }, checksum: UInt64(checksum))
  }

  private static func scan(_ repository: Repository) throws -> Int {
    let scan = try repository.version().table().scan()
    var rowCount = 0
    while let batch = try scan.next() { rowCount += batch.rowCount }
    return rowCount
  }

  static let coldScan = scanned("cold-scan", .simulated)
  static let coldScanFloor = fetched("cold-scan-floor", .simulated)
  static let coldScanByHTTP = scanned("cold-scan-http", .loopback)
  static let coldScanByHTTPFloor = fetched("cold-scan-http-floor", .loopback)

  private static func scanned(_ name: String, _ place: Place) -> Benchmark {
    Benchmark(name) { setting in
      let cold = try Cold(setting, place)
      return { outcome(cold, try scan(try cold.open(setting))) }
    }
  }

  /// The same bytes by a program that knows nothing of them: 32 threads that each fetch a megabyte at a time.
  private static func fetched(_ name: String, _ place: Place) -> Benchmark {
    Benchmark(name) { setting in
      let cold = try Cold(setting, place)
      let reader = RangeReader(cold.bucket, inFlight: 32)
      let pieces = cold.remote.packs.flatMap { pack in
        stride(from: 0, to: pack.byteCount, by: 1 << 20).map {
          RangeReader.Piece(key: pack.key, range: $0..<min($0 + 1 << 20, pack.byteCount))
        }
      }
      return { try reader.read(pieces) }
    }
  }

  static let secondScan = Benchmark("second-scan") { setting in
    let cold = try Cold(setting)
    let repository = try cold.open(setting)
    _ = try scan(repository)
    repository.close()
    let again = try Repository.open(at: repository.path)
    again.attach([RemoteTier("origin", cold.bucket, cold.remote)])
    return { outcome(cold, try scan(again)) }
  }

  static let coldTake = Benchmark("cold-take-1000") { setting in
    let cold = try Cold(setting)
    let rows = cold.rows(setting.pick(smoke: 20, full: 1000))
    return {
      let repository = try cold.open(setting)
      let batch = try repository.version().table().take(rows: rows)
      return outcome(cold, batch.rowCount)
    }
  }

  /// What ten round trips take.
  static let coldTakeFloor = Benchmark("ten-round-trips") { setting in
    let cold = try Cold(setting)
    return {
      guard let pack = cold.remote.packs.first else { return outcome(cold, 0) }
      for _ in 0..<10 { _ = try cold.bucket.get(pack.key, range: 0..<100) }
      return outcome(cold, 10)
    }
  }
}

extension Setting {
  /// A file of more documents than other works need.
  fileprivate func manyDocuments() throws -> String {
    if let corpus { return corpus }
    let path = newPath(".jsonl")
    try File(path, .create).write(Documents.jsonl(pick(smoke: 300, full: 240_000)), at: 0)
    return path
  }
}
