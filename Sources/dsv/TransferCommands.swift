import ArgumentParser
import DSV
import DSVFormat
import Synchronization

struct PushCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "push",
    abstract: "Send a branch, or several and tags, to a remote.",
    discussion: """
      Only what the remote lacks is sent, and nothing that the branches and tags do not lead to. They move last, all or \
      none, and forward only: if somebody else has pushed meanwhile, nothing happens, and 'dsv pull --rebase' goes first. \
      A push that was broken off goes on where it was.

      Examples:
        dsv push
        dsv push origin main paper
        dsv push --all
        dsv push origin old-branch --delete
      """)
  @Argument(help: "The remote; by default origin or the only one.")
  var remote: String?
  @Argument(help: "Branches and tags; by default the branch that you are on.")
  var names: [String] = []
  @Flag(help: "All branches and tags.")
  var all = false
  @Flag(help: "Take the branches and tags away from the remote instead.")
  var delete = false
  @OptionGroup var global: GlobalOptions

  func validate() throws {
    if all, !names.isEmpty || delete {
      throw ValidationError("--all goes without names and without --delete")
    }
    if delete, names.isEmpty { throw ValidationError("name the branches or tags that are to go") }
  }

  func run() throws {
    let repository = try global.open()
    var options = PushOptions()
    (options.names, options.all, options.deletes) = (names, all, delete)
    let result = try repository.push(to: remote, options, progress: global.progress)
    ProgressBar.clear()
    if global.json {
      return Terminal.print(
        JSON.object([
          ("remote", .text(result.remote)), ("commits", .int(result.commitCount)),
          ("objects", .int(result.objectCount)), ("packs", .int(result.packCount)),
          ("bytes", .int(result.byteCount)), ("keys", .bool(result.hasNewKeys)),
          (
            "refs",
            .array(
              result.refs.map { ref in
                .object([
                  ("name", .text(ref.name)), ("tag", .bool(ref.isTag)), ("state", .text(ref.state.rawValue)),
                  ("old", .optional(ref.old?.description)), ("new", .optional(ref.new?.description)),
                ])
              })
          ),
        ]).text)
    }
    for ref in result.refs { Terminal.print(try line(ref, result.remote, repository)) }
    if result.commitCount > 0 {
      Terminal.print(
        "\(Terminal.count(result.commitCount, "version")), \(Terminal.count(result.objectCount, "object")), "
          + "\(Terminal.size(result.byteCount)) sent")
    }
    if result.hasNewKeys {
      Terminal.print("\(Terminal.bold(result.remote)) has the keys of this repository as they are now")
    }
  }

  private func line(_ ref: PushResult.Ref, _ remote: String, _ repository: Repository) throws -> String {
    let name = Terminal.bold("\(remote)/\(ref.name)")
    switch ref.state {
    case .deleted: return "\(name) is gone"
    case .upToDate: return "\(name) is up to date"
    case .behind: return "\(name) has more than is here: 'dsv pull' brings it"
    case .pushed:
      guard let new = ref.new else { return name }
      let version = try repository.versionName(new)
      guard let old = ref.old else { return "\(name) begins at \(version)" }
      return "\(name) \(try repository.versionName(old)) → \(version)"
    }
  }
}

struct FetchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fetch",
    abstract: "Bring what a remote has and is not here, and move nothing.",
    discussion: """
      Its branches, tags and numbers are then known as origin/main, origin/paper and origin/v12. Everything that comes is \
      checked against its ID.

      Example: dsv fetch && dsv diff main origin/main --stat
      """)
  @Argument(help: "The remote; by default origin or the only one.")
  var remote: String?
  @Option(
    name: .customLong("accept"),
    help: """
      Take over a branch or tag though it was rolled back, or deleted and made anew: heads/NAME or tags/NAME where there are \
      both. May be repeated.
      """)
  var accepted: [String] = []
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let result = try repository.fetch(from: remote, accepting: Set(accepted), progress: global.progress)
    ProgressBar.clear()
    if global.json { return Terminal.print(JSON.object(TransferText.members(result)).text) }
    try TransferText.tell(result, repository)
    if result.refs.isEmpty { Terminal.print("\(result.remote): nothing new") }
  }
}

