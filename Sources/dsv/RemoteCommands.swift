import ArgumentParser
import DSV
import DSVFormat

struct RemoteCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remote",
    abstract: "Add, list, move or remove remotes; check and repair one, or collect its garbage.",
    discussion: """
      Examples:
        dsv remote add origin s3://my-bucket/my-dataset --region eu-central-1
        dsv remote add origin s3://data/set --endpoint http://localhost:9000 --path-style
        dsv remote add backup file:///mnt/backup/set
        dsv remote list
        dsv remote set-url origin s3://other-bucket/my-dataset
        dsv remote check origin --repair
        dsv remote gc origin

      Credentials of S3 come from the AWS environment variables and files.
      """,
    subcommands: [
      RemoteAdd.self, RemoteList.self, RemoteSetURL.self, RemoteRemove.self, RemoteCheck.self,
      RemoteGc.self,
    ],
    defaultSubcommand: RemoteList.self)
}

/// Where a place is that speaks S3.
struct PlaceOptions: ParsableArguments {
  @Option(help: "The server that speaks S3, as https://HOST:PORT; by default Amazon's.")
  var endpoint: String?
  @Option(help: "The region that requests are signed for.")
  var region: String?
  @Flag(help: "Name the bucket in the path and not in the host, as most servers but Amazon's want it.")
  var pathStyle = false
}

/// A remote, and where it is.
struct RemoteOptions: ParsableArguments {
  @Argument(help: "The remote's name here.")
  var name: String
  @Argument(help: "s3://BUCKET/PREFIX or file:///FOLDER.")
  var url: String
  @OptionGroup var place: PlaceOptions
  @OptionGroup var global: GlobalOptions

  /// Says to a repository where the remote is, and to the user, in `words`, what came of it.
  func run(
    _ change: (Repository) -> (String, String, String?, String?, Bool) throws(DSVError) -> Remote,
    _ words: (Remote) -> String
  ) throws {
    let remote = try change(try global.open())(
      name, url, place.endpoint, place.region, place.pathStyle)
    if global.json { return Terminal.print(RemoteText.json(remote).text) }
    Terminal.print(words(remote))
    if let reason = remote.readOnlyReason { Terminal.note("it can only be read: \(reason)") }
  }
}

struct RemoteAdd: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add",
    abstract: "Add a place to push to and fetch from.",
    discussion: "Example: dsv remote add origin s3://my-bucket/my-dataset --region eu-central-1")
  @OptionGroup var options: RemoteOptions

  func run() throws {
    try options.run(
      { $0.addRemote(_:url:endpoint:region:isPathStyle:) },
      { "added remote \(Terminal.bold($0.name)): \($0.url)" })
  }
}

struct RemoteList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the remotes.", discussion: "Example: dsv remote list")
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let remotes = try global.open().remotes()
    if global.json { return Terminal.print(JSON.array(remotes.map(RemoteText.json)).text) }
    for remote in remotes {
      let mark = remote.readOnlyReason == nil ? "" : " (read-only)"
      Terminal.print("\(Terminal.bold(remote.name)) \(remote.url)\(Terminal.dim(mark))")
    }
  }
}

struct RemoteSetURL: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "set-url",
    abstract: "Say where a remote is now.",
    discussion: """
      For a remote that was moved or copied, whole, or is reached by another way. It is tried out as by 'dsv remote add', and has to \
      hold what was read of it until now. --endpoint, --region and --path-style are not taken over from before.

      Examples:
        dsv remote set-url origin s3://other-bucket/my-dataset --region eu-central-1
        dsv remote set-url origin file:///mnt/backup/set
      """)
  @OptionGroup var options: RemoteOptions

  func run() throws {
    try options.run(
      { $0.setRemoteURL(_:url:endpoint:region:isPathStyle:) },
      { "remote \(Terminal.bold($0.name)) is at \($0.url)" })
  }
}

struct RemoteRemove: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Take a remote away. Nothing there is deleted.",
    discussion: "Example: dsv remote remove backup")
  @Argument(help: "The remote.")
  var name: String
  @OptionGroup var global: GlobalOptions

  func run() throws {
    try global.open().removeRemote(name)
    NameText.tellDeleted("remote", name, isJSON: global.json)
  }
}

