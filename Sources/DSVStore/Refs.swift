package import DSVFormat

/// What a ref points at.
package enum RefTarget: Hashable, Sendable {
  case commit(CommitID)
  /// Another ref, by name: how HEAD names a branch.
  case symbolic(String)
}

/// One ref to be moved in a publication.
package struct RefMove: Sendable {
  /// What the ref must be now for the move to be made.
  package enum Expectation: Sendable, Equatable {
    case anything
    /// The ref must not exist.
    case nothing
    case target(RefTarget)
  }

  package let name: String
  package let expected: Expectation
  /// Where it goes; `nil` deletes it.
  package let new: RefTarget?
  /// Why, for the reflog: `"commit: clean the titles"`.
  package let action: String

  package init(_ name: String, expected: Expectation, new: RefTarget?, action: String) {
    (self.name, self.expected, self.new, self.action) = (name, expected, new, action)
  }
}

/// A ref that was moved, as the reflog remembers it.
package struct ReflogEntry: Sendable, Equatable {
  /// Seconds since 1970.
  package let time: Int
  package let name: String
  package let old: RefTarget?
  package let new: RefTarget?
  /// The version number that `new` was given in the same publication, if it was.
  package let number: Int?
  package let action: String
}

/// Longest name of a ref in bytes of UTF-8: what fits a key of the index.
let refNameByteCountMax = 400

/// Throws `.badInput` for what cannot be a ref's name.
func checkRefName(_ name: String) throws(DSVError) {
  guard !name.isEmpty, name.utf8.count <= refNameByteCountMax, !name.utf8.contains(0) else {
    throw DSVError(.badInput, "a ref's name has 1 to \(refNameByteCountMax) bytes, none of them zero")
  }
}
