/// A pattern of `like`, taken apart.
struct LikePattern: Hashable, Sendable {
  enum Part: Hashable {
    /// One byte of a character that stands for itself.
    case byte(UInt8)
    /// `_`: any one character.
    case one
    /// `%`: any characters, or none.
    case any
  }

  /// No two of `any` are neighbours.
  let parts: [Part]

  /// Nil if the pattern ends with its escape character.
  init?(_ pattern: String, escape: Unicode.Scalar?) {
    var parts: [Part] = []
    var escaped = false
    for scalar in pattern.unicodeScalars {
      if !escaped, scalar == escape {
        escaped = true
      } else if !escaped, scalar == "%" {
        if parts.last != .any { parts.append(.any) }
      } else if !escaped, scalar == "_" {
        parts.append(.one)
      } else {
        escaped = false
        parts += UTF8.encode(scalar)!.map { .byte($0) }
      }
    }
    if escaped { return nil }
    self.parts = parts
  }

  /// The bytes that every match begins with.
  var prefix: [UInt8] { LikePattern.bytes(parts[...]) }

  /// The pattern as a plain question about a text, if it is one.
  var plain: (search: Search?, text: [UInt8])? {
    let bytes = LikePattern.bytes(parts.drop { $0 == .any })
    let leading = parts.first == .any
    let trailing = parts.last == .any && parts.count > 1
    guard bytes.count + (leading ? 1 : 0) + (trailing ? 1 : 0) == parts.count else { return nil }
    switch (leading, trailing) {
    case (false, false): return (nil, bytes)
    case (false, true): return (.startsWith, bytes)
    case (true, false): return (bytes.isEmpty ? .startsWith : .endsWith, bytes)
    case (true, true): return (.contains, bytes)
    }
  }

  private static func bytes(_ parts: ArraySlice<Part>) -> [UInt8] {
    var bytes: [UInt8] = []
    for part in parts {
      guard case .byte(let byte) = part else { break }
      bytes.append(byte)
    }
    return bytes
  }

  /// Whether all of `text` matches.
  ///
  /// A mismatch goes back to the last `%` only, which then takes one byte more: at most
  /// (bytes of text) × (parts) steps.
  func matches(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    parts.withUnsafeBufferPointer { parts in
      var at = 0
      var part = 0
      var retry: (at: Int, part: Int)?
      while at < text.count || part < parts.count {
        if part < parts.count {
          switch parts[part] {
          case .any:
            part += 1
            if part == parts.count { return true }
            retry = (at, part)
            continue
          case .byte(let byte) where at < text.count && text[at] == byte:
            at += 1
            part += 1
            continue
          case .one where at < text.count && text[at] & 0xc0 != 0x80:
            at += 1
            while at < text.count, text[at] & 0xc0 == 0x80 { at += 1 }
            part += 1
            continue
          case .byte, .one: break
          }
        }
        guard let last = retry, last.at < text.count else { return false }
        at = last.at + 1
        part = last.part
        retry = (at, part)
      }
      return true
    }
  }
}

/// Where one text is sought in another.
enum Search: Hashable, Sendable {
  case contains, startsWith, endsWith
}
