/// One rule: a document fails it if a signal is on the wrong side of a threshold.
package struct QualityRule: Sendable, Equatable {
  /// Which side fails.
  package enum Comparison: String, Sendable {
    /// A value below the threshold fails; one equal to it passes.
    case below
    /// A value above the threshold fails; one equal to it passes.
    case above
  }

  /// datatrove's reason string, after its filter and a full stop; see `QualityProfile`.
  package let name: String
  /// What is compared.
  package let signal: QualitySignal
  /// On which side of the threshold a document fails.
  package let failsIf: Comparison
  /// In the unit of the signal.
  package let threshold: Double

  /// A rule of one's own, or one of datatrove's with another threshold.
  package init(name: String, signal: QualitySignal, failsIf: Comparison, threshold: Double) {
    self.name = name
    self.signal = signal
    self.failsIf = failsIf
    self.threshold = threshold
  }

  /// Whether `value` fails the rule. NaN, a signal that is not defined, does not.
  package func fails(_ value: Double) -> Bool {
    switch failsIf {
    case .below: value < threshold
    case .above: value > threshold
    }
  }
}

/// An ordered list of rules with a name and a version; a document's verdict is the first rule that it fails.
///
/// The filters of datatrove are named `gopher_rep` (`GopherRepetitionFilter`), `gopher_quality` (`GopherQualityFilter`),
/// `c4` (`C4QualityFilter`) and `fineweb` (`FineWebQualityFilter`); what follows the full stop in a rule's name is the
/// reason that the filter gives, unchanged.
package struct QualityProfile: Sendable, Equatable {
  /// Such as `fineweb@datatrove-0.10`; a profile with other thresholds keeps the name of the one that it was made from.
  package let name: String
  /// In the order in which a document meets them.
  package private(set) var rules: [QualityRule]
  /// Whether C4 keeps lines that end in none of `. ? ! " '`: the opposite of datatrove's `filter_no_terminal_punct`.
  ///
  /// It decides the signals of `c4` and `fineweb`, whether or not the profile has rules on them.
  package let keepsUnterminatedLines: Bool

  /// A profile of one's own, of rules in the order in which a document meets them.
  package init(name: String, rules: [QualityRule], keepsUnterminatedLines: Bool) {
    self.name = name
    self.rules = rules
    self.keepsUnterminatedLines = keepsUnterminatedLines
  }

  /// The same profile with another threshold for one of its rules; nil if it has no rule of that name.
  package func replacingThreshold(of rule: String, with threshold: Double) -> QualityProfile? {
    guard let index = rules.firstIndex(where: { $0.name == rule }) else { return nil }
    var profile = self
    profile.rules[index] = QualityRule(
      name: rule, signal: rules[index].signal, failsIf: rules[index].failsIf, threshold: threshold)
    return profile
  }

  /// The same profile without one of its rules; nil if it has no rule of that name.
  package func removing(rule: String) -> QualityProfile? {
    guard let index = rules.firstIndex(where: { $0.name == rule }) else { return nil }
    var profile = self
    profile.rules.remove(at: index)
    return profile
  }
}

extension QualityProfile {
  /// Changes whenever some document's signal or verdict can change.
  package static let revision = 1

  /// FineWeb's filters in FineWeb's order, with the thresholds of datatrove's `examples/fineweb.py`.
  package static let fineweb = QualityProfile(
    name: "fineweb@datatrove-0.10", rules: gopherRepetition + gopherQuality + c4Quality + finewebQuality,
    keepsUnterminatedLines: true)

  /// Gopher's two filters, repetition first, with datatrove's default thresholds.
  package static let gopher = QualityProfile(
    name: "gopher@datatrove-0.10", rules: gopherRepetition + gopherQuality, keepsUnterminatedLines: true)

  /// C4's filter with datatrove's default thresholds: lines that do not end like a sentence are dropped.
  package static let c4 = QualityProfile(
    name: "c4@datatrove-0.10", rules: c4Quality, keepsUnterminatedLines: false)

  /// Every profile that has a name.
  package static let all = [fineweb, gopher, c4]

  /// The profile of that name, if there is one.
  package static func named(_ name: String) -> QualityProfile? { all.first { $0.name == name } }

  private static func below(_ name: String, _ signal: QualitySignal, _ threshold: Double) -> QualityRule {
    QualityRule(name: name, signal: signal, failsIf: .below, threshold: threshold)
  }

  private static func above(_ name: String, _ signal: QualitySignal, _ threshold: Double) -> QualityRule {
    QualityRule(name: name, signal: signal, failsIf: .above, threshold: threshold)
  }

  private static let gopherRepetition = [
    below("gopher_rep.empty", .characters, 1),
    above("gopher_rep.dup_para_frac", .duplicateParagraphs, 0.3),
    above("gopher_rep.dup_para_char_frac", .duplicateParagraphCharacters, 0.2),
    above("gopher_rep.dup_line_frac", .duplicateLines, 0.3),
    above("gopher_rep.dup_line_char_frac", .duplicateLineCharacters, 0.2),
    above("gopher_rep.top_2_gram", .top2Gram, 0.2),
    above("gopher_rep.top_3_gram", .top3Gram, 0.18),
    above("gopher_rep.top_4_gram", .top4Gram, 0.16),
    above("gopher_rep.duplicated_5_n_grams", .duplicated5Grams, 0.15),
    above("gopher_rep.duplicated_6_n_grams", .duplicated6Grams, 0.14),
    above("gopher_rep.duplicated_7_n_grams", .duplicated7Grams, 0.13),
    above("gopher_rep.duplicated_8_n_grams", .duplicated8Grams, 0.12),
    above("gopher_rep.duplicated_9_n_grams", .duplicated9Grams, 0.11),
    above("gopher_rep.duplicated_10_n_grams", .duplicated10Grams, 0.10),
  ]

  private static let gopherQuality = [
    below("gopher_quality.gopher_short_doc", .nonSymbolWords, 50),
    above("gopher_quality.gopher_long_doc", .nonSymbolWords, 100_000),
    below("gopher_quality.gopher_below_avg_threshold", .averageWordLength, 3),
    above("gopher_quality.gopher_above_avg_threshold", .averageWordLength, 10),
    above("gopher_quality.gopher_too_many_hashes", .hashRatio, 0.1),
    above("gopher_quality.gopher_too_many_ellipsis", .ellipsisRatio, 0.1),
    above("gopher_quality.gopher_too_many_bullets", .bulletLines, 0.9),
    above("gopher_quality.gopher_too_many_end_ellipsis", .ellipsisLines, 0.3),
    below("gopher_quality.gopher_below_alpha_threshold", .alphabeticWords, 0.8),
    below("gopher_quality.gopher_enough_stop_words", .stopWords, 2),
  ]

  private static let c4Quality = [
    above("c4.lorem_ipsum", .loremIpsum, 0),
    above("c4.curly_bracket", .curlyBracket, 0),
    below("c4.too_few_sentences", .sentences, 5),
  ]

  private static let finewebQuality = [
    below("fineweb.empty", .rewrittenLines, 1),
    below("fineweb.line_punct_ratio", .punctuatedLines, 0.12),
    above("fineweb.short_line_ratio", .shortLines, 0.67),
    above("fineweb.char_dup_ratio", .duplicateCharacters, 0.01),
    above("fineweb.list_ratio", .lineFeedRatio, 0.3),
  ]
}
