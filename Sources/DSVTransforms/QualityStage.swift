import DSVColumns
package import DSVFormat
package import DSVTables
package import DSVText
import Synchronization

/// Measures the quality of a text and drops rows by a profile's thresholds.
package struct QualityStage: Stage {
  package let profile: QualityProfile
  /// The column of text.
  package let column: String
  /// The column that the signals go to.
  package let target: String
  private let thresholds: [String: Double?]

  package static let name = "quality"
  package var name: String { Self.name }
  package var revision: Int { QualityProfile.revision }

  /// - Parameters:
  ///   - profile: a profile's name; `fineweb`, without what is after `@`, is enough.
  ///   - thresholds: other thresholds by rule; `nil` takes a rule out.
  package init(
    profile name: String = QualityProfile.fineweb.name, column: String = "text", target: String = "quality",
    thresholds: [String: Double?] = [:]
  ) throws(DSVError) {
    let found = QualityProfile.all.first { $0.name == name || $0.name.prefix { $0 != "@" } == name }
    guard var profile = found else {
      let known = QualityProfile.all.map(\.name).joined(separator: ", ")
      throw DSVError(.badInput, "there is no quality profile '\(name)'; there are: \(known)")
    }
    for (rule, threshold) in thresholds.sorted(by: { $0.key < $1.key }) {
      let changed =
        if let threshold { profile.replacingThreshold(of: rule, with: threshold) } else {
          profile.removing(rule: rule)
        }
      guard let changed else {
        let known = profile.rules.map(\.name).joined(separator: ", ")
        throw DSVError(.badInput, "profile \(profile.name) has no rule '\(rule)'; it has: \(known)")
      }
      profile = changed
    }
    (self.profile, self.column, self.target, self.thresholds) = (profile, column, target, thresholds)
  }

  package var parameters: [String: Parameter] {
    var result: [String: Parameter] = [
      "profile": .text(profile.name), "column": .text(column), "as": .text(target),
    ]
    if !thresholds.isEmpty {
      result["thresholds"] = .table(thresholds.mapValues { $0.map(Parameter.number) ?? .flag(false) })
    }
    return result
  }

  package var reads: [String] { [column] }

  /// A struct for each filter, a field for each of its signals: `quality.gopher_rep.dup_line_frac`.
  package var writes: Field? {
    var groups: [(name: String, fields: [Field])] = []
    for signal in QualitySignal.allCases {
      let (group, name) = signal.place
      let field = Field(name, signal.isCount ? .int64 : .float64)
      if let index = groups.firstIndex(where: { $0.name == group }) {
        groups[index].fields.append(field)
      } else {
        groups.append((group, [field]))
      }
    }
    return Field(target, .struct(groups.map { Field($0.name, .struct($0.fields)) }), isSignal: true)
  }

  package var reasons: [DropReason] {
    profile.rules.map { rule in
      DropReason(
        stage: name, profile: profile.name, rule: rule.name, signal: "\(target).\(rule.signal.rawValue)",
        condition: "\(rule.failsIf == .below ? ">=" : "<=") \(rule.threshold)")
    }
  }

  package func check(_ fields: [Field]) throws(DSVError) {
    if let field = fields.first(where: { $0.name.hasSameBytes(as: target) }), !field.isSignal {
      throw DSVError(.badInput, "column '\(target)' holds data; give the signals another name with 'as'")
    }
    guard let type = fields.first(where: { $0.name.hasSameBytes(as: column) })?.type, type != .utf8,
      type != .null
    else {
      return
    }
    let advice =
      type == .json
      ? "some of its rows are not text; see the note that its commit gave"
      : "name a column of text with --column"
    throw DSVError(.badInput, "column '\(column)' is \(type), and quality is measured of text: \(advice)")
  }

  package func makeWorker() -> any StageWorker { QualityWorker(profile) }
}

extension QualitySignal {
  /// Whether its values are whole numbers.
  fileprivate var isCount: Bool {
    switch self {
    case .characters, .words, .nonSymbolWords, .stopWords, .loremIpsum, .curlyBracket, .sentences, .keptLines,
      .rewrittenLines:
      true
    default: false
    }
  }

  /// Its filter's name, and its own.
  fileprivate var place: (group: String, name: String) {
    let parts = rawValue.split(separator: ".", maxSplits: 1)
    return (String(parts[0]), String(parts[parts.count - 1]))
  }
}

private final class QualityWorker: StageWorker {
  /// Held while a text of more than `largeByteCount` is scored, which takes up to twenty times its size: so that large
  /// ones, which are few, do not add up.
  private static let largeText = Mutex(())
  private static let largeByteCount = 1 << 20

  private var scorer: QualityScorer

  init(_ profile: QualityProfile) { scorer = QualityScorer(profile: profile) }

  func run(_ batch: StageBatch) throws(DSVError) -> StageOutput {
    let signalCount = QualitySignal.count
    var output = StageOutput(rowCount: batch.rows.count, signalCount: signalCount)
    let column = batch.columns[0]
    for row in batch.rows where batch.isLive(row) {
      let index = row - batch.rows.lowerBound
      let result = try column.withText(row) { score($0) }
      for signal in 0..<signalCount { output.signals[index * signalCount + signal] = result.signals[signal] }
      output.verdicts[index] = result.failedRule ?? StageOutput.kept
    }
    return output
  }

  private func score(_ text: UnsafeRawBufferPointer) -> QualityResult {
    if text.count <= Self.largeByteCount { return scorer.score(text) }
    return Self.largeText.withLock { _ in scorer.score(text) }
  }
}

extension FieldCursor {
  /// The loaded text of a row; no text where there is no value.
  func withText<Value>(_ row: Int, _ body: (UnsafeRawBufferPointer) -> Value) throws(DSVError) -> Value {
    if isNull(row) { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
    let slice = loaded
    let index = row - slice.startRow
    if !slice.array.isBlob(index) { return body(slice.array.bytes(index)) }
    return try blob(row).withUnsafeBytes { body($0) }
  }
}
