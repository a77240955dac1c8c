package import DSVFormat
package import DSVStore
import DSVSystem

/// The log of a remote: numbered entries, each created once. It says which packs and refs there are.
package struct RemoteLog: Sendable {
  /// What was read at once: a state to begin with, or entries that follow on what came before.
  package struct Update: Sendable {
    package var checkpoint: Checkpoint?
    package var entries: [RemoteEntry] = []
    /// Of the last of the entries, or of the checkpoint.
    package var position: LogPosition
  }

  /// How many entries are asked for at once.
  private static let width = 16
  /// So many bytes of entries are read at once, as they are stored, unless one has more: some 100 MB of memory.
  package static let groupByteCountMax = 32 << 20

  package let bucket: any Bucket
  package let sealer: RemoteKeys?
  private let groupByteCountMax: Int

  package init(
    _ bucket: any Bucket, _ sealer: RemoteKeys? = nil, groupByteCountMax: Int = groupByteCountMax
  ) {
    (self.bucket, self.sealer, self.groupByteCountMax) = (bucket, sealer, groupByteCountMax)
  }

  // MARK: - Format

  /// Which features a reader of the remote must know; `nil` if there is no repository yet.
  ///
  /// - Throws: `.unsupportedFormat`.
  package func format() throws(DSVError) -> Set<String>? {
    let subject = "\(bucket.name)/\(RemoteLayout.format)"
    guard let bytes = try bucket.get(RemoteLayout.format, limit: RemoteLayout.formatByteCountMax) else {
      return nil
    }
    guard let text = String(validating: bytes, as: UTF8.self), text.hasSuffix("\n") else {
      throw DSVError(.corrupt, "\(subject): it is no text that ends with a line")
    }
    let lines = text.split(separator: "\n")
    guard lines.count >= 2, lines[0].hasPrefix("dsv "), lines[1].hasPrefix("remote ") else {
      throw DSVError(.corrupt, "\(subject): it is not what a dsv remote begins with")
    }
    guard lines[0] == "dsv 1", lines[1] == "remote 1" else {
      throw DSVError(.unsupportedFormat, "\(subject): this remote needs a newer dsv")
    }
    var features: Set<String> = []
    for line in lines[2...] {
      let words = line.split(separator: " ")
      guard words.count == 2, words[0] == "reader-required" || words[0] == "writer-required" else {
        throw DSVError(.corrupt, "\(subject): a line of \(line.utf8.count) bytes is no feature")
      }
      guard words[1] == "encryption" else {
        throw DSVError(
          .unsupportedFormat, "\(subject): one must know the feature `\(words[1])`; use a newer dsv")
      }
      features.insert(String(words[1]))
    }
    return features
  }

  /// Makes an empty remote, unless there is one.
  package func make() throws(DSVError) {
    let text = sealer == nil ? RemoteLayout.formatText : RemoteLayout.encryptedFormatText
    _ = try bucket.create(RemoteLayout.format, Array(text.utf8))
  }

  // MARK: - Reading on

  /// Reads what was added behind `known`, whose entry must still be what it was: a group of entries at a time, and from the
  /// beginning the newest checkpoint before them.
  ///
  /// Memory: a checkpoint or a group, of 32 MiB as stored or of one entry, whatever is to be read.
  /// - Parameters:
  ///   - seen: how far anybody here ever read: a log that ends before it, or has another entry there, was rolled back.
  ///   - body: called with what was read, whose entries follow on each other.
  /// - Returns: how far the log goes.
  /// - Throws: `.corrupt` where the log was rolled back or rewritten, or an entry is damaged.
  package func read(
    after known: LogPosition, seen: LogPosition, _ body: (Update) throws(DSVError) -> Void
  ) throws(DSVError) -> LogPosition {
    var position = known
    // What a checkpoint leaves out was seen one by one by whoever was here before.
    if seen.number > 0 { try check(seen) }
    if known.number == 0, let checkpoint = try lastCheckpoint() {
      position = checkpoint.position
      if position != seen { try check(position) }
      try body(Update(checkpoint: checkpoint, position: position))
    } else if known.number > 0, known != seen {
      try check(known)
    }
    var after = position.number > 0 ? RemoteLayout.entry(position.number) : nil
    while true {
      let found = try bucket.list(prefix: RemoteLayout.entryPrefix, after: after, limit: 1000)
      var rest = try entries(found, after: position.number)[...]
      while !rest.isEmpty {
        var byteCount = 0
        let group = rest.prefix { entry in
          byteCount += entry.byteCount
          return byteCount <= groupByteCountMax || byteCount == entry.byteCount
        }
        rest = rest.dropFirst(group.count)
        let update = try read(Array(group), after: position, seen: seen)
        position = update.position
        try body(update)
      }
      guard found.count == 1000, let last = found.last?.key else { break }
      after = last
    }
    guard position.number >= seen.number else { throw rolledBack(seen, "it ends at \(position.number)") }
    return position
  }

  /// Entries whose numbers follow on each other.
  private func read(
    _ group: [ListedEntry], after known: LogPosition, seen: LogPosition
  ) throws(DSVError) -> Update {
    var update = Update(position: known)
    for (entry, digest) in try Parallel.map(
      group.count, width: Self.width, { (index) throws(DSVError) in try opened(group[index]) })
    {
      guard entry.previous == update.position.digest else {
        throw DSVError(
          .corrupt, "\(name(entry.number)): it does not follow on the entry before it: the log was rewritten")
      }
      if entry.number == seen.number, digest != seen.digest { throw rolledBack(seen, "it is another") }
      update.entries.append(entry)
      update.position = LogPosition(number: entry.number, digest: digest)
    }
    return update
  }

  /// Makes sure that an entry which was read before is what it was. That needs no key.
  private func check(_ position: LogPosition) throws(DSVError) {
    guard
      let stored = try bucket.get(
        RemoteLayout.entry(position.number), limit: RemoteLayout.entryByteCountMax)
    else { throw rolledBack(position, "it is gone") }
    guard RemoteEntry.digest(of: stored) == position.digest else {
      throw rolledBack(position, "it is another")
    }
  }

  private func rolledBack(_ seen: LogPosition, _ what: String) -> DSVError {
    DSVError(
      .corrupt,
      "\(bucket.name): its log was rolled back or rewritten: entry \(seen.number) was read here before, and now \(what)"
    )
  }

  private var unordered: DSVError {
    DSVError(.corrupt, "\(bucket.name): a list of its keys is not in order")
  }

  private func name(_ number: Int) -> String { "\(bucket.name)/\(RemoteLayout.entry(number))" }

  private struct ListedEntry {
    let number: Int
    let byteCount: Int
  }

  /// What a list has of entries, which must follow on entry number `last`, and be no longer than they may.
  private func entries(_ found: [BucketEntry], after last: Int) throws(DSVError) -> [ListedEntry] {
    var entries: [ListedEntry] = []
    for entry in found {
      // Left out, it might have been the last: the log would seem to end before it.
      guard let number = RemoteLayout.number(ofKey: entry.key, behind: "log/") else {
        throw DSVError(.corrupt, "\(bucket.name): a list of its log has '\(entry.key)', which is no entry")
      }
      let last = last + entries.count
      if number <= last { throw unordered }
      guard number == last + 1 else {
        throw DSVError(.corrupt, "\(bucket.name): its log lacks entries between \(last) and \(number)")
      }
      guard entry.byteCount <= RemoteLayout.entryByteCountMax else {
        throw DSVError(.corrupt, "\(name(number)): it has \(entry.byteCount) bytes, more than an entry may")
      }
      entries.append(ListedEntry(number: number, byteCount: entry.byteCount))
    }
    return entries
  }

  /// An entry, and its digest.
  private func opened(_ listed: ListedEntry) throws(DSVError) -> (entry: RemoteEntry, digest: LogDigest) {
    let key = RemoteLayout.entry(listed.number)
    guard let stored = try bucket.get(key, limit: listed.byteCount) else {
      throw DSVError(.corrupt, "\(name(listed.number)): it is gone")
    }
    let entry = try withOpened(stored, key: key) { (plain) throws(DSVError) in
      try RemoteEntry(plain, of: name(listed.number))
    }
    guard entry.number == listed.number else {
      throw DSVError(.corrupt, "\(name(listed.number)): it is entry \(entry.number)")
    }
    return (entry, RemoteEntry.digest(of: stored))
  }

  /// Opens what may hold keys of packs.
  private func withOpened<Value>(
    _ stored: [UInt8], key: String, _ body: (UnsafeRawBufferPointer) throws(DSVError) -> Value
  ) throws(DSVError) -> Value {
    guard let sealer else { return try stored.withBytes(body) }
    return try sealer.open(stored, key: key).withBytes(body)
  }

  private func seal(_ plain: SecretBytes, key: String) -> [UInt8] {
    guard let sealer else { return plain.withBytes { [UInt8]($0) } }
    return sealer.seal(plain, key: key)
  }

  /// The newest checkpoint that can be read: it is only a shorter way, so damage does not matter.
  private func lastCheckpoint() throws(DSVError) -> Checkpoint? {
    var newest: [BucketEntry] = []
    var after: String?
    while true {
      let found = try bucket.list(prefix: RemoteLayout.checkpointPrefix, after: after, limit: 1000)
      newest = (newest + found.filter { $0.byteCount <= RemoteLayout.checkpointByteCountMax }).suffix(3)
      guard found.count == 1000, let last = found.last?.key else { break }
      after = last
    }
    for (key, byteCount) in newest.reversed().map({ ($0.key, $0.byteCount) }) {
      do throws(DSVError) {
        guard let stored = try bucket.get(key, limit: byteCount) else { continue }
        let checkpoint = try withOpened(stored, key: key) { (plain) throws(DSVError) in
          try Checkpoint(plain, of: "\(bucket.name)/\(key)")
        }
        if RemoteLayout.checkpoint(checkpoint.position.number) == key { return checkpoint }
      } catch {
        guard error.code == .corrupt || error.code == .unsupportedFormat else { throw error }
      }
    }
    return nil
  }

  // MARK: - Adding

  /// An entry as it is to be stored: sealed with the key that is current now.
  package func stored(_ entry: RemoteEntry) throws(DSVError) -> [UInt8] {
    let stored = seal(entry.secretBytes, key: RemoteLayout.entry(entry.number))
    guard stored.count <= RemoteLayout.entryByteCountMax else {
      throw DSVError(
        .full, "so many versions and packs are too many for one push; push fewer branches at once")
    }
    return stored
  }

  /// Adds an entry, whose number is the next, and which is this one's own by its nonce.
  ///
  /// - Returns: the entry's digest; `nil` if somebody else came first.
  package func create(_ entry: RemoteEntry) throws(DSVError) -> LogDigest? {
    try create(entry.number, try stored(entry))
  }

  /// The same, of an entry as it is stored.
  package func create(_ number: Int, _ stored: [UInt8]) throws(DSVError) -> LogDigest? {
    let key = RemoteLayout.entry(number)
    do throws(DSVError) {
      if try bucket.create(key, stored) { return RemoteEntry.digest(of: stored) }
    } catch {
      // It may have been done all the same. If that cannot be found out, the next to read on will see.
      guard let found = try bucket.get(key, limit: RemoteLayout.entryByteCountMax) else { throw error }
      return found == stored ? RemoteEntry.digest(of: stored) : nil
    }
    return nil
  }

  /// Puts down the state after an entry; nothing where it is longer than a checkpoint may be, for the log says it too.
  package func put(_ checkpoint: Checkpoint) throws(DSVError) {
    let key = RemoteLayout.checkpoint(checkpoint.position.number)
    let stored = seal(checkpoint.secretBytes, key: key)
    if stored.count <= RemoteLayout.checkpointByteCountMax { try bucket.put(key, stored) }
  }
}
