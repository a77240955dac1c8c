package import DSVFormat
import DSVSystem

/// What a collection of garbage did.
package struct GarbageReport: Sendable, Equatable {
  package var deletedObjectCount = 0
  package var keptObjectCount = 0
  package var deletedPackCount = 0
  package var rewrittenPackCount = 0
  /// How much shorter the packs are together.
  package var freedByteCount = 0
  /// Packs that stayed as they are, as the disk had no room for a copy of what is live in them.
  package var unfitPackCount = 0
}

extension Store {
  /// Deletes objects that nobody needs, and gives their space back to the disk.
  ///
  /// Waits until no session and no lease is alive (new ones let it go first) and keeps new ones waiting until it is done. A crash at any point
  /// loses nothing that is live; the next collection goes on from there. A pack is rewritten only when
  /// enough of it is garbage; in the others dead objects stay readable.
  /// - Parameters:
  ///   - garbageShareMin: the share of a pack that must be garbage for it to be rewritten; 0 rewrites every
  ///     pack that has any.
  ///   - waitSeconds: how long sessions and leases are waited for.
  ///   - mark: called once nobody can publish any more; returns which objects are live.
  ///   - progress: called with the packs done and the packs to do.
  /// - Throws: `.busy` if a session or lease is still alive then; `.full` if nothing could be freed for want of room. Where the disk has
  ///   room for the copies of some packs only, the others stay, and that is said.
  @discardableResult
  package func collectGarbage(
    garbageShareMin: Double = 0.25, waitSeconds: Double = 60, progress: (Int, Int) -> Void = { _, _ in },
    mark: () throws(DSVError) -> (AnyID) -> Bool
  ) throws(DSVError) -> GarbageReport {
    try format.checkWritable(folder.format)
    let gcLock = try CollectionLock(folder, waitSeconds: waitSeconds)
    let writerLock = try beginWriting()
    defer { withExtendedLifetime((gcLock, writerLock)) {} }
    let isLive = try mark()
    try forgetBrokenOff(try index.state)
    // What needs no room to go goes first: what comes after it may need some.
    try TemporaryFile.sweep(folder.temporary)
    try FileSystem.removeTree(folder.damagedIndex)
    var collection = GarbageCollection(store: self, isLive: isLive)
    try collection.survey()
    try collection.deleteUnused()
    try collection.rewrite(garbageShareMin, progress)
    try sweepKeys()
    return collection.report
  }

  /// Makes the index anew from packs and reflog, which is made whole from the index first where it is damaged; what the index was
  /// is kept aside until the next gc.
  package func rebuildIndex() throws(DSVError) {
    let lock = try lockWriter()
    try keys?.refresh()
    defer { withExtendedLifetime(lock) {} }
    do throws(DSVError) { try ReflogRepair(reflog: reflogFile, index: index, note: note).run() } catch {
      guard error.code == .corrupt else { throw error }
      note("\(folder.reflog): nothing of it can be had from the index: \(error.message)")
    }
    try IndexRebuild(folder: folder, keys: keys, note: note).run()
    try refreshIndex()
  }
}
