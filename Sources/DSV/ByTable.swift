import DSVFormat

/// What each table of a version came to, in the order of their names.
///
/// Names are told apart by their bytes: the two spellings of one text that Swift's `String` counts as equal, as those of é,
/// are the names of two tables, and as keys of a dictionary would be one.
public struct ByTable<Value: Sendable>: Sendable, RandomAccessCollection {
  private var entries: [(table: String, value: Value)]

  init(_ entries: [(table: String, value: Value)]) {
    self.entries = entries.sorted { $0.table.utf8.lexicographicallyPrecedes($1.table.utf8) }
  }

  public var startIndex: Int { 0 }
  public var endIndex: Int { entries.count }
  public subscript(position: Int) -> (table: String, value: Value) { entries[position] }

  /// The value of the table with this name; `nil` if there is none.
  public subscript(table: String) -> Value? { entries.first { $0.table.hasSameBytes(as: table) }?.value }

  public var tables: [String] { entries.map(\.table) }
  public var values: [Value] { entries.map(\.value) }
}

extension ByTable: Equatable where Value: Equatable {
  public static func == (a: Self, b: Self) -> Bool {
    a.elementsEqual(b) { $0.table.hasSameBytes(as: $1.table) && $0.value == $1.value }
  }
}

extension ByTable: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral elements: (String, Value)...) {
    self.init(elements.map { (table: $0.0, value: $0.1) })
  }
}
