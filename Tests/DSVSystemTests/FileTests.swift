import DSVFormat
import DSVSystem
import Testing

@Suite struct FileTests {
  let folder: String

  init() throws {
    folder = FileSystem.temporaryName(beside: "\(FileSystem.temporaryFolder)/dsv-system")
    try FileSystem.makeFolder(folder)
  }

  @Test("what is written at an offset is read back there, and the end of the file is told from damage")
  func roundTrip() throws {
    defer { try? FileSystem.removeTree(folder) }
    let file = try File("\(folder)/a", .create)
    try file.write([1, 2, 3], at: 4)
    try file.sync()
    #expect(try file.read(7, at: 0) == [0, 0, 0, 0, 1, 2, 3])
    #expect(try file.read(upTo: 100, at: 5) == [2, 3])
    #expect(try #require(throws: DSVError.self) { try file.read(8, at: 0) }.code == .corrupt)
    #expect(try #require(throws: DSVError.self) { try File("\(folder)/a", .create) }.code == .conflict)
    #expect(try #require(throws: DSVError.self) { try File("\(folder)/b", .read) }.code == .notFound)
    try file.truncate(to: 5)
    #expect(try File("\(folder)/a", .read).readNext(upTo: 100) == [0, 0, 0, 0, 1])
    #expect(try FileSystem.byteCount(under: folder) == 5)
  }

  @Test("two open files of one process exclude each other")
  func locks() throws {
    defer { try? FileSystem.removeTree(folder) }
    let first = try File("\(folder)/lock", .updateOrCreate)
    let second = try File("\(folder)/lock", .updateOrCreate)
    #expect(try first.tryLock(.shared))
    #expect(try second.tryLock(.shared))
    #expect(try !second.tryLock(.exclusive))
    try second.unlock()
    let error = #expect(throws: DSVError.self) {
      try second.lock(.exclusive, waitingUpTo: 0.01, for: "reading")
    }
    #expect(error?.code == .busy)
    try first.unlock()
    #expect(try second.tryLock(.exclusive))
  }

  @Test("a failed sync poisons the file; a failed replacement leaves the old content and no litter")
  func faults() throws {
    defer { try? FileSystem.removeTree(folder) }
    let path = "\(folder)/small"
    Faults.arm(under: folder, first: .max)
    try FileSystem.replace(path, with: [1])
    let stepCount = Faults.disarm(under: folder)
    #expect(stepCount == 5, "create, write, sync, rename, sync the folder")
    for step in 0..<stepCount {
      Faults.arm(under: folder, first: step, outcome: .diskFull)
      let error = #expect(throws: DSVError.self) { try FileSystem.replace(path, with: [2, UInt8(step)]) }
      Faults.disarm(under: folder)
      #expect(error?.code == .full)
      #expect(try FileSystem.read(path, limit: 9) == (step == 4 ? [2, 4] : [1]))
      #expect(try FileSystem.list(folder) == ["small"])
    }
    let file = try File(path, .update)
    Faults.arm(under: folder, first: 0)
    #expect(throws: DSVError.self) { try file.sync() }
    Faults.disarm(under: folder)
    #expect(throws: DSVError.self) { try file.write([1], at: 0) }
    #expect(throws: DSVError.self) { try file.sync() }
  }

  @Test("a tree of folders is made, listed and removed")
  func tree() throws {
    try FileSystem.makeFolder("\(folder)/b")
    try FileSystem.replace("\(folder)/b/x", with: [1, 2])
    try FileSystem.replace("\(folder)/a", with: [1])
    #expect(try FileSystem.list(folder) == ["a", "b"])
    #expect(try FileSystem.byteCount(under: folder) == 3)
    #expect(try FileSystem.status("\(folder)/b")?.isFolder == true)
    #expect(try FileSystem.status("\(folder)/c") == nil)
    try FileSystem.refuseNetwork(folder)
    try FileSystem.removeTree(folder)
    #expect(try !FileSystem.exists(folder))
  }
}
