public import ArgumentParser
public import DSV
import DSVFormat
package import DSVRecords
import DSVSystem
import DSVTables

struct Init: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make an empty repository.",
    discussion: """
      With --encrypt nobody can read it without the key that --key-file, --passphrase or --key-command says, or DSV_KEY or \
      DSV_KEY_FILE; a key file that is not there is made. A lost key cannot be had back.

      Examples:
        dsv init my-dataset
        dsv init --encrypt --key-file my.key my-dataset
      """)

  @Argument(help: "The folder; it is made if it is not there.", completion: .directory)
  var folder: String?
  @Flag(help: "Encrypt it.")
  var encrypt = false
  @OptionGroup var global: GlobalOptions

  func run() throws {
    var path = folder ?? global.directory
    if let folder, !folder.hasPrefix("/"), global.directory != "." { path = global.directory + "/" + folder }
    global.tellErrors()
    if !encrypt, global.keys.isGiven {
      throw ValidationError("A key is for an encrypted repository: say --encrypt, or give no key.")
    }
    let key = encrypt ? try global.keys.newKey() : nil
    let repository = try Repository.initialize(at: path, encryptedWith: key, options: global.options)
    if global.json {
      Terminal.print(
        JSON.object(
          [("path", .text(repository.path + "/.dsv"))] + (encrypt ? [("encrypted", .bool(true))] : [])
        ).text)
    } else {
      Terminal.print("made an empty\(encrypt ? ", encrypted" : "") repository in \(repository.path)/.dsv")
    }
  }
}

extension RecordFormat: ExpressibleByArgument {}
extension CommitOptions.BadRows: ExpressibleByArgument {}

struct CommitFiles: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "commit",
    abstract: "Make files' rows the next version of a table.",
    discussion: """
      Without --append or --upsert the table becomes the files' rows, in their order. Column types follow from all \
      rows, or from --schema. Nothing changes unless every row is taken.

      Examples:
        dsv commit documents.jsonl -m "as crawled" --key id
        zcat more.jsonl.gz | dsv commit - --append -m "a day later"
        dsv commit fixes.jsonl --upsert -m "typos"
        dsv commit people.csv --table people -m "first"
      """)

  @Argument(help: "JSONL or CSV files; - is standard input.", completion: .file())
  var files: [String]
  @Option(name: .shortAndLong, help: "What this version is.")
  var message: String
  @Option(help: "The table.")
  var table = "data"
  @Option(help: "The columns that identify a row, with commas between.")
  var key: ColumnList?
  @Flag(help: "Add the rows after those that are there.")
  var append = false
  @Flag(help: "Replace rows that have the same key, and add the others.")
  var upsert = false
  @Option(help: "What the files are: jsonl or csv. By default by their endings.")
  var format: RecordFormat?
  @Option(help: "A file with the columns' names and types, as JSON.", completion: .file())
  var schema: String?
  @Option(
    help: "What to do with rows that cannot be taken: fail, or quarantine in the table NAME.quarantine.")
  var badRows = CommitOptions.BadRows.fail
  @Flag(help: "Let appended rows change a column's type to one that holds both.")
  var widen = false
  @Option(help: "Who made it; by default DSV_AUTHOR, or the user's name and machine.")
  var author: String?
  @OptionGroup var global: GlobalOptions

  func validate() throws {
    if append && upsert { throw ValidationError("--append and --upsert exclude each other") }
    if message.allSatisfy(\.isWhitespace) { throw ValidationError("say with -m what this version is") }
    if files.isEmpty { throw ValidationError("name a file, or - for standard input") }
    if files.filter({ $0 == "-" }).count > 1 { throw ValidationError("standard input can be read once") }
  }

  func run() throws {
    let repository = try global.open()
    var options = CommitOptions()
    options.table = table
    options.mode = append ? .append : upsert ? .upsert : .replace
    options.key = key?.names ?? []
    options.format = format
    options.badRows = badRows
    options.widens = widen
    if let schema {
      let text = try FileSystem.read(schema, limit: 16 << 20)
      options.schema = try SchemaFile.read(text, source: schema)
    }
    let result = try repository.commit(
      files, CommitMessage(message, author: author), options, progress: global.progress)
    ProgressBar.clear()
    try tell(result, repository)
  }

  /// Columns of several kinds are easily taken for text, and it is one row that makes them so.
  private func noteMixed(_ result: CommitResult, _ repository: Repository) throws {
    let fields = try repository.table(table, of: result.commit).fields
    let mixed = fields.filter { $0.type == .json }.map { TerminalText.escaped($0.name) }
    guard result.isNew, !mixed.isEmpty else { return }
    Terminal.note(
      "kept as JSON, since no one type holds all values (a condition sees their JSON text): "
        + mixed.prefix(8).joined(separator: ", ") + (mixed.count > 8 ? ", …" : ""))
  }

  private func tell(_ result: CommitResult, _ repository: Repository) throws {
    if global.json {
      var members = repository.members(of: result)
      if badRows == .quarantine { members.append(("quarantined", .int(result.quarantinedCount))) }
      return Terminal.print(JSON.object(members).text)
    }
    CommitText.tell(result)
    try noteMixed(result, repository)
    if result.quarantinedCount > 0 {
      Terminal.note(
        "\(Terminal.count(result.quarantinedCount, "row")) put aside; see 'dsv head --table \(table).quarantine'"
      )
    }
  }
}

/// What a commit says to people.
enum CommitText {
  static func tell(_ result: CommitResult) {
    guard result.isNew else {
      return Terminal.print("nothing changed: it equals \(Terminal.bold(result.version))")
    }
    let place = result.branch.map { "on \($0)" } ?? "on no branch"
    Terminal.print(
      "\(Terminal.bold(result.version)) \(Terminal.dim(result.commit.short)) \(place): "
        + "\(Terminal.count(result.rowCount, "row")), \(Terminal.size(result.newByteCount)) new")
    if result.branch == nil {
      Terminal.note(
        "HEAD is on no branch: \(result.version) stays until gc unless you keep it: dsv branch NAME \(result.version)"
      )
    }
  }
}

struct Revert: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Undo what a version changed, as a new version.", discussion: "Example: dsv revert v7")

  @Argument(help: "The version whose changes are undone.")
  var revision: String
  @Option(name: .shortAndLong, help: "What the new version is.")
  var message: String?
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let found = try global.resolve(repository, revision)
    let name = try repository.versionName(found.commit)
    let result = try repository.revert(found.commit, CommitMessage(message ?? "revert \(name)"))
    if global.json {
      Terminal.print(JSON.object(repository.members(of: result)).text)
    } else {
      CommitText.tell(result)
    }
  }
}
