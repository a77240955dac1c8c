/// A name of a field as a key: equal to another if their bytes of UTF-8 are.
///
/// Swift's `String` counts two spellings of one text, such as é as one code point or as two, as equal. To a dataset
/// they are two names: whoever looks a field up by name compares these.
package struct FieldName: Hashable, Sendable {
  package let text: String

  package init(_ text: String) { self.text = text }

  package static func == (a: Self, b: Self) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }

  package func hash(into hasher: inout Hasher) {
    for byte in text.utf8 { hasher.combine(byte) }
    hasher.combine(UInt8(0xff))
  }
}

extension String {
  /// Whether both are the same bytes of UTF-8, which `==` does not ask for.
  package func hasSameBytes(as other: some StringProtocol) -> Bool { utf8.elementsEqual(other.utf8) }
}
