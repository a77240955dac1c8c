package import DSVColumns
package import DSVFormat
import DSVStore

extension Repository {
  /// Runs `body` while gc is kept away: what can be read when it begins can be read until it ends.
  ///
  /// Not for use inside a collection of garbage, which waits for `body`.
  ///
  /// - Throws: `busy` if gc goes on for more than a minute, and what `body` throws.
  package func reading<Value>(_ body: (ObjectReader) throws(DSVError) -> Value) throws(DSVError) -> Value {
    let lease = try store.lease()
    defer { withExtendedLifetime(lease) {} }
    return try body(reader)
  }
}
