import ArgumentParser
import DSV
import DSVFormat
import DSVStore
import DSVSystem

/// Where the key of an encrypted repository comes from. Commands that open one take these.
struct KeyOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("The key of an encrypted repository is in this file.", valueName: "file"),
    completion: .file())
  var keyFile: String?

  @Flag(help: "Ask for the passphrase of an encrypted repository, or read it from $DSV_PASSPHRASE_FILE.")
  var passphrase = false

  @Option(
    help: ArgumentHelp("This command prints the key of an encrypted repository.", valueName: "command"),
    completion: .shellCommand("true"))
  var keyCommand: String?

  func validate() throws {
    try KeySource.refuseSeveral([keyFile != nil, passphrase, keyCommand != nil], "--")
  }

  /// Whether an option says where the key is.
  var isGiven: Bool { keyFile != nil || passphrase || keyCommand != nil }

  private var source: KeySource {
    KeySource(file: keyFile, asks: passphrase, command: keyCommand) ?? .environment
  }

  /// Finds the key once it is needed: a plain repository asks for none.
  var provider: KeyProvider {
    let source = source
    return { () throws(DSVError) in try source.key() }
  }

  /// The key of a repository that is being encrypted. A key file that is not there is made once the key is taken.
  func newKey() throws(DSVError) -> RepositoryKey { try source.newKey() }
}

/// Where a further key of a repository comes from.
struct NewKeyOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("The new key is in this file, which is made if it is not there.", valueName: "file"),
    completion: .file())
  var newKeyFile: String?

  @Flag(help: "Ask for a new passphrase, or read it from $DSV_NEW_PASSPHRASE_FILE.")
  var newPassphrase = false

  @Option(help: ArgumentHelp("This command prints the new key.", valueName: "command"))
  var newKeyCommand: String?

  func validate() throws {
    try KeySource.refuseSeveral([newKeyFile != nil, newPassphrase, newKeyCommand != nil], "--new-")
    guard newKeyFile != nil || newPassphrase || newKeyCommand != nil else {
      throw ValidationError(
        "Say where the new key is: --new-key-file, --new-passphrase or --new-key-command.")
    }
  }

  func newKey() throws(DSVError) -> RepositoryKey {
    let source = KeySource(
      file: newKeyFile, asks: newPassphrase, command: newKeyCommand,
      passphraseVariable: "DSV_NEW_PASSPHRASE_FILE")
    guard let source else { throw DSVError(.badInput, "no new key was given") }
    return try source.newKey()
  }
}

/// The other keys of a repository, where one is exchanged or taken away: without them they would open it no more.
struct KeptKeyOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Another key of the repository that is to open it still; repeat for more.", valueName: "file"),
    completion: .file())
  var keepKeyFile: [String] = []

  @Option(
    help: ArgumentHelp(
      "A file with another passphrase that is to open it still; repeat for more.", valueName: "file"),
    completion: .file())
  var keepPassphraseFile: [String] = []

  func keys() throws(DSVError) -> [UserKey] {
    var keys: [UserKey] = []
    for path in keepKeyFile { keys.append(.key(try KeyText.key(file: path))) }
    for path in keepPassphraseFile { keys.append(.passphrase(try KeyText.passphrase(file: path))) }
    return keys
  }
}
