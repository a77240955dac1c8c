/// Names for what an object holds. Never instantiated.
public enum AnyKind {}
/// A run of one column's values, or a node above such runs: what a column's root may be.
public enum ColumnKind {}
public enum SnapshotKind {}
public enum CommitKind {}

public typealias AnyID = ObjectID<AnyKind>
public typealias ColumnID = ObjectID<ColumnKind>
public typealias SnapshotID = ObjectID<SnapshotKind>
public typealias CommitID = ObjectID<CommitKind>

/// The digest (32 bytes) of an object's kind and plain content, which is also its name: see ``ObjectNaming``.
///
/// `Kind` keeps a commit's ID from being passed where a column's is meant; it takes no space.
public struct ObjectID<Kind>: Hashable, Sendable {
  public static var byteCount: Int { 32 }

  // Four big-endian words, so that equality and hashing are synthesized.
  package let w0, w1, w2, w3: UInt64

  package init(_ w0: UInt64, _ w1: UInt64, _ w2: UInt64, _ w3: UInt64) {
    (self.w0, self.w1, self.w2, self.w3) = (w0, w1, w2, w3)
  }

  /// The same 32 bytes, as the name of another kind of object.
  package init<Other>(_ other: ObjectID<Other>) {
    self.init(other.w0, other.w1, other.w2, other.w3)
  }

  /// Reads an ID from 64 hexadecimal digits; `nil` for anything else.
  public init?(hex: some StringProtocol) {
    let digits = Array(hex.utf8)
    guard digits.count == 64 else { return nil }
    var words: [UInt64] = []
    for start in stride(from: 0, to: 64, by: 16) {
      var word: UInt64 = 0
      for digit in digits[start..<start + 16] {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): word = word << 4 | UInt64(digit - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): word = word << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
        default: return nil
        }
      }
      words.append(word)
    }
    self.init(words[0], words[1], words[2], words[3])
  }
}

extension ObjectID {
  /// The ID's 32 bytes, as they stand in a file.
  package var bytes: [UInt8] {
    [w0, w1, w2, w3].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } }
  }
}

extension ObjectID: Comparable {
  public static func < (a: Self, b: Self) -> Bool {
    (a.w0, a.w1, a.w2, a.w3) < (b.w0, b.w1, b.w2, b.w3)
  }
}

extension ObjectID: CustomStringConvertible {
  /// 64 lower-case hexadecimal digits.
  public var description: String {
    // Every read names what it reads, in case that goes wrong.
    String(unsafeUninitializedCapacity: 64) { text in
      for (index, word) in [w0, w1, w2, w3].enumerated() {
        for digit in 0..<16 {
          let value = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * digit)) & 15
          text[index * 16 + digit] = value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value
        }
      }
      return 64
    }
  }

  /// The first 12 digits, for people.
  public var short: String { String(description.prefix(12)) }
}
