import ArgumentParser
import DSV
import DSVFormat

struct TierCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tier",
    abstract: "Say what lies in memory, on this disk and in remotes, and move it.",
    discussion: """
      Rows are read from memory, else from this disk, else from the remotes, and stay where they were read to. What leaves \
      the disk is what a remote verifiably holds: its packs are read back once. Versions, schemas and refs always stay.

      Examples:
        dsv tier status
        dsv tier demote v1 v2
        dsv tier policy "keep v*..HEAD on disk; older than 30d to cold"
        dsv tier budget disk=200GB memory=4GB
      """,
    subcommands: [
      TierStatus.self, TierPromote.self, TierDemote.self, TierPolicyCommand.self, TierBudget.self,
      TierRun.self,
    ], defaultSubcommand: TierStatus.self)
}

struct TierStatus: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show what each tier holds, and how often it had what was asked for.",
    discussion: """
      Hits, misses, evictions and fetched bytes are those of all processes that had remotes to read from. What memory holds only \
      each of them knows.

      Example: dsv tier status --json
      """)
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let (usage, settings) = (try repository.tierUsage(), try repository.tierSettings())
    if global.json {
      return Terminal.print(
        JSON.object([
          ("tiers", .array(usage.map(TierText.json))), ("policy", .text(settings.policy.text)),
        ]).text)
    }
    for tier in usage { Terminal.print(TierText.line(tier)) }
    for tier in usage where tier.name == "disk" {
      guard let most = tier.byteCountMax, tier.byteCount > most else { continue }
      Terminal.note(
        "the disk holds \(Terminal.size(tier.byteCount - most)) more than its budget: 'dsv tier run' takes off it what can go, and says what cannot"
      )
    }
    if !settings.policy.text.isEmpty { Terminal.print("policy: \(settings.policy.text)") }
  }
}

struct TierPromote: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "promote",
    abstract: "Fetch all that versions need to this disk.",
    discussion: """
      A..B names B and what led to it, without what led to A; v* for A is the beginning.

      Examples:
        dsv tier promote HEAD
        dsv tier promote v3..v7
      """)
  @Argument(help: "The versions.")
  var revisions: [String]
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let commits = try repository.versions(named: revisions)
    let result = try repository.promote(commits, progress: global.progress)
    ProgressBar.clear()
    if global.json {
      Terminal.print(
        JSON.object([("objects", .int(result.objectCount)), ("bytes", .int(result.byteCount))]).text)
    } else {
      Terminal.print(
        "\(Terminal.count(result.objectCount, "object")) fetched, \(Terminal.size(result.byteCount))")
    }
  }
}

struct TierDemote: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demote",
    abstract: "Take off this disk what only these versions need and a remote verifiably holds.",
    discussion: """
      A..B names B and what led to it, without what led to A; v* for A is the beginning. What other versions need too stays.

      What no branch or tag of the remote leads to any more its own gc gives up, for all who rely on it, and deletes some days \
      later (7, or its --keep-days). A fetch, pull, push or 'remote gc' from here in between brings what versions here need back to \
      the disk, whatever its budget, and says so; without one it is lost. Keep a branch or tag there that leads to what you demote.

      Examples:
        dsv tier demote v1 v2
        dsv tier demote "v*..HEAD~3"
      """)
  @Argument(help: "The versions.")
  var revisions: [String]
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let commits = try repository.versions(named: revisions)
    let result = try repository.demote(commits, progress: global.progress)
    TierText.tell(result, global)
  }
}

struct TierPolicyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policy",
    abstract: "Set or show what is to lie where.",
    discussion: """
      Rules, between semicolons; the last one that fits decides, and what none fits lies on disk. A rule says what it is about:

        table NAME, column NAME, v3, A..B, older than 30d (h, d, w), older than 10 versions, everything

      of several all must fit, and then where that lies: 'on disk', 'to remote' (or 'to cold': any), 'to NAME' of a remote, which has to be there. \
      'keep' may stand in front. Names with spaces stand in single quotes. It is applied by 'dsv gc', after 'dsv push', and \
      by 'dsv tier run'.

      Examples:
        dsv tier policy
        dsv tier policy "keep v*..HEAD on disk; older than 30d to cold"
        dsv tier policy "table raw to remote; column text older than 10 versions to remote"
        dsv tier policy ""
      """)
  @Argument(help: "The policy; none shows what is set, an empty one takes it away.")
  var policy: String?
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    var settings = try repository.tierSettings()
    if let policy {
      settings.policy = try TierPolicy(policy)
      try repository.setTiers(settings)
    }
    if global.json {
      Terminal.print(
        JSON.object([
          ("policy", .text(settings.policy.text)), ("rules", .int(settings.policy.rules.count)),
        ]).text)
    } else if policy == nil {
      let text = settings.policy.text
      guard !text.isEmpty else { return Terminal.note("no policy is set: what is here stays on this disk") }
      Terminal.print(text)
    }
  }
}

