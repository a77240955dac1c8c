package import DSVFormat
package import DSVStore
import DSVSystem

/// A pack that was put and that the log does not name yet.
package struct UploadedPack: Sendable {
  package let index: PackIndex
  /// What opens it, as the log will carry it; `nil` in a plain remote.
  package let key: SecretBytes?
  /// What objects of the pack build on.
  package let bases: [AnyID: AnyID]

  package init(_ index: PackIndex, key: SecretBytes?, bases: [AnyID: AnyID]) {
    (self.index, self.key, self.bases) = (index, key, bases)
  }

  package var logged: LoggedPack { LoggedPack(index.packID, byteCount: index.packByteCount, key: key) }
}

/// Remembers the packs that were put, until the log names them: a push that was broken off does not put them again.
///
/// One small file a pack in `.dsv/remotes/NAME/push`. Losing them costs putting again.
package struct PushJournal: Sendable {
  /// "dsvJ"
  private static let magic: UInt32 = 0x4A76_7364
  private static let revision: UInt16 = 1

  private let folder: String
  private let sealer: RemoteKeys?

  package init(_ remote: String, _ sealer: RemoteKeys?) {
    (folder, self.sealer) = ("\(remote)/push", sealer)
  }

  private func path(_ id: PackID) -> String { "\(folder)/\(id)" }

  package func add(_ pack: UploadedPack) throws(DSVError) {
    var writer = ByteWriter()
    writer.writeHeader(Self.magic, Self.revision)
    let index = pack.index.bytes
    writer.writeVarint(index.count)
    writer.write(bytes: index)
    let key = pack.key.flatMap { sealer?.wrap($0, of: pack.index.packID) } ?? []
    writer.writeVarint(key.count)
    writer.write(bytes: key)
    writer.writeList(pack.bases.sorted { $0.key < $1.key }) { writer, base in
      writer.write(base.key)
      writer.write(base.value)
    }
    try FileSystem.makeFolderIfMissing(folder)
    try FileSystem.replace(path(pack.index.packID), with: writer.sealed, isDurable: false)
  }

  package func remove(_ ids: [PackID]) throws(DSVError) {
    for id in ids { try FileSystem.remove(path(id)) }
  }

  /// Forgets packs that were put at `time` or before, in seconds since 1970: who has not come again until then does not.
  package func forget(before time: Int) throws(DSVError) {
    guard try FileSystem.exists(folder) else { return }
    for name in try FileSystem.list(folder) {
      guard let status = try FileSystem.status("\(folder)/\(name)") else { continue }
      if status.modified / 1_000_000_000 <= time { try FileSystem.remove("\(folder)/\(name)") }
    }
  }

  /// What is remembered; files that are damaged are removed.
  package func packs() throws(DSVError) -> [UploadedPack] {
    guard try FileSystem.exists(folder) else { return [] }
    var packs: [UploadedPack] = []
    for name in try FileSystem.list(folder) {
      do throws(DSVError) {
        let bytes = try FileSystem.read("\(folder)/\(name)", limit: RemoteLayout.indexByteCountMax * 2)
        packs.append(try pack(bytes, name))
      } catch {
        guard error.code != .io else { throw error }
        try FileSystem.remove("\(folder)/\(name)")
      }
    }
    return packs
  }

  private func pack(_ bytes: [UInt8], _ name: String) throws(DSVError) -> UploadedPack {
    try withChecked(bytes, of: name) { (reader) throws(DSVError) in
      try reader.readHeader(Self.magic, Self.revision)
      let index = try PackIndex(
        [UInt8](try reader.readBytes(try reader.readCount(unitByteCount: 1))), of: name)
      let wrapped = [UInt8](try reader.readBytes(try reader.readCount(unitByteCount: 1)))
      let key = try wrapped.isEmpty ? nil : sealer?.unwrap(wrapped, of: index.packID)
      var bases: [AnyID: AnyID] = [:]
      for _ in 0..<(try reader.readCount(unitByteCount: 64)) {
        let id: AnyID = try reader.readID()
        bases[id] = try reader.readID()
      }
      return UploadedPack(index, key: key, bases: bases)
    }
  }
}
