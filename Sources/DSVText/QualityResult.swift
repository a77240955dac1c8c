/// What a scorer finds of one document.
package struct QualityResult: Sendable {
  /// Each signal, in the order of `QualitySignal.allCases`; NaN where it is not defined.
  package internal(set) var signals = InlineArray<32, Double>(repeating: .nan)
  /// The first rule of the profile that the document fails, as an index into its rules; nil if it is kept.
  package internal(set) var failedRule: Int?

  /// Whether the document passes every rule.
  package var isKept: Bool { failedRule == nil }

  /// The value of one signal; NaN where it is not defined.
  package internal(set) subscript(signal: QualitySignal) -> Double {
    get { signals[signal.index] }
    set { signals[signal.index] = newValue }
  }
}