struct TierBudget: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "budget",
    abstract: "Set or show how much memory and disk may take.",
    discussion: """
      The disk's is for all files of the repository. Beyond it, what was fetched for reads goes first, the oldest first, \
      and then what only old versions need; never anything that no remote verifiably holds. Reading makes room as a process \
      ends: of what was fetched, and of nothing that the policy keeps on disk.

      The memory's is for decoded chunks, and for what is on its way from remotes and to the disk: a quarter each, and at least \
      2 MiB, for those two. 'none' takes a limit away.

      Examples:
        dsv tier budget disk=200GB memory=4GB
        dsv tier budget disk=none
      """)
  @Argument(help: "disk=SIZE or memory=SIZE; none shows what is set.")
  var limits: [String] = []
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    var settings = try repository.tierSettings()
    for limit in limits {
      let parts = limit.split(separator: "=", maxSplits: 1).map(String.init)
      switch (parts.first, parts.count) {
      case ("disk", 2): settings.diskByteCount = try TierSettings.byteCount(parts[1])
      case ("memory", 2): settings.memoryByteCount = try TierSettings.byteCount(parts[1])
      default: throw ValidationError("'\(limit)' is no limit; write disk=200GB or memory=4GB")
      }
    }
    if !limits.isEmpty { try repository.setTiers(settings) }
    if global.json {
      Terminal.print(
        JSON.object([
          ("disk", settings.diskByteCount.map { .int($0) } ?? .null),
          ("memory", settings.memoryByteCount.map { .int($0) } ?? .null),
        ]).text)
    } else if limits.isEmpty {
      Terminal.print("disk: \(settings.diskByteCount.map(Terminal.size) ?? "none")")
      Terminal.print("memory: \(settings.memoryByteCount.map(Terminal.size) ?? "none")")
    }
  }
}

struct TierRun: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Apply the policy and the budget now.",
    discussion: "Example: dsv tier run")
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let result = try repository.applyTiers(progress: global.progress)
    TierText.tell(result, global)
  }
}

/// Tiers as they are told.
private enum TierText {
  /// What this command itself has in memory says nothing: others have their own.
  private static func holdings(_ tier: TierUsage) -> (bytes: Int, objects: Int)? {
    tier.name == "memory" ? nil : (tier.byteCount, tier.objectCount)
  }

  static func json(_ tier: TierUsage) -> JSON {
    func number(_ value: Int?) -> JSON { value.map { .int($0) } ?? .null }
    let holdings = holdings(tier)
    return .object([
      ("name", .text(tier.name)), ("bytes", number(holdings?.bytes)),
      ("objects", number(holdings?.objects)), ("limit", number(tier.byteCountMax)),
      ("hits", .int(tier.hitCount)), ("misses", .int(tier.missCount)),
      ("evictions", number(tier.evictionCount)), ("fetched_bytes", number(tier.fetchedByteCount)),
    ])
  }

  static func line(_ tier: TierUsage) -> String {
    var held: [String] = []
    if let (bytes, objects) = holdings(tier) {
      let limit = tier.byteCountMax.map { " of \(Terminal.size($0))" } ?? ""
      held = [Terminal.size(bytes) + limit, "\(Terminal.count(objects, "object"))"]
    } else if let limit = tier.byteCountMax {
      held = ["at most \(Terminal.size(limit))"]
    }
    var text = "\(Terminal.bold(Terminal.shown(tier.name))): \(held.joined(separator: ", "))"
    text += "; \(Terminal.count(tier.hitCount, "hit")), \(Terminal.count(tier.missCount)) misses"
    if let count = tier.evictionCount, count > 0 { text += ", \(Terminal.count(count)) evicted" }
    if let count = tier.fetchedByteCount, count > 0 { text += ", \(Terminal.size(count)) read" }
    return text
  }

  static func tell(_ result: TierResult, _ global: GlobalOptions) {
    ProgressBar.clear()
    if global.json {
      return Terminal.print(
        JSON.object([
          ("objects", .int(result.objectCount)), ("bytes", .int(result.byteCount)),
          ("freed_bytes", .int(result.freedByteCount)), ("refused", .int(result.refusedCount)),
          ("refused_bytes", .int(result.refusedByteCount)),
          ("read_back_bytes", .int(result.verifiedByteCount)), ("reason", .optional(result.reason)),
          ("over_budget_bytes", .int(result.overBudgetByteCount)),
          ("problems", .array(result.problems.map { .text($0) })),
        ]).text)
    }
    Terminal.print(
      "\(Terminal.count(result.objectCount, "object")) left the disk, \(Terminal.size(result.freedByteCount)) freed"
    )
    if result.refusedCount > 0 {
      Terminal.note(
        "\(Terminal.count(result.refusedCount, "object")) (\(Terminal.size(result.refusedByteCount))) stay: "
          + "no remote verifiably holds them; 'dsv push' first")
    }
    for problem in result.problems { Terminal.note(problem) }
    if let reason = result.reason { Terminal.note(reason) }
    if result.overBudgetByteCount > 0 {
      Terminal.note(
        "the repository takes \(Terminal.size(result.overBudgetByteCount)) more than the disk's budget, and nothing else can go: "
          + "what is left no remote verifiably holds, or it always stays, as versions, schemas and indexes do"
      )
    }
  }
}
