package import DSVFormat
import DSVSystem

/// Where runs of keys lie: `keys/` in the repository. All of it can be made again. Normative text: `format-spec/keys.md`.
package struct KeyFolder: Sendable {
  let path: String
  let temporary: String
  /// That of an encrypted repository, which its keyring holds.
  var kept: KeySecret?

  private var secretPath: String { "\(path)/secret" }

  private func path(_ header: KeyRunHeader) -> String {
    "\(path)/\(Self.prefix(header.family))\(header.end.description.prefix(32)).run"
  }

  private static func prefix(_ family: UInt64) -> String {
    let digits = String(family, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits + "-"
  }

  /// The secret that this repository's keys are hashed with; made at the first call.
  ///
  /// One that is damaged is made anew: what was hashed with the old one is then of no use, and gc removes it.
  package func secret() throws(DSVError) -> KeySecret {
    if let kept { return kept }
    if let secret = try readSecret() { return secret }
    try FileSystem.makeFolderIfMissing(path)
    try FileSystem.replace(secretPath, with: KeySecret.random().fileBytes)
    // Somebody else may have made one a moment later, and whoever comes reads that.
    guard let secret = try readSecret() else { throw DSVError(.corrupt, "\(secretPath): damaged") }
    return secret
  }

  private func readSecret() throws(DSVError) -> KeySecret? {
    do throws(DSVError) {
      return try KeySecret(file: try FileSystem.read(secretPath, limit: 4096), of: secretPath)
    } catch {
      guard [.notFound, .corrupt, .unsupportedFormat].contains(error.code) else { throw error }
      return nil
    }
  }

  /// The names of the files of runs that belong to a family, or of all.
  private func names(_ family: UInt64? = nil) throws(DSVError) -> [String] {
    guard try FileSystem.exists(path) else { return [] }
    let prefix = family.map(Self.prefix) ?? ""
    return try FileSystem.list(path).filter { $0.hasPrefix(prefix) && $0.hasSuffix(".run") }
  }

  package var hasRuns: Bool { get throws(DSVError) { try !names().isEmpty } }

  /// The runs of a family that can be read; those that cannot are removed.
  package func runs(_ family: UInt64) throws(DSVError) -> [KeyRun] {
    var runs: [KeyRun] = []
    for name in try names(family) {
      do throws(DSVError) {
        let run = try KeyRun(File("\(path)/\(name)", .read))
        if run.header.family == family { runs.append(run) }
      } catch {
        switch error.code {
        case .notFound: break
        case .corrupt, .unsupportedFormat: try FileSystem.remove("\(path)/\(name)")
        default: throw error
        }
      }
    }
    return runs
  }

  /// Writes a run, which then has its place.
  ///
  /// Nothing is synced: what a power cut leaves of the file fails its checksums.
  package func write(
    _ header: KeyRunHeader, _ entries: ((KeyEntry) throws(DSVError) -> Void) throws(DSVError) -> Void
  ) throws(DSVError) -> KeyRun {
    let file = try temporaryFile()
    let writer = KeyRunWriter(header, to: file.file)
    try entries { (entry) throws(DSVError) in try writer.append(entry) }
    try writer.finish()
    try FileSystem.makeFolderIfMissing(path)
    try FileSystem.rename(file.file.path, to: path(header))
    return try KeyRun(File(path(header), .read))
  }

  package func temporaryFile() throws(DSVError) -> TemporaryFile { try TemporaryFile(in: temporary) }

  package func remove(_ run: KeyRun) throws(DSVError) { try FileSystem.remove(run.file.path) }

  /// Removes all runs but these; returns how many bytes that gave back.
  package func removeAll(but kept: [KeyRun]) throws(DSVError) -> Int {
    let kept = Set(kept.map(\.file.path))
    var byteCount = 0
    for name in try names() where !kept.contains("\(path)/\(name)") {
      byteCount += try FileSystem.status("\(path)/\(name)")?.byteCount ?? 0
      try FileSystem.remove("\(path)/\(name)")
    }
    return byteCount
  }
}

extension Store {
  package var keyFolder: KeyFolder {
    KeyFolder(path: folder.keys, temporary: folder.temporary, kept: keys?.keySecret)
  }
}
