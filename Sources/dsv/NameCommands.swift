import ArgumentParser
import DSV
import DSVFormat

struct Branch: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List, make or delete branches.",
    discussion:
      "Examples:\n  dsv branch\n  dsv branch --remotes\n  dsv branch cleaning v2\n  dsv branch --delete cleaning\n\nA remote's branch becomes one here by 'dsv pull REMOTE NAME'."
  )
  @OptionGroup var name: NameArguments
  @Flag(name: .shortAndLong, help: "List the branches of remotes, as of the last fetch or push.")
  var remotes = false
  @OptionGroup var global: GlobalOptions

  func validate() throws {
    if remotes, name.name != nil { throw ValidationError("--remotes lists, and takes no name") }
  }

  func run() throws {
    let repository = try global.open()
    if remotes {
      return try NameText.list(
        try repository.remoteBranches().map { NamedCommit(name: $0.name, commit: $0.commit) }, current: nil,
        repository,
        isJSON: global.json)
    }
    switch try name.request(repository, global) {
    case .list:
      try NameText.list(
        try repository.branches(), current: try repository.head().branch, repository, isJSON: global.json)
    case .make(let name, let commit):
      try repository.makeBranch(name, at: commit)
      try NameText.tell(
        "made branch", NamedCommit(name: name, commit: commit), repository, isJSON: global.json)
    case .delete(let name):
      try repository.deleteBranch(name)
      NameText.tellDeleted("branch", name, isJSON: global.json)
      if !global.json {
        Terminal.note(
          "versions that no other branch or tag leads to go with a gc after 30 days; 'dsv branch NAME vN' keeps one"
        )
      }
    }
  }
}

struct Tag: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List, make or delete tags.",
    discussion: "Examples:\n  dsv tag\n  dsv tag paper v3\n  dsv tag --delete paper")
  @OptionGroup var name: NameArguments
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    switch try name.request(repository, global) {
    case .list: try NameText.list(try repository.tags(), current: nil, repository, isJSON: global.json)
    case .make(let name, let commit):
      try repository.makeTag(name, at: commit)
      try NameText.tell("made tag", NamedCommit(name: name, commit: commit), repository, isJSON: global.json)
    case .delete(let name):
      try repository.deleteTag(name)
      NameText.tellDeleted("tag", name, isJSON: global.json)
    }
  }
}

/// What `branch` and `tag` take.
struct NameArguments: ParsableArguments {
  @Argument(help: "The name to make or delete; without it names are listed.")
  var name: String?
  @Argument(help: "The version that it names.")
  var revision = "HEAD"
  @Flag(name: .shortAndLong, help: "Delete it.")
  var delete = false

  enum Request {
    case list
    case make(String, CommitID)
    case delete(String)
  }

  func validate() throws {
    if delete, name == nil { throw ValidationError("name what to delete") }
  }

  func request(_ repository: Repository, _ global: GlobalOptions) throws -> Request {
    guard let name else { return .list }
    return delete ? .delete(name) : .make(name, try global.resolve(repository, revision).commit)
  }
}

enum NameText {
  static func tell(_ what: String, _ named: NamedCommit, _ repository: Repository, isJSON: Bool) throws {
    let version = try repository.versionName(named.commit)
    let members: [(String, JSON)] = [
      ("name", .text(named.name)), ("version", .text(version)), ("commit", .text(named.commit.description)),
    ]
    Terminal.print(isJSON ? JSON.object(members).text : "\(what) \(Terminal.bold(named.name)) at \(version)")
  }

  static func tellDeleted(_ what: String, _ name: String, isJSON: Bool) {
    let text = JSON.object([("deleted", .text(name))]).text
    Terminal.print(isJSON ? text : "deleted \(what) \(Terminal.bold(name))")
  }

  static func list(
    _ names: [NamedCommit], current: String?, _ repository: Repository, isJSON: Bool
  ) throws {
    if isJSON {
      return Terminal.print(
        JSON.array(
          try names.map { named in
            .object([
              ("name", .text(named.name)), ("version", .text(try repository.versionName(named.commit))),
              ("commit", .text(named.commit.description)), ("current", .bool(named.name == current)),
            ])
          }
        ).text)
    }
    for named in names {
      let mark = named.name == current ? "* " : "  "
      Terminal.print("\(mark)\(Terminal.bold(named.name)) \(try repository.versionName(named.commit))")
    }
  }
}
