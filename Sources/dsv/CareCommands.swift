import ArgumentParser
import DSV
import DSVFormat

struct Fsck: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Read every byte, recompute every ID, and name what is damaged.",
    discussion: """
      Exits 5 if anything is damaged. What is on remotes alone, as in a lazy clone, is counted and not looked at: 'dsv tier promote' \
      brings it here, and checks it.

      Example: dsv fsck
      """)
  @Flag(help: "Make the index anew from the packs first.")
  var repair = false
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open(verifiesIndex: repair)
    if repair { try repository.repair() }
    let result = try repository.check(progress: global.progress)
    ProgressBar.clear()
    if global.json {
      Terminal.print(
        JSON.object([
          ("ok", .bool(result.isOK)), ("objects", .int(result.objectCount)),
          ("remote_only", .int(result.elsewhereCount)), ("unread", .int(result.unreadCount)),
          ("problems", .array(result.problems.map { .text($0) })),
        ]).text)
    } else {
      for problem in result.problems { Terminal.print(problem) }
      Terminal.print(
        result.isOK
          ? "all is well: \(Terminal.count(result.objectCount, "object"))"
          : "\(result.problems.count) problems among \(Terminal.count(result.objectCount, "object"))")
      if result.elsewhereCount > 0 {
        Terminal.print(
          "\(Terminal.count(result.elsewhereCount)) more objects are on remotes alone, and were not looked at"
        )
      }
      if result.unreadCount > 0 {
        Terminal.print(
          "\(Terminal.count(result.unreadCount)) more objects build on what cannot be read now, and were not looked at"
        )
      }
    }
    if !result.isOK { throw ExitCode(5) }
  }
}

struct Gc: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Delete what no branch or tag leads to, and give its space back.",
    discussion: """
      What a branch led to in the last 30 days is kept, unless --keep-days says otherwise.

      Example: dsv gc --keep-days 0
      """)
  @Option(help: "Keep what branches led to in this many days.")
  var keepDays = 30
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let result = try repository.collectGarbage(keepDays: max(0, keepDays), progress: global.progress)
    ProgressBar.clear()
    if global.json {
      Terminal.print(
        JSON.object([
          ("deleted", .int(result.deletedObjectCount)), ("kept", .int(result.keptObjectCount)),
          ("freed_bytes", .int(result.freedByteCount)),
        ]).text)
    } else {
      Terminal.print(
        "\(Terminal.count(result.deletedObjectCount, "object")) deleted, \(Terminal.size(result.freedByteCount)) freed"
      )
    }
  }
}
