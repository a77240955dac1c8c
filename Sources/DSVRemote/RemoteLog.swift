package import DSVFormat
package import DSVStore
import DSVSystem

/// The log of a remote: numbered entries, each created once. It says which packs and refs there are.
package struct RemoteLog: Sendable {
  /// What reading on found.
  package struct Update: Sendable {
    /// The state to begin with; `nil` where the entries follow on what was known.
    package var checkpoint: Checkpoint?
    package var entries: [RemoteEntry] = []
    /// Of the last entry there is.
    package var position: LogPosition
  }

  /// How many entries are asked for at once.
  private static let width = 16

  package let bucket: any Bucket
  package let sealer: RemoteKeys?

  package init(_ bucket: any Bucket, _ sealer: RemoteKeys? = nil) {
    (self.bucket, self.sealer) = (bucket, sealer)
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

  /// Reads what was added behind `known`, whose entry must still be what it was.
  ///
  /// - Parameter seen: how far anybody here ever read: a log that ends before it, or has another entry there, was rolled back.
  /// - Throws: `.corrupt` where the log was rolled back or rewritten, or an entry is damaged.
  package func read(after known: LogPosition, seen: LogPosition) throws(DSVError) -> Update {
    var update = Update(position: known)
    if known.number == 0, let checkpoint = try lastCheckpoint() {
      (update.checkpoint, update.position) = (checkpoint, checkpoint.position)
    }
    let numbers = try entryNumbers(from: max(1, update.position.number))
    let last = numbers.last ?? 0
    guard last >= max(seen.number, update.position.number) else {
      throw rolledBack(seen, "it ends at \(last)")
    }
    guard last > 0 else { return update }
    let first = max(1, update.position.number)
    guard numbers.first == first, numbers.count == last - first + 1 else {
      throw DSVError(.corrupt, "\(bucket.name): its log lacks entries between \(first) and \(last)")
    }
    let known = update.position
    let found = try Parallel.map(numbers.count, width: Self.width) {
      (index) throws(DSVError) -> (entry: RemoteEntry?, digest: LogDigest) in
      // What was read before may be sealed with a key that was given up since.
      numbers[index] == known.number ? (nil, try digest(numbers[index])) : try opened(numbers[index])
    }
    for (entry, digest) in found {
      guard let entry else {
        guard digest == update.position.digest else { throw rolledBack(update.position, "it is another") }
        continue
      }
      guard entry.previous == update.position.digest, entry.number == update.position.number + 1 else {
        throw DSVError(
          .corrupt, "\(name(entry.number)): it does not follow on the entry before it: the log was rewritten")
      }
      if entry.number == seen.number, digest != seen.digest { throw rolledBack(seen, "it is another") }
      update.entries.append(entry)
      update.position = LogPosition(number: entry.number, digest: digest)
    }
    // What a checkpoint leaves out was seen one by one by whoever was here before.
    if seen.number > 0, seen.number < first, try digest(seen.number) != seen.digest {
      throw rolledBack(seen, "it is another")
    }
    return update
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

  /// The numbers of the entries from `first` on.
  private func entryNumbers(from first: Int) throws(DSVError) -> [Int] {
    var numbers: [Int] = []
    var after: String? = first > 1 ? RemoteLayout.entry(first - 1) : nil
    while true {
      let found = try bucket.list(prefix: RemoteLayout.entryPrefix, after: after, limit: 1000)
      for entry in found {
        guard let number = RemoteLayout.number(ofKey: entry.key, behind: "log/") else { continue }
        if let last = numbers.last, number <= last { throw unordered }
        numbers.append(number)
      }
      guard found.count == 1000 else { return numbers }
      after = found.last?.key
    }
  }

  private func stored(_ number: Int) throws(DSVError) -> [UInt8] {
    guard
      let stored = try bucket.get(RemoteLayout.entry(number), limit: RemoteLayout.entryByteCountMax)
    else { throw DSVError(.corrupt, "\(name(number)): it is gone") }
    return stored
  }

  private func digest(_ number: Int) throws(DSVError) -> LogDigest {
    RemoteEntry.digest(of: try stored(number))
  }

  /// An entry, and its digest.
  private func opened(_ number: Int) throws(DSVError) -> (entry: RemoteEntry?, digest: LogDigest) {
    let key = RemoteLayout.entry(number)
    let stored = try stored(number)
    let entry = try RemoteEntry(try open(stored, key: key), of: name(number))
    guard entry.number == number else {
      throw DSVError(.corrupt, "\(name(number)): it is entry \(entry.number)")
    }
    return (entry, RemoteEntry.digest(of: stored))
  }

  private func open(_ stored: [UInt8], key: String) throws(DSVError) -> [UInt8] {
    guard let sealer else { return stored }
    return try sealer.open(stored, key: key)
  }

  private func seal(_ plain: [UInt8], key: String) throws(DSVError) -> [UInt8] {
    guard let sealer else { return plain }
    return sealer.seal(plain, key: key)
  }

  /// The newest checkpoint that can be read: it is only a shorter way, so damage does not matter.
  private func lastCheckpoint() throws(DSVError) -> Checkpoint? {
    var keys: [String] = []
    while true {
      let found = try bucket.list(prefix: RemoteLayout.checkpointPrefix, after: keys.last, limit: 1000)
      keys += found.map(\.key)
      if found.count < 1000 { break }
    }
    for key in keys.reversed().prefix(3) {
      do throws(DSVError) {
        guard let stored = try bucket.get(key, limit: RemoteLayout.checkpointByteCountMax) else { continue }
        let checkpoint = try Checkpoint(try open(stored, key: key), of: "\(bucket.name)/\(key)")
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
    let stored = try seal(entry.bytes, key: RemoteLayout.entry(entry.number))
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

  /// Puts down the state after an entry.
  package func put(_ checkpoint: Checkpoint) throws(DSVError) {
    let key = RemoteLayout.checkpoint(checkpoint.position.number)
    try bucket.put(key, try seal(checkpoint.bytes, key: key))
  }
}
