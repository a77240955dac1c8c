import ArgumentParser
import DSV
import DSVFormat

struct Checkout: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Move HEAD to a branch or a version.",
    discussion:
      "Moves a name, not data: it costs the same at any size; 'dsv export' writes files.\n\nExample: dsv checkout v12"
  )
  @Argument(help: "The branch or version.")
  var revision: String
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let found = try global.resolve(repository, revision)
    try repository.checkout(found)
    let version = try repository.versionName(found.commit)
    if global.json {
      Terminal.print(
        JSON.object([
          ("branch", .optional(found.branch)), ("version", .text(version)),
          ("commit", .text(found.commit.description)),
        ]).text)
    } else if let branch = found.branch {
      Terminal.print("on branch \(Terminal.bold(branch)) at \(version)")
    } else {
      Terminal.print(
        "at \(Terminal.bold(version)), on no branch: to keep commits made here, make one with 'dsv branch NAME'"
      )
    }
  }
}

struct Fingerprint: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compute the root that a version's live rows would have by themselves.",
    discussion: """
      Two versions with the same live rows have the same fingerprint, whatever was dropped, computed or keyed on the \
      way. Writes nothing.

      Example: dsv fingerprint v3
      """)
  @Argument(help: "The version.")
  var revision = "HEAD"
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let found = try global.resolve(repository, revision)
    let id = try repository.fingerprint(found.commit, progress: global.progress)
    ProgressBar.clear()
    if global.json {
      Terminal.print(JSON.object([("fingerprint", .text(id.description))]).text)
    } else {
      Terminal.print(id.description)
    }
  }
}
