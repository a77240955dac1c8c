import ArgumentParser
import DSV
import DSVFormat
import Synchronization

/// What every command takes.
struct GlobalOptions: ParsableArguments {
  @Option(name: .customShort("C"), help: "Work in this folder.", completion: .directory)
  var directory = "."

  @Flag(help: "Write JSON: one document, or one line a row.")
  var json = false

  @Flag(name: .shortAndLong, help: "No progress on standard error.")
  var quiet = false

  @Option(help: .hidden)
  var threads: Int?

  @OptionGroup(title: "Encrypted repositories") var keys: KeyOptions

  /// Says how errors are told from now on.
  func tellErrors() { Terminal.tellsJSON.store(json, ordering: .relaxed) }

  /// - Parameter verifiesIndex: whether the index is looked through first, as it is to be repaired.
  func open(verifiesIndex: Bool = false) throws -> Repository {
    tellErrors()
    var options = options
    options.verifiesIndex = verifiesIndex
    let repository = try Repository.open(at: directory, options: options)
    Self.opened.withLock { $0.append(repository) }
    return repository
  }

  private static let opened = Mutex<[Repository]>([])

  /// Lets repositories write what they keep to the end, before the process ends.
  static func closeAll() {
    for repository in opened.withLock({ $0 }) { repository.close() }
  }

  var options: Repository.Options {
    var options = Repository.Options(threadCount: threads.map { max(0, $0) }, note: Terminal.note)
    options.isInterrupted = { Interrupts.isRequested }
    options.keyProvider = keys.provider
    return options
  }

  var progress: ProgressHandler { ProgressBar(isQuiet: quiet).handler }

  /// A file's path as the user means it: relative to where they are, not to `-C`.
  func resolve(_ repository: Repository, _ name: String) throws -> Revision {
    let revision = try repository.resolve(name)
    if let note = revision.note { Terminal.note(note) }
    return revision
  }
}

extension Repository {
  /// A commit as every command's JSON has it.
  func members(of result: CommitResult) -> [(String, JSON)] {
    [
      ("version", .text(result.version)), ("commit", .text(result.commit.description)),
      ("root", .text(result.root.description)), ("rows", .int(result.rowCount)),
      ("tables", .object(result.tables.map { ($0.table, .int($0.value)) })),
      ("new_bytes", .int(result.newByteCount)),
    ]
  }
}
