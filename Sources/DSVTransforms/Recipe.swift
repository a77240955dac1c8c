package import DSVFormat
import Yams

/// An ordered list of stages, from a file.
///
/// ```yaml
/// table: data            # optional; the default table
/// stages:
///   - quality:           # the stage's name, then what it runs with
///       profile: fineweb
///       thresholds: { gopher_quality.gopher_short_doc: 30, c4.curly_bracket: false }
///   - where: kind = 'text' and length(text) >= 200
/// ```
package struct Recipe: Sendable {
  /// A stage's name and what it is to run with.
  package struct Step: Sendable, Hashable {
    package let name: String
    package let parameters: [String: Parameter]

    package init(name: String, parameters: [String: Parameter] = [:]) {
      (self.name, self.parameters) = (name, parameters)
    }
  }

  package let table: String?
  package let steps: [Step]
  /// The file as it was.
  package let text: String

  package static let byteCountMax = 1 << 20

  package init(table: String? = nil, steps: [Step], text: String = "") {
    (self.table, self.steps, self.text) = (table, steps, text)
  }

  package init(parsing text: String, source: String) throws(DSVError) {
    func refuse(_ what: String) -> DSVError { DSVError(.badInput, "\(source): \(what)") }
    guard text.utf8.count <= Self.byteCountMax else { throw refuse("a recipe has at most 1 MiB") }
    let root: Node?
    do { root = try Yams.compose(yaml: text) } catch { throw refuse("it is not YAML: \(error)") }
    guard let mapping = root?.mapping else { throw refuse("a recipe is a mapping with 'stages'") }
    var table: String?
    var steps: [Step]?
    for (key, value) in mapping {
      switch key.string {
      case "table": table = value.string
      case "stages":
        guard let list = value.sequence else { throw refuse("'stages' is a list") }
        steps = try list.map { (node) throws(DSVError) in try Self.step(node, refuse) }
      default: throw refuse("'\(key.string ?? "?")' is not known; a recipe has 'table' and 'stages'")
      }
    }
    guard let steps, !steps.isEmpty else { throw refuse("it has no stages") }
    self.init(table: table, steps: steps, text: text)
  }

  private static func step(_ node: Node, _ refuse: (String) -> DSVError) throws(DSVError) -> Step {
    if let name = node.string { return Step(name: name) }
    guard let mapping = node.mapping, mapping.count == 1, let (key, value) = mapping.first,
      let name = key.string
    else { throw refuse("a stage is its name, or its name and what it runs with") }
    // A stage of one parameter may be given just that.
    if let text = value.string, name == SelectStage.name {
      return Step(name: name, parameters: ["condition": .text(text)])
    }
    guard case .table(let parameters) = try parameter(value, refuse, depth: 0) else {
      throw refuse("stage '\(name)' takes a mapping of parameters")
    }
    return Step(name: name, parameters: parameters)
  }

  private static func parameter(
    _ node: Node, _ refuse: (String) -> DSVError, depth: Int
  ) throws(DSVError) -> Parameter {
    guard depth < 8 else { throw refuse("parameters are nested too deeply") }
    if let mapping = node.mapping {
      var table: [String: Parameter] = [:]
      for (key, value) in mapping {
        guard let name = key.string, table[name] == nil else { throw refuse("a parameter is named twice") }
        table[name] = try parameter(value, refuse, depth: depth + 1)
      }
      return .table(table)
    }
    guard let scalar = node.scalar else { throw refuse("lists are not parameters") }
    if scalar.style == .plain || scalar.style == .any {
      if let flag = node.bool { return .flag(flag) }
      if let number = Double(scalar.string), number.isFinite { return .number(number) }
    }
    return .text(scalar.string)
  }
}

extension Recipe.Step {
  /// The stage, for a table of these fields.
  package func stage(fields: [Field]) throws(DSVError) -> any Stage {
    func text(_ name: String, or fallback: String) throws(DSVError) -> String {
      switch parameters[name] {
      case nil: return fallback
      case .text(let text): return text
      default: throw DSVError(.badInput, "stage '\(self.name)': '\(name)' is a text")
      }
    }
    func allow(_ known: Set<String>) throws(DSVError) {
      for name in parameters.keys.sorted() where !known.contains(name) {
        throw DSVError(
          .badInput,
          "stage '\(self.name)' has no parameter '\(name)'; it has: \(known.sorted().joined(separator: ", "))"
        )
      }
    }
    switch name {
    case QualityStage.name:
      try allow(["profile", "column", "as", "thresholds"])
      return try QualityStage(
        profile: try text("profile", or: "fineweb"), column: try text("column", or: "text"),
        target: try text("as", or: "quality"), thresholds: try thresholds())
    case SelectStage.name:
      try allow(["condition"])
      return try SelectStage(try text("condition", or: ""), fields: fields)
    default:
      throw DSVError(
        .badInput, "there is no stage '\(name)'; there are: \(QualityStage.name), \(SelectStage.name)")
    }
  }

  private func thresholds() throws(DSVError) -> [String: Double?] {
    guard let given = parameters["thresholds"] else { return [:] }
    guard case .table(let table) = given else {
      throw DSVError(.badInput, "stage '\(name)': 'thresholds' is a mapping from rule to number")
    }
    var result: [String: Double?] = [:]
    for (rule, value) in table {
      switch value {
      case .number(let number): result[rule] = .some(number)
      case .flag(false): result[rule] = .some(nil)
      default: throw DSVError(.badInput, "threshold '\(rule)' is a number, or false to take the rule out")
      }
    }
    return result
  }
}
