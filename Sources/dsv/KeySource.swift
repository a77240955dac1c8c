import ArgumentParser
import DSV
import DSVFormat
import DSVStore
import DSVSystem
import Synchronization

/// Where one user key comes from. What can be read again is read each time: it may have been exchanged.
enum KeySource: Sendable {
  case file(String)
  case command(String)
  /// Asked for on the terminal, or in the file that this environment variable names.
  case passphrase(variable: String)
  /// DSV_KEY, DSV_KEY_FILE or DSV_PASSPHRASE_FILE.
  case environment

  /// What was typed or taken from the environment, which can be had once.
  private static let known = Mutex<UserKey?>(nil)

  /// `nil` if no option says where.
  init?(file: String?, asks: Bool, command: String?, passphraseVariable: String = "DSV_PASSPHRASE_FILE") {
    if let file {
      self = .file(file)
    } else if asks {
      self = .passphrase(variable: passphraseVariable)
    } else if let command {
      self = .command(command)
    } else {
      return nil
    }
  }

  static func refuseSeveral(_ given: [Bool], _ prefix: String) throws {
    guard given.count(where: { $0 }) > 1 else { return }
    throw ValidationError("Give one of \(prefix)key-file, \(prefix)passphrase and \(prefix)key-command.")
  }

  /// The key; `nil` if the environment has none.
  func key() throws(DSVError) -> UserKey? {
    SecretInput.hideProcess()
    switch self {
    case .file(let path): return .key(try KeyText.key(file: path))
    case .command(let command):
      return .key(
        try KeyText.key(try SecretInput.command(command, limit: KeyText.limit), of: "the key command"))
    case .passphrase(let variable):
      if let path = Self.value(variable) { return .passphrase(try KeyText.passphrase(file: path)) }
      return try Self.once { () throws(DSVError) in .passphrase(try KeyText.ask("Passphrase: ")) }
    case .environment: return try Self.environmentKey()
    }
  }

  /// A key that is to open a repository from now on. A file that is not there is made once the key is taken.
  func newKey() throws(DSVError) -> RepositoryKey {
    switch self {
    case .file(let path):
      guard try FileSystem.status(path) == nil else { break }
      SecretInput.hideProcess()
      try FileSystem.checkReplaceable(path)
      let made = FernetKey.random()
      var key = RepositoryKey(.key(made))
      key.keep = { () throws(DSVError) in try KeyText.makeFile(path, made) }
      return key
    case .passphrase(let variable) where Self.value(variable) == nil:
      SecretInput.hideProcess()
      let passphrase = try KeyText.ask("New passphrase: ")
      guard try KeyText.ask("Once more: ") == passphrase else {
        throw DSVError(.badInput, "the two passphrases differ")
      }
      return RepositoryKey(.passphrase(passphrase))
    default: break
    }
    guard let key = try key() else {
      throw DSVError(
        .badInput,
        "say which key is to open it: --key-file, --passphrase or --key-command, or DSV_KEY or DSV_KEY_FILE")
    }
    return RepositoryKey(key)
  }

  private static func environmentKey() throws(DSVError) -> UserKey? {
    let variables = ["DSV_KEY", "DSV_KEY_FILE", "DSV_PASSPHRASE_FILE"].filter(Machine.hasEnvironment)
    guard variables.count <= 1 else {
      throw DSVError(
        .badInput, "\(variables.joined(separator: " and ")) are set; one of them says which key to use")
    }
    switch variables.first {
    case nil: return known.withLock { $0 }
    case "DSV_KEY":
      // Taken, not read: no copy of it is to stay.
      return try once { () throws(DSVError) in
        guard let text = SecretInput.takeEnvironment("DSV_KEY") else { return nil }
        return .key(try KeyText.key(text, of: "DSV_KEY"))
      }
    case "DSV_KEY_FILE": return .key(try KeyText.key(file: value("DSV_KEY_FILE") ?? ""))
    default: return .passphrase(try KeyText.passphrase(file: value("DSV_PASSPHRASE_FILE") ?? ""))
    }
  }

  private static func once(_ find: () throws(DSVError) -> UserKey?) throws(DSVError) -> UserKey? {
    if let known = known.withLock({ $0 }) { return known }
    let found = try find()
    known.withLock { $0 = found }
    return found
  }

  private static func value(_ variable: String) -> String? {
    Machine.environment(variable).flatMap { $0.isEmpty ? nil : $0 }
  }
}

/// Keys and passphrases as text: one line and nothing else.
enum KeyText {
  /// Longest passphrase, and longest file of a key.
  static let limit = 1024

  static func key(file path: String) throws(DSVError) -> FernetKey {
    let (text, isExposed) = try SecretInput.file(path, limit: limit)
    if isExposed { Terminal.note("\(path): others than its owner may read this key; chmod 600 forbids that") }
    return try key(text, of: path)
  }

  static func key(_ text: SecretBytes, of subject: String) throws(DSVError) -> FernetKey {
    guard let key = line(text).withBytes({ FernetKey(text: $0) }) else {
      throw DSVError(
        .badInput, "\(subject): a key is one line of 44 characters, as Fernet.generate_key() makes it")
    }
    return key
  }

  static func passphrase(file path: String) throws(DSVError) -> SecretBytes {
    let (text, isExposed) = try SecretInput.file(path, limit: limit)
    if isExposed {
      Terminal.note("\(path): others than its owner may read this passphrase; chmod 600 forbids that")
    }
    let passphrase = line(text)
    guard passphrase.count > 0, !passphrase.withBytes({ $0.contains { $0 == 10 || $0 == 0 } }) else {
      throw DSVError(.badInput, "\(path): a passphrase is one line that is not empty")
    }
    return passphrase
  }

  static func ask(_ prompt: String) throws(DSVError) -> SecretBytes {
    let passphrase = try SecretInput.ask(prompt, limit: limit) { () throws(DSVError) in try Interrupts.check()
    }
    guard passphrase.count > 0 else { throw DSVError(.badInput, "a passphrase is not empty") }
    return passphrase
  }

  /// Puts a new key into a file of its own, which nobody but its owner may read.
  ///
  /// - Throws: `.conflict` if somebody else has made a file of that name meanwhile.
  static func makeFile(_ path: String, _ key: FernetKey) throws(DSVError) {
    try write(key, to: path)
    Terminal.note(
      "made a key in \(path); without it nobody can read what it encrypts, so keep a copy elsewhere")
  }

  static func write(_ key: FernetKey, to path: String) throws(DSVError) {
    let text = key.text
    let file = try File(path, .createPrivate)
    try text.withBytes { (text) throws(DSVError) in try file.write(text, at: 0) }
    try file.write([10], at: text.count)
    try file.sync()
    try FileSystem.syncFolder(FileSystem.parent(of: path))
  }

  /// A text without the one line's end that it may have.
  private static func line(_ text: SecretBytes) -> SecretBytes {
    text.withBytes { bytes in
      guard bytes.last == 10 else { return text }
      return SecretBytes(copying: UnsafeRawBufferPointer(rebasing: bytes.dropLast()))
    }
  }
}
