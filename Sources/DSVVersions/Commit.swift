public import DSVFormat

/// A step of a transform, as a commit remembers it.
public struct StageRecord: Hashable, Sendable {
  public let name: String
  /// Changes whenever the stage's results could.
  public let revision: Int
  /// What the stage ran with, as compact JSON.
  public let parameters: String

  public init(name: String, revision: Int, parameters: String) {
    (self.name, self.revision, self.parameters) = (name, revision, parameters)
  }
}

/// Where a version came from, if a transform wrote it.
public struct Lineage: Hashable, Sendable {
  public let input: CommitID
  public let stages: [StageRecord]
  /// The recipe file's text, if the stages came from one.
  public let recipe: String

  public init(input: CommitID, stages: [StageRecord], recipe: String = "") {
    (self.input, self.stages, self.recipe) = (input, stages, recipe)
  }
}

/// A version: a snapshot, what came before it, and who made it when and why.
///
/// Normative text: `format-spec/commit.md`.
public struct Commit: Hashable, Sendable {
  public let root: SnapshotID
  public let parents: [CommitID]
  /// Live rows of all tables, so that a log need not read snapshots.
  public let rowCount: Int
  /// Microseconds since 1970-01-01 00:00 UTC.
  public let time: Int64
  public let author: String
  public let message: String
  public let lineage: Lineage?

  package init(
    root: SnapshotID, parents: [CommitID], rowCount: Int, time: Int64, author: String, message: String,
    lineage: Lineage? = nil
  ) {
    self.root = root
    self.parents = parents
    self.rowCount = rowCount
    self.time = time
    self.author = author
    self.message = message
    self.lineage = lineage
  }

  package var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.write(ObjectKind.revision)
    writer.write(root)
    writer.writeVarint(parents.count)
    for parent in parents { writer.write(parent) }
    writer.writeVarint(rowCount)
    writer.write(time)
    writer.write(author)
    writer.write(message)
    writer.write(UInt8(lineage == nil ? 0 : 1))
    guard let lineage else { return writer.bytes }
    writer.write(lineage.input)
    writer.writeVarint(lineage.stages.count)
    for stage in lineage.stages {
      writer.write(stage.name)
      writer.writeVarint(stage.revision)
      writer.write(stage.parameters)
    }
    writer.write(lineage.recipe)
    return writer.bytes
  }

  package func id(_ naming: ObjectNaming) -> CommitID {
    bytes.withUnsafeBytes { naming.id(kind: .commit, $0) }
  }

  package init(_ bytes: UnsafeRawBufferPointer, of subject: String) throws(DSVError) {
    var reader = ByteReader(bytes, of: subject)
    try reader.readRevision()
    root = try reader.readID()
    var parents: [CommitID] = []
    for _ in 0..<(try reader.readCount(unitByteCount: 32)) { parents.append(try reader.readID()) }
    guard Set(parents).count == parents.count else { throw reader.corrupt("a parent named twice") }
    self.parents = parents
    rowCount = try reader.readVarint()
    time = try reader.read(Int64.self)
    author = try reader.readString()
    message = try reader.readString()
    switch try reader.read(UInt8.self) {
    case 0: lineage = nil
    case 1:
      let input: CommitID = try reader.readID()
      var stages: [StageRecord] = []
      for _ in 0..<(try reader.readCount(unitByteCount: 3)) {
        stages.append(
          StageRecord(
            name: try reader.readString(), revision: try reader.readVarint(),
            parameters: try reader.readString()))
      }
      lineage = Lineage(input: input, stages: stages, recipe: try reader.readString())
    case let other: throw reader.unsupported("a lineage of kind \(other)")
    }
    try reader.finish()
  }
}
