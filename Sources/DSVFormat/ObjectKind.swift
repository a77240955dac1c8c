/// What an object holds. Part of what its ID is computed over, and written beside its stored bytes.
package enum ObjectKind: UInt8, Sendable, CaseIterable {
  /// A run of consecutive values of one column.
  case chunk = 1
  /// An inner node of a column tree.
  case node = 2
  case snapshot = 3
  case commit = 4

  /// The revision that nodes, snapshots and commits are written in, and begin with.
  package static let revision: UInt8 = 1
}
