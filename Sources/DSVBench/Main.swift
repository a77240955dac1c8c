import DSVFormat
import DSVSystem
import Glibc

/// Measures dsv: `DSVBench --smoke | --full [--corpus FILE] [--only NAME]`, or does works that bench/ asks for.
@main
enum Main {
  static let benchmarks =
    FormatBenchmarks.all + CipherBenchmarks.all + RepositoryBenchmarks.all + VersionBenchmarks.all
    + KeyBenchmarks.all
    + SingleRowBenchmarks.all + RemoteBenchmarks.all + TierBenchmarks.all

  static let usage = """
    usage: DSVBench --smoke | --full [--corpus FILE] [--only NAME] [--folder FOLDER]
           DSVBench --serve

      --smoke    each benchmark once, as small as can be
      --full     real sizes, the best of at least three runs
      --corpus   documents as JSONL with a string 'text', instead of generated ones
      --only     benchmarks whose name contains NAME
      --serve    the works that standard input names, for bench/peers.py and bench/growth.py
      --folder   where repositories are made for the time being (TMPDIR or /tmp)

    One line each: name, size, bytes, best time, rate, checksum of the result. After a floor, what share of its rate the
    work has; after two that are to be compared, how their times do.
    Benchmarks:
    """

  static func main() {
    do {
      try run(Array(CommandLine.arguments.dropFirst()))
    } catch {
      Report.note("DSVBench: \(error)")
      exit(1)
    }
  }

  private static func run(_ arguments: [String]) throws {
    var size: Benchmark.Size?
    var (corpus, only): (String?, String?) = (nil, nil)
    var folder = Machine.environment("TMPDIR") ?? "/tmp"
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      switch argument {
      case "--serve": return Server.run()
      case "--smoke": size = .smoke
      case "--full": size = .full
      case "--corpus": corpus = rest.popFirst()
      case "--only": only = rest.popFirst()
      case "--folder": folder = rest.popFirst() ?? folder
      default: return explain(argument == "--help" ? 0 : 2)
      }
    }
    guard let size else { return explain(2) }
    let chosen = benchmarks.filter { benchmark in only.map { benchmark.name.contains($0) } ?? true }
    guard !chosen.isEmpty else { return explain(2) }
    var measured: [String: Measurement] = [:]
    for benchmark in chosen {
      let measurement = try Measurement(benchmark, size, corpus: corpus, under: folder)
      measured[benchmark.name] = measurement
      print(measurement.line)
      if let work = measured.first(where: { "\($0.key)-floor" == benchmark.name })?.value {
        print(work.share(of: measurement))
      }
      for work in chosen {
        guard let bound = work.bound, [work.name, bound.name].contains(benchmark.name),
          let (mine, other) = measured[work.name].flatMap({ mine in measured[bound.name].map { (mine, $0) } })
        else { continue }
        print(mine.verdict(bound, other))
      }
      fflush(nil)
    }
  }

  private static func explain(_ status: Int32) {
    print(usage)
    for benchmark in benchmarks { print("  \(benchmark.name)") }
    exit(status)
  }
}
