package import DSVFormat
import DSVSystem

extension Store {
  /// Whether packs, refs and the reflog are still to be written again: a re-encryption was begun and not ended.
  package var isReencrypting: Bool {
    get throws(DSVError) {
      guard keys != nil else { return false }
      return try FileSystem.exists(folder.reencryption)
    }
  }

  /// Writes everything again under new keys and destroys the old ones: what can be opened by copies of older keyrings is then
  /// gone from this folder.
  ///
  /// Waits for sessions and leases to end, as gc does. What was broken off goes on where it was. Objects that no ref leads to are kept
  /// until gc. Names of objects and cuts stay what they are.
  /// - Parameter progress: called with the packs done and the packs to do.
  /// - Throws: `.busy` if a session or lease is still alive after `waitSeconds`.
  package func reencrypt(
    waitSeconds: Double = 60, progress: (Int, Int) -> Void = { _, _ in }
  ) throws(DSVError) {
    try format.checkWritable(folder.format)
    guard let keys else { throw DSVError(.badInput, "\(root): this repository is not encrypted") }
    let gcLock = try CollectionLock(folder, waitSeconds: waitSeconds)
    let writerLock = try beginWriting()
    defer { withExtendedLifetime((gcLock, writerLock)) {} }
    try forgetBrokenOff(try index.state)
    let last = try reencryptionEnd()
    try endOpenPack()
    var collection = GarbageCollection(store: self, isLive: { _ in true })
    try collection.survey()
    try collection.deleteUnused()
    try collection.rewrite(upTo: last, progress)
    try resealReflog(keys)
    try resealIndex()
    try resealTierSettings()
    try resealRemoteScopes()
    try sweepKeys()
    // The logs of remotes stay under the keys that they were written with, which the keyring keeps: a remote that was taken away may
    // come back. What is known of them here is fetched anew.
    for remote in try RemoteFolders.all(in: root) { try FileSystem.removeTree("\(remote)/catalogue") }
    try TemporaryFile.sweep(folder.temporary)
    try FileSystem.remove(folder.reencryption)
    try FileSystem.syncFolder(folder.root)
  }

  /// What stands in `reencryption` until the re-encryption that is meant has begun.
  private static let intention = "meant\n"

  /// Remembers, durably, that everything is to be written again. Comes before the keyring of an exchange that this ends: killed right
  /// after that, the second half would be forgotten.
  func meanReencryption() throws(DSVError) {
    try FileSystem.replace(folder.reencryption, with: Array(Self.intention.utf8))
  }

  /// The last pack that a re-encryption which was begun is to write again; `nil` if none was begun.
  package var hasBegunReencryption: Bool { get throws(DSVError) { try begunReencryption != nil } }

  private var begunReencryption: UInt32? {
    get throws(DSVError) {
      guard try isReencrypting else { return nil }
      let text = String(decoding: try FileSystem.read(folder.reencryption, limit: 64), as: UTF8.self)
      // What is damaged is begun again.
      return text.last == "\n" ? UInt32(text.dropLast()) : nil
    }
  }

  /// The last pack that is to be written again: that of a re-encryption which was broken off, or the last there is now,
  /// which is then remembered.
  private func reencryptionEnd() throws(DSVError) -> UInt32 {
    if let last = try begunReencryption { return last }
    // A new epoch, so that refs and reflog get a key that no copy of this keyring has.
    try keys?.change { (keyring) throws(DSVError) in keyring.beginEpoch() }
    return try markReencryption()
  }

  /// Sees to it that a re-encryption which was broken off writes again all packs there are now.
  func extendReencryption() throws(DSVError) {
    // One that is only meant begins with a new epoch, and with all packs of then.
    if try begunReencryption != nil { _ = try markReencryption() }
  }

  /// Remembers that all packs there are now are to be written again; returns the last one's number.
  private func markReencryption() throws(DSVError) -> UInt32 {
    let last = max(try index.state.lastPack, try folder.packNumbers().last ?? 0)
    try FileSystem.replace(folder.reencryption, with: Array("\(last)\n".utf8))
    return last
  }

  /// Seals the reflog's records again. Each is as long as before, and so is where the next one lies.
  private func resealReflog(_ keys: StoreKeys) throws(DSVError) {
    let file = try File(folder.reflog, .read)
    var bytes = try file.read(upTo: try file.byteCount(), at: 0)
    for (record, range) in try reflogFile.read().located {
      let new = ReflogRecord.bytes(body: keys.sealLog(record.body, at: range.lowerBound))
      precondition(new.count == range.count)
      bytes.replaceSubrange(range, with: new)
    }
    try FileSystem.replace(folder.reflog, with: bytes)
  }

  /// Makes the index anew from itself: its refs are sealed again, and nothing is left in pages that are free.
  private func resealIndex() throws(DSVError) {
    var change = IndexChange()
    try forEachObject { (id, place) throws(DSVError) in change.placed.append((id, place)) }
    change.refs = try index.refs(prefix: "").map { ($0.0, $0.1) }
    change.state = try index.state
    for number in stride(from: 1, through: change.state.lastVersion, by: 1) {
      guard let commit = try index.commit(number: number) else { continue }
      change.numbered.append(ReflogRecord.Numbered(number: number, commit: commit))
    }
    try IndexRebuild(folder: folder, keys: keys, note: note).putInPlace(change)
    try refreshIndex()
    try FileSystem.removeTree(folder.damagedIndex)
  }
}
