import ArgumentParser

/// Names of columns as a user lists them: with commas between; a name that holds a comma or a quote stands in double
/// quotes, quotes within written twice.
struct ColumnList: ExpressibleByArgument {
  let names: [String]

  init?(argument: String) {
    var names: [String] = []
    var rest = Substring(argument)
    while true {
      guard let name = Self.next(&rest), !name.isEmpty, !names.contains(name) else { return nil }
      names.append(name)
      if rest.isEmpty { break }
      rest.removeFirst()
    }
    self.names = names
  }

  /// Takes a name off the front, up to the next comma.
  private static func next(_ rest: inout Substring) -> String? {
    guard rest.first == "\"" else {
      let name = rest.prefix { $0 != "," }
      rest = rest[name.endIndex...]
      return String(name)
    }
    var name = ""
    rest.removeFirst()
    while let character = rest.popFirst() {
      guard character == "\"" else {
        name.append(character)
        continue
      }
      if rest.first != "\"" { return rest.isEmpty || rest.first == "," ? name : nil }
      name.append(rest.removeFirst())
    }
    return nil
  }
}
