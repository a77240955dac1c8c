import Testing

@testable import DSVBench

@Suite struct SmokeTests {
  @Test("every benchmark does its work", arguments: Main.benchmarks.map(\.name))
  func smoke(name: String) throws {
    let benchmark = try #require(Main.benchmarks.first { $0.name == name })
    let measurement = try Measurement(benchmark, .smoke, under: "/tmp")
    #expect(measurement.outcome.byteCount > 0)
    #expect(measurement.line.hasPrefix(name))
  }

  @Test("benchmarks have names of their own")
  func names() {
    #expect(Set(Main.benchmarks.map(\.name)).count == Main.benchmarks.count)
  }
}
