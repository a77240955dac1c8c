package import DSVFormat
import Glibc

/// A system call that failed, as the operating system says it.
package struct SystemFailure: Error, Sendable, CustomStringConvertible {
  /// What was called: `"fdatasync"`.
  package let call: String
  /// The value of `errno`.
  package let code: Int32

  /// In the system's words: `Permission denied`.
  package var reason: String { String(cString: strerror(code)) }
  package var description: String { "\(call): \(reason) [\(code)]" }

  /// Whether the system lets this user not write, or nobody.
  package var isRefusal: Bool { [EACCES, EPERM, EROFS].contains(code) }
}

extension DSVError {
  /// The one place where an `errno` becomes an error of ours.
  ///
  /// - Parameters:
  ///   - code: the value of `errno` right after the call.
  ///   - call: the system call, for the cause.
  ///   - path: what it was called on, for the message.
  package static func system(_ code: Int32, _ call: String, _ path: String) -> DSVError {
    let cause = SystemFailure(call: call, code: code)
    return switch code {
    case ENOENT, ENOTDIR: DSVError(.notFound, "\(path): there is no such file or folder", cause: cause)
    case ENOSPC, EDQUOT: DSVError(.full, "\(path): the disk is full", cause: cause)
    case EFBIG: DSVError(.full, "\(path): no file may be so long here", cause: cause)
    case EWOULDBLOCK: DSVError(.busy, "\(path): another process holds it", cause: cause)
    case EEXIST, ENOTEMPTY: DSVError(.conflict, "\(path): it is there already", cause: cause)
    default: DSVError(.io, "\(path): \(call) failed", cause: cause)
    }
  }
}

/// Calls `body` until it is not interrupted by a signal; throws what `errno` says if it returns −1.
func retrying<T: FixedWidthInteger>(
  _ call: String, _ path: String, _ body: () -> T
) throws(DSVError) -> T {
  while true {
    let result = body()
    if result != -1 { return result }
    let code = errno
    if code != EINTR { throw .system(code, call, path) }
  }
}