struct PullCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pull",
    abstract: "Fetch, and move your branch to where the remote's is.",
    discussion: """
      If both have gone on, nothing moves, unless --rebase makes the versions that are only here again on the remote's: \
      appended and upserted rows, and transforms, which run again. What else has diverged is a conflict. An upserted row replaces the \
      remote's of the same key, also where that is newer: the last one wins. How many were is told.

      Where yours cannot be made again, they can be kept under another name, and the branch begun anew where the remote's is: \
      'dsv branch mine', 'dsv checkout mine', 'dsv branch --delete main', 'dsv branch main origin/main', 'dsv checkout main'. \
      'dsv diff main mine' then shows what is to be committed again.

      Examples:
        dsv pull
        dsv pull origin main --rebase
      """)
  @Argument(help: "The remote; by default origin or the only one.")
  var remote: String?
  @Argument(help: "The branch; by default the one that you are on.")
  var branch: String?
  @Flag(help: "Make versions that are only here again on the remote's.")
  var rebase = false
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let result = try repository.pull(from: remote, branch: branch, rebases: rebase, progress: global.progress)
    ProgressBar.clear()
    let version = try repository.versionName(result.new)
    if global.json {
      return Terminal.print(
        JSON.object([
          ("branch", .text(result.branch)), ("kind", .text(result.kind.rawValue)),
          ("version", .text(version)),
          ("commit", .text(result.new.description)), ("old", .optional(result.old?.description)),
          ("replayed", .int(result.replayedCount)), ("replaced", .int(result.replacedRowCount)),
          ("skipped", .array(try result.skipped.map { .text(try repository.versionName($0)) })),
          ("fetch", .object(TransferText.members(result.fetch))),
        ]).text)
    }
    try TransferText.tell(result.fetch, repository)
    switch result.kind {
    case .upToDate: Terminal.print("\(Terminal.bold(result.branch)) is up to date at \(version)")
    case .fastForward: Terminal.print("\(Terminal.bold(result.branch)) → \(version)")
    case .rebased:
      Terminal.print(
        "\(Terminal.bold(result.branch)) → \(version): \(Terminal.count(result.replayedCount, "version")) made again"
      )
      for id in result.skipped {
        Terminal.note(
          "\(try repository.versionName(id)) was not made again: \(result.fetch.remote)/\(result.branch) has all that it changed already"
        )
      }
      if result.replacedRowCount > 0 {
        Terminal.note(
          "\(Terminal.count(result.replacedRowCount)) rows that the remote had changed too are yours now: the last upsert wins; "
            + "'dsv diff \(result.fetch.remote)/\(result.branch) \(result.branch) --cells' shows what they were"
        )
      }
    }
  }
}

struct CloneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clone",
    abstract: "Make a repository of what a remote holds.",
    discussion: """
      The remote is then called origin. A clone that was broken off goes on when it is asked for again; until then what is run there says \
      that it is not whole. Columns and tables are those that a branch or tag of the remote has; where there is none of that name nothing is made.

      Examples:
        dsv clone s3://my-bucket/my-dataset
        dsv clone s3://data/set copy --endpoint http://localhost:9000 --path-style
        dsv clone s3://my-bucket/my-dataset --lazy
        dsv clone file:///mnt/backup/set --columns id,text
      """)
  @Argument(help: "s3://BUCKET/PREFIX or file:///FOLDER.")
  var url: String
  @Argument(help: "The folder; by default the last part of the address.", completion: .directory)
  var folder: String?
  @OptionGroup var place: PlaceOptions
  @Flag(help: "Bring versions and schemas only; rows are fetched when they are read.")
  var lazy = false
  @Option(
    help: "Bring these columns' values only, with commas between; others are fetched when they are read.")
  var columns: ColumnList?
  @Option(help: "Bring this table's rows only; others are fetched when they are read.")
  var table: String?
  @Option(help: "The branch to begin on; by default main, or the first.")
  var branch: String?
  @OptionGroup var global: GlobalOptions

  func validate() throws {
    if [lazy, columns != nil, table != nil].filter({ $0 }).count > 1 {
      throw ValidationError("--lazy, --columns and --table exclude each other")
    }
  }

  func run() throws {
    var clone = CloneOptions()
    (clone.endpoint, clone.region, clone.isPathStyle) = (place.endpoint, place.region, place.pathStyle)
    (clone.isLazy, clone.columns, clone.table, clone.branch) = (lazy, columns?.names ?? [], table, branch)
    let name = folder ?? url.split(separator: "/").last.map(String.init) ?? "dataset"
    let path = name.hasPrefix("/") || global.directory == "." ? name : "\(global.directory)/\(name)"
    Terminal.tellsJSON.store(global.json, ordering: .relaxed)
    let (repository, result) = try Repository.clone(
      url, to: path, clone, options: global.options, progress: global.progress)
    ProgressBar.clear()
    let version = try repository.versionName(result.commit)
    if global.json {
      return Terminal.print(
        JSON.object([
          ("path", .text("\(result.path)/.dsv")), ("branch", .text(result.branch)),
          ("version", .text(version)),
          ("commit", .text(result.commit.description)),
          ("fetch", .object(TransferText.members(result.fetch))),
        ]).text)
    }
    Terminal.print(
      "cloned into \(Terminal.bold(result.path)): \(result.branch) at \(version), "
        + "\(Terminal.count(result.fetch.objectCount, "object")), \(Terminal.size(result.fetch.byteCount)) fetched"
    )
  }
}

enum TransferText {
  static func members(_ result: FetchResult) -> [(String, JSON)] {
    [
      ("remote", .text(result.remote)), ("commits", .int(result.commitCount)),
      ("objects", .int(result.objectCount)), ("bytes", .int(result.byteCount)),
      (
        "refs",
        .array(
          result.refs.map { ref in
            .object([
              ("name", .text(ref.name)), ("tag", .bool(ref.isTag)), ("old", .optional(ref.old?.description)),
              ("new", .optional(ref.new?.description)),
            ])
          })
      ),
    ]
  }

  static func tell(_ result: FetchResult, _ repository: Repository) throws {
    for ref in result.refs {
      let name = Terminal.bold("\(result.remote)/\(ref.name)")
      guard let new = ref.new else {
        Terminal.print("\(name) is gone")
        continue
      }
      let version = try repository.versionName(new)
      Terminal.print(
        try ref.old.map { "\(name) \(try repository.versionName($0)) → \(version)" }
          ?? "\(name) is at \(version)")
    }
    if result.commitCount > 0 {
      Terminal.print(
        "\(Terminal.count(result.commitCount, "version")), \(Terminal.count(result.objectCount, "object")), "
          + "\(Terminal.size(result.byteCount)) fetched")
    }
  }
}
