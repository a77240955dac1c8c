import ArgumentParser
import DSV
import DSVFormat

struct Compact: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Leave dropped rows behind, or store versions in less room (--archive).",
    discussion: """
      Without --archive: commits a version that holds the live rows only. Rows that were dropped stay in the versions \
      before it. Nothing happens where none were.

      With --archive: stores the chunks of versions, of all if none is named, more densely. No version changes, and no \
      ID. It takes long, and single rows are read more slowly after it; what is done stays done if it is interrupted.

      Examples:
        dsv compact -m "without what the filters dropped"
        dsv compact --archive v1 v2
      """)

  @Argument(help: "The version; with --archive any number of them.")
  var revisions: [String] = []
  @Option(help: "The table; by default all.")
  var table: String?
  @Option(name: .shortAndLong, help: "What the new version is.")
  var message: String?
  @Option(help: "Who made it; by default DSV_AUTHOR, or the user's name and machine.")
  var author: String?
  @Flag(help: "Store chunks more densely instead.")
  var archive = false
  @Flag(help: "With --archive: all versions, which is the default.")
  var all = false
  @OptionGroup var global: GlobalOptions

  func validate() throws {
    if archive {
      if table != nil || message != nil || author != nil {
        throw ValidationError("--archive makes no version: it takes no --table, -m or --author")
      }
      if all, !revisions.isEmpty { throw ValidationError("--all and versions exclude each other") }
    } else {
      if all { throw ValidationError("--all goes with --archive") }
      if revisions.count > 1 { throw ValidationError("name one version, or none for HEAD") }
    }
  }

  func run() throws {
    let repository = try global.open()
    if archive { return try runArchive(repository) }
    let found = try global.resolve(repository, revisions.first ?? "HEAD")
    let name = try repository.versionName(found.commit)
    let result = try repository.compact(
      found, table: table, CommitMessage(message ?? "compact \(name)", author: author),
      progress: global.progress)
    ProgressBar.clear()
    if global.json {
      Terminal.print(JSON.object(repository.members(of: result)).text)
    } else {
      CommitText.tell(result)
    }
  }

  private func runArchive(_ repository: Repository) throws {
    var commits: [CommitID] = []
    for revision in revisions { commits.append(try global.resolve(repository, revision).commit) }
    let result: ArchiveResult
    do {
      result = try repository.archive(commits.isEmpty ? nil : commits, progress: global.progress)
    } catch {
      guard error.code == .interrupted else { throw error }
      throw DSVError(
        .interrupted, "interrupted; what was stored anew stays, and the next time goes on from there")
    }
    ProgressBar.clear()
    if global.json {
      return Terminal.print(
        JSON.object([
          ("chunks", .int(result.chunkCount)), ("archived", .int(result.archivedCount)),
          ("bytes_before", .int(result.oldByteCount)), ("bytes_after", .int(result.newByteCount)),
          ("freed_bytes", .int(result.freedByteCount)), ("swept", .bool(result.isSwept)),
        ]).text)
    }
    Terminal.print(
      "\(Terminal.count(result.archivedCount)) of \(Terminal.count(result.chunkCount, "chunk")) stored anew: "
        + "\(Terminal.size(result.oldByteCount)) before, \(Terminal.size(result.newByteCount)) now")
    if !result.isSwept {
      Terminal.note(
        "what was replaced is still on the disk, as somebody reads or writes; 'dsv gc' deletes it")
    }
  }
}
