import DSVColumns
import DSVFormat
import DSVRemote
import DSVStore
import DSVSystem
import DSVVersions
import Synchronization

extension Repository {
  /// Brings to the disk what this repository's own versions need and a remote has given up, before a clean-up there deletes it. The
  /// disk's budget does not count: nothing else holds these objects for sure.
  ///
  /// What cannot be brought is told by the options' `note`, with what to do.
  /// - Parameter isBeforeDeletion: whether something is to be deleted there: then it is looked for all that own versions need, also
  ///   where nothing is known to have been given up, as by a catalogue that was read anew.
  /// - Returns: `false` if something could not be brought, or is known to be nowhere: nothing that was given up may be deleted from
  ///   here then.
  /// - Throws: `interrupted`.
  @discardableResult
  func bringBack(
    _ remote: OpenRemote, isBeforeDeletion: Bool = false, _ progress: @escaping ProgressHandler
  ) throws(DSVError) -> Bool {
    do throws(DSVError) {
      guard try leavesToRemotes else { return true }
      if !isBeforeDeletion {
        let hasGivenUp = try remote.catalogue.hasGivenUp { (id) throws(DSVError) in try !store.contains(id) }
        if !hasGivenUp { return true }
      }
      let lease = try store.lease()
      defer { withExtendedLifetime(lease) {} }
      var way = ReturnOfObjects(self, remote, progress)
      try way.run()
      return way.failure == nil && way.unknownCount == 0
    } catch {
      guard error.code != .interrupted else { throw error }
      options.note(
        "what remote '\(remote.name)' has given up could not be looked for here: \(error.message); 'dsv fetch \(remote.name)' tries again"
      )
      return false
    }
  }
}

/// One try to bring back what a remote has given up.
private struct ReturnOfObjects {
  /// So many objects are fetched and then written.
  private static let windowCount = 512

  private let repository: Repository
  private let remote: OpenRemote
  private let progress: ProgressHandler
  private var count = 0
  private var failed: Set<AnyID> = []
  /// What kept the first of `failed` from being brought.
  private(set) var failure: DSVError?
  /// How many objects neither this disk nor any remote is known to have.
  private(set) var unknownCount = 0
  /// The other remotes, as far as they could be looked at just now: what one had when it was last read may be gone.
  private var others: [RemoteTier] = []
  /// A version that needs something of `failed`.
  private var name = ""

  init(_ repository: Repository, _ remote: OpenRemote, _ progress: @escaping ProgressHandler) {
    (self.repository, self.remote, self.progress) = (repository, remote, progress)
  }

  private var store: Store { repository.store }

  mutating func run() throws(DSVError) {
    for tier in repository.remoteTiers where tier.name != remote.name {
      // One that cannot be looked at holds nothing for sure.
      do throws(DSVError) {
        try tier.places.refresh()
        others.append(tier)
      } catch { if error.code == .interrupted { throw error } }
    }
    // What is brought may lead to more.
    while true {
      let found = try givenUp().filter { !failed.contains($0.id) }
      if found.isEmpty { break }
      for start in stride(from: 0, to: found.count, by: Self.windowCount) {
        try bring(Array(found[start...].prefix(Self.windowCount)))
      }
    }
    if count > 0 {
      repository.options.note(
        "\(remote.name) has given up \(count) objects that versions here need: brought back to the disk")
    }
    if unknownCount > 0 {
      repository.options.note(
        "\(unknownCount) objects that versions here need are neither here nor known to be on a remote: '\(remote.name)' deletes nothing "
          + "that it has given up as long as that is so; 'dsv fsck' names them")
    }
    guard let failure else { return }
    repository.options.note(
      "\(remote.name) has given up objects that versions here need, and \(failed.count) could not be brought back to the disk "
        + "(\(failure.message)): a clean-up there will delete them. 'dsv tier promote \(name)' tries again; or push it again from a "
        + "repository that has it")
  }

  /// What own versions need and neither this disk nor a remote has for sure, as far as what is here leads to it; and a version that does.
  private mutating func givenUp() throws(DSVError) -> [(id: AnyID, name: String)] {
    let (others, catalogue) = (others, remote.catalogue)
    let found = Mutex<[AnyID]>([])
    let unknown = Mutex<Set<AnyID>>([])
    var walk = Reachability(
      repository.versionsHere,
      isElsewhere: { (id) throws(DSVError) in
        if try catalogue.contains(id) { return true }
        for tier in others {
          if let place = try tier.places.place(of: id), place.pack.condemnedTime == nil { return true }
        }
        if try catalogue.formerPlace(of: id) != nil {
          found.withLock { $0.append(id) }
        } else {
          _ = unknown.withLock { $0.insert(id) }
        }
        return true
      },
      // What is damaged here is not a matter of remotes.
      onMissing: { _, _ in })
    var all: [(id: AnyID, name: String)] = []
    for tip in try OwnVersions(store).tips {
      try walk.add(tip.commit)
      all += found.withLock { found in
        defer { found = [] }
        return found.map { ($0, tip.name) }
      }
    }
    unknownCount = unknown.withLock { $0.count }
    return all
  }

  private mutating func bring(_ wanted: [(id: AnyID, name: String)]) throws(DSVError) {
    store.prefetch(wanted.map(\.id))
    var objects: [(id: AnyID, object: StoredObject)] = []
    for (id, name) in wanted {
      do throws(DSVError) { objects.append((id, try store.read(id))) } catch {
        guard error.code != .interrupted else { throw error }
        fails(id, name, error)
      }
    }
    // That writes what the budget has room for; the rest is written all the same.
    (store.source as? RemoteSource)?.close()
    do throws(DSVError) {
      let session = try store.session()
      for (id, object) in objects where try !session.contains(id) {
        try session.putMissing(id, try repository.reader.whole(id, object))
      }
      try session.publish { (_) throws(DSVError) in }
    } catch {
      guard error.code != .interrupted else { throw error }
      for (id, name) in wanted where try !store.contains(id) { fails(id, name, error) }
    }
    count += wanted.count { !failed.contains($0.id) }
    try progress(
      Progress(phase: "bringing back from \(remote.name)", done: count, total: nil, unit: .objects))
  }

  private mutating func fails(_ id: AnyID, _ name: String, _ error: DSVError) {
    failed.insert(id)
    if failure == nil { (failure, self.name) = (error, name) }
  }
}
