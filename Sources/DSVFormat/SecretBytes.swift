/// Bytes that nobody else is to see: kept out of swap where the system allows it, out of core dumps, and
/// wiped when the last reference goes.
package final class SecretBytes: @unchecked Sendable {
  // Unchecked because of the pointer: nothing writes there once `init` has returned.
  private let bytes: UnsafeMutableRawBufferPointer

  /// - Parameter fill: is given `count` zero bytes to write to. If it throws, they are wiped at once.
  package init<E: Error>(
    count: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(E) -> Void
  ) throws(E) {
    bytes = SecretMemory.shared.allocate(count)
    try fill(bytes)
  }

  package convenience init(copying bytes: UnsafeRawBufferPointer) {
    self.init(count: bytes.count) { $0.copyMemory(from: bytes) }
  }

  package static func random(_ count: Int) -> SecretBytes {
    SecretBytes(count: count) { RandomSource.fill($0) }
  }

  deinit { SecretMemory.shared.free(bytes) }

  package var count: Int { bytes.count }

  package func withBytes<Value, E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> Value
  ) throws(E) -> Value {
    try body(UnsafeRawBufferPointer(bytes))
  }
}

extension SecretBytes: Equatable {
  /// Takes as long whether and wherever the bytes differ.
  package static func == (a: SecretBytes, b: SecretBytes) -> Bool {
    Wiping.areEqual(UnsafeRawBufferPointer(a.bytes), UnsafeRawBufferPointer(b.bytes))
  }
}

extension SecretBytes: CustomStringConvertible {
  /// Says nothing, so that no message and no log does.
  package var description: String { "\(count) secret bytes" }
}
