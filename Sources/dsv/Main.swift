import ArgumentParser
import DSV
import DSVFormat
import DSVSystem
import Glibc

/// The command `dsv`: one file for each group of subcommands.
struct Dsv: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dsv",
    abstract: "Git for datasets: versions, branches and diffs of rows and cells.",
    discussion: """
      A version is named by HEAD, v12, a branch, a tag, a remote's (origin/main, origin/v12), or 4 or more digits of a \
      commit ID, each perhaps with ~N (its N-th ancestor).

      Examples:
        dsv init
        dsv commit documents.jsonl -m "as crawled" --key id
        dsv transform --filter quality -m "FineWeb's rules"
        dsv diff v1 v2 --stat
        dsv export v2 -o clean.jsonl

      Completions for the shell: dsv --generate-completion-script bash (or zsh, fish).

      Exit codes: 0 done, 1 failed or unreachable, 2 usage, 3 not found, 4 conflict, 5 corrupt, 6 busy, wrong key or \
      denied, 7 bad input, 130 interrupted.
      """,
    version: "dsv 0.1.0",
    groupedSubcommands: [
      CommandGroup(name: "Begin", subcommands: [Init.self, CommitFiles.self, Status.self, Info.self]),
      CommandGroup(
        name: "Versions",
        subcommands: [
          Log.self, Show.self, Checkout.self, Branch.self, Tag.self, Diff.self, Revert.self, Fingerprint.self,
        ]),
      CommandGroup(name: "Rows", subcommands: [Export.self, HeadRows.self, Count.self]),
      CommandGroup(name: "Transforms", subcommands: [Transform.self, Dropped.self, Why.self]),
      CommandGroup(
        name: "Remotes",
        subcommands: [
          RemoteCommand.self, CloneCommand.self, PushCommand.self, FetchCommand.self, PullCommand.self,
          TierCommand.self,
        ]),
      CommandGroup(name: "Care", subcommands: [Fsck.self, Gc.self, Compact.self]),
      CommandGroup(name: "Encryption", subcommands: [Key.self, Encrypt.self, ShowObject.self]),
    ])
}

@main
enum Main {
  static func main() {
    Interrupts.install()
    do {
      var command = try Dsv.parseAsRoot(arguments)
      try command.run()
      end(0)
    } catch let error as DSVError {
      Terminal.report(error)
      end(exitCode(error))
    } catch let code as ExitCode {
      end(code.rawValue)
    } catch {
      let code = Dsv.exitCode(for: error)
      if code != .success, arguments.contains("--json") {
        let members: [(String, JSON)] = [
          ("code", .text("usage")), ("message", .text(Dsv.message(for: error))),
        ]
        Terminal.write(JSON.object([("error", .object(members))]).text + "\n", to: 2)
        end(2)
      }
      let message = Dsv.fullMessage(for: error)
      Terminal.write(message + (message.hasSuffix("\n") ? "" : "\n"), to: code == .success ? 1 : 2)
      end(code == .success ? 0 : 2)
    }
  }

  /// Ends the process without tearing down what worker threads may still be using, such as libcrypto.
  private static func end(_ code: Int32) -> Never {
    GlobalOptions.closeAll()
    fflush(nil)
    _exit(code)
  }

  /// The arguments, with a `-C FOLDER` before the subcommand moved behind it, where it is declared.
  private static var arguments: [String] {
    let given = Array(CommandLine.arguments.dropFirst())
    guard given.count > 2, given[0] == "-C" else { return given }
    let isGroup = ["key", "remote", "tier"].contains(given[2]) && given.count > 3 && !given[3].hasPrefix("-")
    let count = isGroup ? 4 : 3
    return given[2..<count] + ["-C", given[1]] + given[count...]
  }

  static func exitCode(_ error: DSVError) -> Int32 {
    switch error.code {
    case .notFound: 3
    case .conflict: 4
    case .corrupt: 5
    case .busy, .wrongKey, .denied: 6
    case .badInput: 7
    case .interrupted: 130
    default: 1
    }
  }
}