struct RemoteCheck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract:
      "Read all of a remote back, recompute every ID, and name what is damaged or gone; --repair puts it anew.",
    discussion: """
      All of the remote's packs are read. A repair puts what was damaged or gone into new packs, from this repository or from \
      where else the remote has it whole, and gives the damaged packs up in the remote's log: other clones go on. What is whole neither there nor \
      here is named; a repair from another clone that has it puts it too. What no branch or tag of the remote leads to is no loss, and not put. \
      To a plain remote a repair shows nothing that only this repository has, unless versions lead to it that it knew to be there: \
      'dsv fetch' first if others have pushed.

      Exits 5 if anything is damaged, or with --repair if anything could not be put anew.

      Examples:
        dsv remote check
        dsv remote check origin --repair
      """)
  @Argument(help: "The remote; by default origin or the only one.")
  var name: String?
  @Flag(help: "Put anew what is damaged or gone, as far as it is whole anywhere.")
  var repair = false
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let result = try global.open().checkRemote(name, repairs: repair, progress: global.progress)
    ProgressBar.clear()
    let isOK = repair ? result.lost.isEmpty && result.withheld.isEmpty : result.isWhole
    if global.json { Terminal.print(RemoteText.json(result, isOK: isOK).text) } else { tell(result) }
    if !isOK { throw ExitCode(5) }
  }

  private func tell(_ result: RemoteCheckResult) {
    for pack in result.damaged {
      let count = pack.objectCount == 0 ? "" : " (\(Terminal.count(pack.objectCount, "object")))"
      Terminal.print("\(pack.key): \(pack.problem)\(count)")
    }
    if result.missingCount > 0 {
      Terminal.print("\(Terminal.count(result.missingCount)) objects that versions need are in no pack")
    }
    let (packs, objects) = (Terminal.count(result.packCount), Terminal.count(result.objectCount))
    if result.isWhole {
      return Terminal.print(
        "all is well: \(packs) packs, \(objects) objects, \(Terminal.size(result.byteCount))")
    }
    if repair {
      Terminal.print(
        "\(Terminal.count(result.condemnedPackCount, "pack")) given up, \(Terminal.count(result.writtenPackCount)) written anew "
          + "with \(Terminal.count(result.writtenObjectCount, "object")), \(Terminal.count(result.restoredIndexCount)) indexes made again"
      )
    } else {
      Terminal.print("\(Terminal.count(result.damaged.count)) of \(packs) packs are damaged")
    }
    for id in result.lost.prefix(20) { Terminal.print("object \(id): it is whole neither there nor here") }
    if result.lost.count > 20 { Terminal.print("and \(Terminal.count(result.lost.count - 20)) more") }
    if !result.withheld.isEmpty {
      Terminal.note(
        "\(Terminal.count(result.withheld.count)) objects that only this repository has were not put: nothing that was known here of "
          + "'\(result.remote)' leads to them. If what it says is to be believed, 'dsv fetch \(result.remote)' and repair again"
      )
    }
    if !result.lost.isEmpty {
      Terminal.note("a clone that has what is lost puts it with 'dsv remote check \(result.remote) --repair'")
    } else if !repair {
      Terminal.note(
        "all of it is whole here or there: 'dsv remote check \(result.remote) --repair' puts it anew")
    }
  }
}

struct RemoteGc: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gc",
    abstract: "Give back the room of what no branch or tag of a remote leads to.",
    discussion: """
      Packs with garbage are given up at once, with what is live in them written anew, and deleted by a later gc, when \
      nobody reads them any more: after --keep-days. What a writer that was killed left in a folder's .tmp goes once it is a day old.

      Example: dsv remote gc origin
      """)
  @Argument(help: "The remote; by default origin or the only one.")
  var name: String?
  @Option(help: "Delete packs that were given up so many days ago.")
  var keepDays = 7
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let result = try global.open().collectRemoteGarbage(
      name, keepDays: max(0, keepDays), progress: global.progress)
    ProgressBar.clear()
    if global.json {
      return Terminal.print(
        JSON.object([
          ("condemned_packs", .int(result.condemnedPackCount)),
          ("condemned_bytes", .int(result.condemnedByteCount)),
          ("rewritten_packs", .int(result.rewrittenPackCount)),
          ("deleted_packs", .int(result.deletedPackCount)),
          ("deleted_bytes", .int(result.deletedByteCount)),
        ]).text)
    }
    Terminal.print(
      "\(Terminal.count(result.condemnedPackCount, "pack")) given up, \(Terminal.count(result.rewrittenPackCount)) written anew; "
        + "\(Terminal.count(result.deletedPackCount)) deleted, \(Terminal.size(result.deletedByteCount)) freed"
    )
  }
}

enum RemoteText {
  static func json(_ result: RemoteCheckResult, isOK: Bool) -> JSON {
    let damaged = result.damaged.map { pack in
      JSON.object([
        ("pack", .text(pack.key)), ("problem", .text(pack.problem)), ("objects", .int(pack.objectCount)),
      ])
    }
    return .object([
      ("ok", .bool(isOK)), ("remote", .text(result.remote)), ("packs", .int(result.packCount)),
      ("objects", .int(result.objectCount)), ("bytes", .int(result.byteCount)), ("damaged", .array(damaged)),
      ("missing", .int(result.missingCount)), ("lost", .array(result.lost.map { .text("\($0)") })),
      ("withheld", .array(result.withheld.map { .text("\($0)") })),
      ("condemned_packs", .int(result.condemnedPackCount)), ("written_packs", .int(result.writtenPackCount)),
      ("written_objects", .int(result.writtenObjectCount)),
      ("restored_indexes", .int(result.restoredIndexCount)),
    ])
  }

  static func json(_ remote: Remote) -> JSON {
    .object([
      ("name", .text(remote.name)), ("url", .text(remote.url)), ("endpoint", .optional(remote.endpoint)),
      ("region", .optional(remote.region)), ("path_style", .bool(remote.isPathStyle)),
      ("read_only", .optional(remote.readOnlyReason)),
    ])
  }
}
