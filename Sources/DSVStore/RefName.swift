package import DSVFormat

/// The names that refs are stored under.
package enum RefName {
  package static let head = "HEAD"
  package static func branch(_ name: String) -> String { "heads/" + name }
  package static func tag(_ name: String) -> String { "tags/" + name }
  /// What begins the names of the refs that say where a remote was when it was last looked at.
  package static func remote(_ remote: String) -> String { "remotes/\(remote)/" }

  /// Checks a branch's or tag's name as a user or a remote may give it.
  package static func check(_ name: String) throws(DSVError) {
    func refuse(_ why: String) throws(DSVError) {
      throw DSVError(.badInput, "'\(name)' cannot be a name: \(why)")
    }
    if name.isEmpty || name.utf8.count > 200 { try refuse("it has 1 to 200 bytes") }
    if name == head || name == "@" { try refuse("it means where you are") }
    if name.utf8.count > 1, name.utf8.first == UInt8(ascii: "v"),
      name.utf8.dropFirst().allSatisfy({ (48...57).contains($0) })
    {
      try refuse("it looks like a version number")
    }
    let isClean = name.unicodeScalars.allSatisfy { scalar in
      scalar.value > 0x20 && scalar.value != 0x7f && !"~^:?*[\\".unicodeScalars.contains(scalar)
        && !(0x80...0x9f).contains(scalar.value)
    }
    if !isClean { try refuse("spaces, control characters and ~^:?*[\\ are not allowed") }
    // By bytes: a combining mark behind a character makes it another one to Swift.
    let bytes = Array(name.utf8)
    let (dash, slash, dot) = (UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: "."))
    let isDoubled = zip(bytes, bytes.dropFirst()).contains { $0 == $1 && ($0 == slash || $0 == dot) }
    if bytes.first == dash || bytes.first == slash || bytes.last == slash || isDoubled {
      try refuse("it may not begin with - or /, end with /, or hold // or ..")
    }
  }
}
