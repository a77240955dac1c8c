/// The IPv4 addresses that spaCy takes for a host: four numbers, but none of the private networks.
///
/// `\d` stands for any decimal digit, so some places allow digits of other scripts, as in the pattern.
struct IPv4Pattern {
  let classes: ScalarClassTable

  func matches(_ text: UnsafePointer<UInt8>, _ range: Range<Int>) -> Bool {
    guard range.count <= 64 else { return false }
    var parts: [[UInt32]] = [[]]
    var index = range.lowerBound
    while index < range.upperBound {
      let scalar = text.scalar(at: index, end: range.upperBound)
      index += scalar.byteCount
      if scalar.value == 0x2E {
        parts.append([])
      } else if classes[scalar.value].contains(.decimal), parts[parts.count - 1].count < 3 {
        parts[parts.count - 1].append(scalar.value)
      } else {
        return false
      }
    }
    return parts.count == 4 && isFirst(parts[0]) && isMiddle(parts[1]) && isMiddle(parts[2])
      && isLast(parts[3])
      && !isPrivate(parts[0], parts[1])
  }

  /// `[1-9]\d?|1\d\d|2[01]\d|22[0-3]`
  private func isFirst(_ part: [UInt32]) -> Bool {
    guard part.count == 3 else { return isShort(part) }
    return part[0] == one || part[0] == two && (part[1] == zero || part[1] == one)
      || part[0] == two && part[1] == two && (zero...three).contains(part[2])
  }

  /// `1?\d{1,2}|2[0-4]\d|25[0-5]`
  private func isMiddle(_ part: [UInt32]) -> Bool {
    guard part.count == 3 else { return !part.isEmpty }
    return part[0] == one || part[0] == two && (zero...four).contains(part[1])
      || part[0] == two && part[1] == five && (zero...five).contains(part[2])
  }

  /// `[1-9]\d?|1\d\d|2[0-4]\d|25[0-4]`
  private func isLast(_ part: [UInt32]) -> Bool {
    guard part.count == 3 else { return isShort(part) }
    return part[0] == one || part[0] == two && (zero...four).contains(part[1])
      || part[0] == two && part[1] == five && (zero...four).contains(part[2])
  }

  /// `[1-9]\d?`
  private func isShort(_ part: [UInt32]) -> Bool {
    (1...2).contains(part.count) && (one...nine).contains(part[0])
  }

  private func isPrivate(_ first: [UInt32], _ second: [UInt32]) -> Bool {
    switch first {
    case [one, zero], [one, two, seven]: true
    case [one, six, nine]: second == [two, five, four]
    case [one, nine, two]: second == [one, six, eight]
    case [one, seven, two]:
      second.count == 2
        && (second[0] == one && (six...nine).contains(second[1]) || second[0] == two
          || second[0] == three && (zero...one).contains(second[1]))
    default: false
    }
  }
}

private let (zero, one, two, three, four) = (
  0x30 as UInt32, 0x31 as UInt32, 0x32 as UInt32, 0x33 as UInt32, 0x34 as UInt32
)
private let (five, six, seven, eight, nine) = (
  0x35 as UInt32, 0x36 as UInt32, 0x37 as UInt32, 0x38 as UInt32, 0x39 as UInt32
)
