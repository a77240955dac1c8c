import ArgumentParser
import DSV
import DSVFormat

struct RemoteCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remote",
    abstract: "Add, list, move or remove remotes; collect a remote's garbage.",
    discussion: """
      Examples:
        dsv remote add origin s3://my-bucket/my-dataset --region eu-central-1
        dsv remote add origin s3://data/set --endpoint http://localhost:9000 --path-style
        dsv remote add backup file:///mnt/backup/set
        dsv remote list
        dsv remote set-url origin s3://other-bucket/my-dataset
        dsv remote gc origin

      Credentials of S3 come from the AWS environment variables and files.
      """,
    subcommands: [
      RemoteAdd.self, RemoteList.self, RemoteSetURL.self, RemoteRemove.self, RemoteGc.self,
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

struct RemoteGc: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gc",
    abstract: "Give back the room of what no branch or tag of a remote leads to.",
    discussion: """
      Packs with garbage are given up at once, with what is live in them written anew, and deleted by a later gc, when \
      nobody reads them any more: after --keep-days.

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
      "\(Terminal.count(result.condemnedPackCount)) packs given up, \(Terminal.count(result.rewrittenPackCount)) written anew; "
        + "\(Terminal.count(result.deletedPackCount)) deleted, \(Terminal.size(result.deletedByteCount)) freed"
    )
  }
}

enum RemoteText {
  static func json(_ remote: Remote) -> JSON {
    .object([
      ("name", .text(remote.name)), ("url", .text(remote.url)), ("endpoint", .optional(remote.endpoint)),
      ("region", .optional(remote.region)), ("path_style", .bool(remote.isPathStyle)),
      ("read_only", .optional(remote.readOnlyReason)),
    ])
  }
}
