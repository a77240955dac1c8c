/// spaCy's second pass for exceptions: where the patterns have split one apart, its tokens become those of the exception.
///
/// The longest match wins, then the first. A match across a space changes nothing, but hides the shorter ones that it
/// overlaps, as in spaCy.
struct PhraseMatcher {
  /// The node that follows a node, by node number, shifted left by 32 bits, and word.
  private var next: [UInt64: UInt32] = [:]
  /// The exception whose pattern ends at each node.
  private var ends: [Int?] = [nil]
  /// Which words follow each other in some pattern: the first one shifted left by 32 bits, and the second.
  private var pairs: Set<UInt64> = []
  /// The words of the longest pattern.
  private var depth = 0

  private struct Match {
    var start: Int
    var end: Int
    var special: Int
  }

  /// Adds the pattern of the exception of that number.
  mutating func add(_ pattern: [UInt32], special: Int) {
    var node: UInt32 = 0
    for word in pattern {
      let step = UInt64(node) << 32 | UInt64(word)
      if let known = next[step] {
        node = known
      } else {
        node = UInt32(ends.count)
        next[step] = node
        ends.append(nil)
      }
    }
    ends[Int(node)] = special
    for (first, second) in zip(pattern, pattern.dropFirst()) {
      pairs.insert(UInt64(first) << 32 | UInt64(second))
    }
    depth = max(depth, pattern.count)
  }

  /// Whether `second` comes right after `first` in some pattern.
  func holdsPair(_ first: UInt32, _ second: UInt32) -> Bool {
    pairs.contains(UInt64(first) << 32 | UInt64(second))
  }

  /// Applies the exceptions to the tokens of `tokens` from `first` on; returns whether one of them changed.
  func apply(
    to tokens: inout ReusedBuffer<Token>, from first: Int, _ cases: borrowing SpecialCases,
    _ words: borrowing WordTable
  ) -> Bool {
    let matches = longestMatches(tokens, first, words)
    guard !matches.isEmpty else { return false }
    let old = Array(UnsafeBufferPointer(start: tokens.base + first, count: tokens.count - first))
    tokens.truncate(to: first)
    var position = first
    var changed = false
    for match in matches {
      while position < match.start {
        tokens.append(old[position - first])
        position += 1
      }
      var start = old[match.start - first].start
      let replacement = cases.words(of: match.special)
      changed =
        changed || !replacement.elementsEqual(old[match.start - first..<match.end - first].map(\.word))
      for word in replacement {
        tokens.append(Token(word: word, start: start))
        start &+= words.traits[Int(word)].byteCount
      }
      position = match.end
    }
    for token in old[(position - first)...] { tokens.append(token) }
    return changed
  }

  /// The matches that overlap no longer one, and of those the ones without white space inside, in order.
  private func longestMatches(
    _ tokens: borrowing ReusedBuffer<Token>, _ first: Int, _ words: borrowing WordTable
  ) -> [Match] {
    var found: [Match] = []
    for start in first..<tokens.count
    where words.traits[Int(tokens[start].word)].flags.contains(.startsPhrase) {
      var node: UInt32 = 0
      var end = start
      while end < tokens.count, let step = next[UInt64(node) << 32 | UInt64(tokens[end].word)] {
        node = step
        end += 1
        if let special = ends[Int(node)] { found.append(Match(start: start, end: end, special: special)) }
      }
    }
    guard !found.isEmpty else { return [] }
    var kept: [Match] = []
    var seen = [Bool](repeating: false, count: tokens.count - first)
    for length in stride(from: depth, to: 1, by: -1) {
      for match in found where match.end - match.start == length {
        if !seen[match.start - first], !seen[match.end - 1 - first] { kept.append(match) }
        for position in match.start..<match.end { seen[position - first] = true }
      }
    }
    return kept.filter { isUnbroken(tokens, $0, words) }.sorted { $0.start < $1.start }
  }

  private func isUnbroken(
    _ tokens: borrowing ReusedBuffer<Token>, _ match: Match, _ words: borrowing WordTable
  ) -> Bool {
    for position in match.start..<match.end - 1 {
      let byteCount = words.traits[Int(tokens[position].word)].byteCount
      if tokens[position].start &+ byteCount != tokens[position + 1].start { return false }
    }
    return true
  }
}
