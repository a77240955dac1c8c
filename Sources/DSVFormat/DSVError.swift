/// The one error that dsv throws.
///
/// `code` is for programs, `message` for people. The message says what happened, to what, and,
/// where something can be done, what. User values stay out of messages.
public struct DSVError: Error, Sendable {
  /// What a caller can act on. New cases appear only when a caller would act differently.
  @nonexhaustive
  public enum Code: String, Sendable {
    /// The named object, version, ref, table or column does not exist.
    case notFound
    /// Someone else moved the ref first, or the name is taken. Re-read it and try again.
    case conflict
    /// Stored bytes are not what was written. Retrying does not help.
    case corrupt
    /// Valid, but written by a newer dsv.
    case unsupportedFormat
    /// A size limit, or the disk, is exhausted. Nothing was changed.
    case full
    /// What the caller gave cannot be used; the message says where and why. Nothing was changed.
    case badInput
    /// Another process holds what is needed. Try again.
    case busy
    /// The key of an encrypted repository is missing or is not the one.
    case wrongKey
    /// A remote refuses who asks: there are no credentials, they are not taken, or they may not do that.
    case denied
    /// The caller asked to stop. Nothing was changed.
    case interrupted
    /// The operating system refused; `cause` has its word.
    case io
  }

  public let code: Code
  public let message: String
  /// The lower-level error that led here, if any.
  public let cause: (any Error)?

  package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.cause = cause
  }
}

extension DSVError: CustomStringConvertible {
  public var description: String { "\(code): \(text)" }

  /// For people: the message, and in brackets what led to it, as far as it does not say that itself.
  package var text: String {
    var (text, next) = (message, cause)
    while let error = next {
      let inner = error as? DSVError
      let words = Self.rest(of: inner?.message ?? "\(error)", beside: text)
      if !text.contains(words) { text += " (\(words))" }
      next = inner?.cause
    }
    return text
  }

  /// What a cause says without the names of what it is about, as far as these have been told.
  private static func rest(of cause: String, beside told: String) -> String {
    var rest = Substring(cause)
    while let colon = rest.firstRange(of: ": "), told.contains(rest[..<colon.upperBound]) {
      rest = rest[colon.upperBound...]
    }
    return String(rest)
  }
}
