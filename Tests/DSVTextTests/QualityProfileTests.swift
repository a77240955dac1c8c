import DSVText
import Testing

@Suite struct QualityProfileTests {
  @Test("profiles are found by name")
  func named() {
    for profile in QualityProfile.all { #expect(QualityProfile.named(profile.name) == profile) }
    #expect(QualityProfile.named("fineweb") == nil)
    #expect(QualityProfile.fineweb.rules.count == 32)
    #expect(Set(QualityProfile.fineweb.rules.map(\.name)).count == 32)
  }

  @Test("signals have distinct names and places")
  func signals() {
    #expect(QualitySignal.allCases.count == QualitySignal.count)
    #expect(QualitySignal.allCases.map(\.index) == Array(0..<QualitySignal.count))
  }

  @Test("a threshold can be replaced, and a rule removed")
  func thresholds() throws {
    let strict = try #require(
      QualityProfile.fineweb.replacingThreshold(of: "gopher_quality.gopher_short_doc", with: 1000))
    #expect(Fixtures.verdict(Fixtures.prose, strict) == "gopher_quality.gopher_short_doc")
    let lax = try #require(strict.removing(rule: "gopher_quality.gopher_short_doc"))
    #expect(Fixtures.verdict(Fixtures.prose, lax) == "kept")
    #expect(QualityProfile.gopher.replacingThreshold(of: "c4.lorem_ipsum", with: 1) == nil)
    #expect(QualityProfile.gopher.removing(rule: "c4.lorem_ipsum") == nil)
  }

  @Test("a value on the threshold passes, and one that is not defined too")
  func edges() {
    let low = QualityRule(name: "low", signal: .words, failsIf: .below, threshold: 5)
    let high = QualityRule(name: "high", signal: .words, failsIf: .above, threshold: 5)
    #expect(low.fails(4) && !low.fails(5) && !low.fails(.nan))
    #expect(high.fails(6) && !high.fails(5) && !high.fails(.nan))
  }
}
