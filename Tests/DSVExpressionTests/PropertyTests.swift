import DSVExpression
import DSVFormat
import Testing

@Suite struct PropertyTests {
  @Test(
    "evaluation agrees with the reference, pruning with evaluation, text with parsing",
    arguments: 0..<24 as Range<UInt64>)
  func agreement(seed: UInt64) throws {
    print("seed", seed)
    var expressions = RandomExpressions(seed: seed)
    var outcomes: [PruningPredicate.Outcome: Int] = [:]
    for round in 0..<120 {
      let batch = expressions.batch(rowCount: expressions.pick([1, 2, 7, 63, 64, 65, 130]))
      let expression = expressions.condition(expressions.pick([1, 2, 3, 4]))
      let text = expression.description
      #expect(try Expression(parsing: text) == expression, "seed \(seed), round \(round): \(text)")
      let checked = try CheckedExpression(parsing: text, fields: batch.fields)
      let evaluator = ExpressionEvaluator(checked)
      let wanted = (0..<batch.rowCount).map { Reference(batch: batch, row: $0).isSelected(expression) }
      for _ in 0..<2 {
        let found = batch.select(evaluator)
        #expect(found == wanted, "seed \(seed), round \(round): \(text)")
      }
      for tellsNaN in [true, false] {
        let statistics = checked.columns.map { batch.statistics($0, tellsNaN: tellsNaN) }
        let outcome = PruningPredicate(checked).outcome(statistics, rowCount: batch.rowCount)
        outcomes[outcome, default: 0] += 1
        if outcome == .none { #expect(!wanted.contains(true), "seed \(seed), round \(round): \(text)") }
        if outcome == .all { #expect(!wanted.contains(false), "seed \(seed), round \(round): \(text)") }
      }
    }
    // A predicate that never decides would pass, too.
    #expect(outcomes[.none] ?? 0 > 10 && outcomes[.all] ?? 0 > 3, "\(outcomes)")
  }

  @Test(
    "random bytes and damaged expressions throw or parse, and never crash", arguments: 0..<8 as Range<UInt64>)
  func fuzz(seed: UInt64) {
    print("seed", seed)
    var expressions = RandomExpressions(seed: seed)
    let alphabet = Array("()'\"`<>=!+-*/%,. \n_0129eaéand or not in between is null like".unicodeScalars)
    var parsed = 0
    for round in 0..<1500 {
      var scalars = Array(expressions.condition(3).description.unicodeScalars)
      if round % 3 == 0 { scalars = (0..<40).map { _ in expressions.pick(alphabet) } }
      for _ in 0..<expressions.pick([0, 1, 2, 5]) where !scalars.isEmpty {
        let at = Int.random(in: 0..<scalars.count, using: &expressions.random)
        switch expressions.pick([0, 1, 2]) {
        case 0: scalars.remove(at: at)
        case 1: scalars[at] = expressions.pick(alphabet)
        default:
          scalars.insert(Unicode.Scalar(UInt32.random(in: 0..<0xd800, using: &expressions.random))!, at: at)
        }
      }
      var text = String.UnicodeScalarView()
      text.append(contentsOf: scalars)
      do throws(DSVError) {
        let expression = try Expression(parsing: String(text))
        #expect(try! Expression(parsing: expression.description) == expression)
        let checked = try CheckedExpression(parsing: String(text), fields: RandomExpressions.fields)
        _ = expressions.batch(rowCount: 9).select(ExpressionEvaluator(checked))
        parsed += 1
      } catch {
        #expect(error.code == .badInput || error.code == .notFound)
      }
    }
    #expect(parsed > 100)
  }

  @Test(
    "bytes that are no UTF-8 are read as they are, and not past their end", arguments: 0..<4 as Range<UInt64>)
  func damagedTexts(seed: UInt64) throws {
    print("seed", seed)
    var expressions = RandomExpressions(seed: seed)
    let fields = [Field("s", .utf8), Field("t", .utf8)]
    for text in [
      "contains(s, 'a')", "contains(s, 'aa')", "contains(s, t)", "length(lower(s)) > 1",
      "length(upper(s)) > 1",
      "trim(s) = t", "s like '_%a_'", "s < t", "starts_with(s, t)", "ends_with(s, t)", "s in ('a', 'aa', t)",
      "coalesce(lower(trim(s)), upper(t)) = 'a'", "byte_length(s) >= length(s)",
    ] {
      let evaluator = ExpressionEvaluator(try CheckedExpression(parsing: text, fields: fields))
      for rowCount in [0, 1, 9, 200] {
        var data: [UInt8] = []
        var offsets: [UInt32] = [0]
        for _ in 0..<rowCount {
          for _ in 0..<expressions.pick([0, 1, 3, 8, 40]) {
            data.append(expressions.pick([0x61, 0x20, 0x80, 0xc3, 0xa9, 0xe5, 0xf0, 0xff, 0]))
          }
          offsets.append(UInt32(data.count))
        }
        // Memory of exactly the size that the contract asks for, so that a sanitizer sees more being read.
        let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: data.count)
        defer { bytes.deallocate() }
        _ = bytes.initialize(from: data)
        let column = ExpressionColumn(
          .bytes(
            offsets: offsets.withUnsafeBufferPointer { UnsafePointer(copy($0)) }, data: bytes.baseAddress!))
        defer { if case .bytes(let offsets, _) = column.values { offsets.deallocate() } }
        var selection = Selection()
        evaluator.select(
          evaluator.expression.columns.map { _ in column }, rowCount: rowCount, into: &selection)
        #expect(selection.count <= rowCount)
        if text.hasPrefix("byte_length") { #expect(selection.count == rowCount) }
      }
    }
  }

  private func copy(_ offsets: UnsafeBufferPointer<UInt32>) -> UnsafeMutablePointer<UInt32> {
    let copy = UnsafeMutablePointer<UInt32>.allocate(capacity: offsets.count)
    copy.initialize(from: offsets.baseAddress!, count: offsets.count)
    return copy
  }
}
