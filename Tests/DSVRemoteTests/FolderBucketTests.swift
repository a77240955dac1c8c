import DSVFormat
import DSVRemote
import DSVSystem
import DSVTesting
import Foundation
import Testing

@Suite struct FolderBucketTests {
  @Test("a folder keeps a bucket's promises, and leaves no temporary file")
  func promises() throws {
    let folder = try TemporaryFolder()
    let bucket = try FolderBucket(folder.path)
    #expect(try checkBucket(bucket) == [])
    #expect(try FileSystem.list("\(folder.path)/.tmp").isEmpty)
    #expect(bucket.name == "file://\(folder.path)")
  }

  @Test("a folder that is not there is told, before and while it is used")
  func missing() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/bucket"
    #expect(try #require(throws: DSVError.self) { try FolderBucket(path) }.code == .notFound)
    let bucket = try FolderBucket(path, isMade: true)
    try bucket.put("log/1", [1])
    try FileSystem.removeTree(path)
    #expect(try #require(throws: DSVError.self) { try bucket.get("log/1", limit: 1) }.code == .io)
    #expect(try #require(throws: DSVError.self) { try bucket.put("log/1", [1]) }.code == .io)
    let listed = #expect(throws: DSVError.self) { try bucket.list(prefix: "", after: nil, limit: 1) }
    #expect(listed?.code == .io)
  }

  @Test("whatever step fails, a value is the old or the new one, and a creation never tells a lie")
  func faults() throws {
    let folder = try TemporaryFolder()
    let bucket = try FolderBucket(folder.path)
    func steps(_ body: () throws -> Void) -> Int {
      Faults.arm(under: folder.path, first: .max)
      defer { Faults.disarm(under: folder.path) }
      try? body()
      return Faults.disarm(under: folder.path)
    }
    try bucket.put("p/a", [1])
    let putSteps = steps { try bucket.put("p/a", [1]) }
    #expect(putSteps == 6, "create, write, sync, rename, remove, sync the folder")
    for step in 0..<putSteps {
      Faults.arm(under: folder.path, first: step)
      #expect(throws: DSVError.self) { try bucket.put("p/a", [2, UInt8(step)]) }
      Faults.disarm(under: folder.path)
      let value = try #require(try bucket.get("p/a", limit: 9))
      #expect(value == (step < 4 ? [1] : [2, UInt8(step)]), "step \(step)")
    }
    let createSteps = steps { _ = try bucket.create("c/0/a", [1]) }
    #expect(createSteps == 10, "as a put, and two folders made and synced")
    for step in 0..<createSteps {
      let key = "c/\(step + 1)/b\(step)/a"
      Faults.arm(under: folder.path, first: step)
      #expect(throws: DSVError.self) { try bucket.create(key, [UInt8(step)]) }
      Faults.disarm(under: folder.path)
      let value = try bucket.get(key, limit: 9)
      #expect(value == nil || value == [UInt8(step)], "step \(step)")
      #expect(try bucket.create(key, [99]) == (value == nil), "step \(step)")
    }
  }

  @Test("what dead writers left is taken away after a day, and is never listed")
  func leftovers() throws {
    let folder = try TemporaryFolder()
    let bucket = try FolderBucket(folder.path)
    try bucket.put("a", [1])
    let name = String(repeating: "0123456789abcdef", count: 2)
    try folder.write(".tmp/\(name)", "half")
    try folder.write("not a key", "x")
    #expect(try bucket.list(prefix: "", after: nil, limit: 9) == [BucketEntry("a", byteCount: 1)])
    let later = Clock.nanosecondsSince1970() + 90_000 * 1_000_000_000
    #expect(bucket.removeLeftovers() == 0)
    // What no writer makes is left alone.
    try FileSystem.makeFolder("\(folder.path)/elsewhere")
    for other in [".tmp/\(name.dropLast())g", ".tmp/\(name)0", "elsewhere/\(name)"] {
      try folder.write(other, "mine")
    }
    try FileSystem.makeFolder("\(folder.path)/.tmp/\(String(name.reversed()))")
    #expect(symlink("\(folder.path)/elsewhere/\(name)", "\(folder.path)/.tmp/\(name.prefix(31))e") == 0)
    #expect(bucket.removeLeftovers(now: later) == 1)
    #expect(try FileSystem.list("\(folder.path)/.tmp").count == 4)
  }

  @Test("a clean-up goes behind no link")
  func linkedLeftovers() throws {
    let folder = try TemporaryFolder()
    let name = String(repeating: "0123456789abcdef", count: 2)
    try FileSystem.makeFolder("\(folder.path)/elsewhere")
    try folder.write("elsewhere/\(name)", "mine")
    let bucket = try FolderBucket("\(folder.path)/remote", isMade: true)
    #expect(symlink("\(folder.path)/elsewhere", "\(folder.path)/remote/.tmp") == 0)
    #expect(bucket.removeLeftovers(now: Clock.nanosecondsSince1970() + 90_000 * 1_000_000_000) == 0)
    #expect(try FileSystem.list("\(folder.path)/elsewhere") == [name])
  }

  @Test("of processes that create one key at once, one succeeds")
  func processes() async throws {
    let folder = try TemporaryFolder()
    await withTaskGroup(of: Void.self) { group in
      for process in 0..<4 {
        let path = folder.path
        group.addTask {
          await #expect(processExitsWith: .success) { [path = path as String, process = process as Int] in
            let bucket = try FolderBucket(path)
            for round in 0..<50 where try bucket.create("race/\(round)", [UInt8(process)]) {
              try bucket.put("won/\(round)-\(process)", [])
            }
          }
        }
      }
    }
    let bucket = try FolderBucket(folder.path)
    let won = try bucket.list(prefix: "won/", after: nil, limit: 1000)
    #expect(won.count == 50)
    for round in 0..<50 {
      let winner = try #require(try bucket.get("race/\(round)", limit: 1)).first
      #expect(won.contains { $0.key == "won/\(round)-\(winner ?? 99)" })
    }
  }
}
