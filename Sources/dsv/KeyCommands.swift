import ArgumentParser
import DSV
import DSVFormat
import DSVStore
import DSVSystem

struct Key: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List, add, exchange or take away the keys of an encrypted repository.",
    discussion: """
      Any one of a repository's keys opens it. Keys come from --key-file, --key-command, --passphrase, or DSV_KEY, DSV_KEY_FILE \
      or DSV_PASSPHRASE_FILE in the environment.

      Examples:
        dsv key list
        dsv key add --new-key-file colleague.key
        dsv key rotate --new-key-file new.key
        dsv key revoke 2845bd3f714de4fc --reencrypt
      """,
    subcommands: [
      KeyList.self, KeyAdd.self, KeyRotate.self, KeyRevoke.self, KeyExport.self, KeyReencrypt.self,
    ])
}

struct KeyList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the keys that open the repository.",
    discussion: "The one that was used now is marked with *.\n\nExample: dsv key list")
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let keys = try repository.keys()
    if global.json {
      let list = keys.map { key in
        JSON.object([
          ("id", .text(key.id)), ("passphrase", .bool(key.isPassphrase)), ("own", .bool(key.isOwn)),
        ])
      }
      return Terminal.print(
        JSON.object([
          ("keys", .array(list)), ("reencrypting", .bool(try repository.isReencrypting)),
        ]).text)
    }
    if !repository.isEncrypted { Terminal.note("this repository is not encrypted") }
    for key in keys {
      Terminal.print("\(key.isOwn ? "*" : " ") \(key.id)\(key.isPassphrase ? " passphrase" : "")")
    }
    if try repository.isReencrypting {
      Terminal.note("encrypting again was broken off; 'dsv key reencrypt' goes on with it")
    }
  }
}

struct KeyAdd: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add", abstract: "Let another key open the repository.",
    discussion: """
      A key that opens it already stays what it is.

      Example: dsv key add --new-key-file colleague.key
      """)
  @OptionGroup var new: NewKeyOptions
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let known = try repository.keys().map(\.id)
    let id = try repository.addKey(try new.newKey())
    let isNew = !known.contains(id)
    if global.json {
      return Terminal.print(
        JSON.object([("key", .text(id)), ("reencrypted", .bool(false)), ("added", .bool(isNew))]).text)
    }
    Terminal.print(isNew ? "added key \(id)" : "key \(id) opens this repository already; nothing was changed")
  }
}

struct KeyRotate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rotate", abstract: "Put a new key in the place of the one that is used.",
    discussion: """
      From then on the old key opens neither the repository nor anything that is written. Who has it and a copy of the key file from \
      before still reads what was there then, unless --reencrypt writes everything again. Takes no time to speak of \
      without it. Every other key of the repository has to be given too, for its own copy of the secret is made anew. \
      A remote gets the new key with the next push; another clone takes it by 'dsv key add' and uses it from then on.

      Example: dsv key rotate --new-key-file new.key
      """)
  @Flag(help: "Write everything again under new keys.")
  var reencrypt = false
  @OptionGroup var new: NewKeyOptions
  @OptionGroup var kept: KeptKeyOptions
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let others = try kept.keys().map { RepositoryKey($0) }
    let id = try repository.rotateKey(to: try new.newKey(), keeping: others, reencrypts: reencrypt)
    if reencrypt { try repository.reencrypt(progress: global.progress) }
    ProgressBar.clear()
    KeyText.tell("the key is now", id, isReencrypted: reencrypt, isJSON: global.json)
  }
}

struct KeyRevoke: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "revoke", abstract: "Take a key away.",
    discussion: """
      It opens nothing that is written from then on, nor the repository as it is now. Who has it and a copy of the key file from before still \
      reads what was there then, unless --reencrypt writes everything again. Every key that stays has to be given too, but \
      for the one that is used.

      Example: dsv key revoke 2845bd3f714de4fc --keep-key-file colleague.key
      """)
  @Argument(help: "The key's ID, as 'dsv key list' shows it.")
  var id: String
  @Flag(help: "Write everything again under new keys.")
  var reencrypt = false
  @OptionGroup var kept: KeptKeyOptions
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    try repository.revokeKey(id, keeping: try kept.keys().map { RepositoryKey($0) }, reencrypts: reencrypt)
    if reencrypt { try repository.reencrypt(progress: global.progress) }
    ProgressBar.clear()
    KeyText.tell("revoked key", id, isReencrypted: reencrypt, isJSON: global.json)
  }
}

struct KeyReencrypt: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reencrypt", abstract: "Write everything again under new keys, or go on with that.",
    discussion: """
      Ends what copies of older key files, with keys that were revoked, still open in this repository. Waits until nobody reads or \
      writes.

      Example: dsv key reencrypt
      """)
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    try repository.reencrypt(progress: global.progress)
    ProgressBar.clear()
    if global.json { return Terminal.print(JSON.object([("reencrypted", .bool(true))]).text) }
    Terminal.print("everything is encrypted under new keys")
  }
}

struct KeyExport: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write the key that is used to a file.",
    discussion: """
      For a key that comes from a command or the environment. The file is made, for its owner's eyes only. No key but the one that \
      was given can be had: a repository does not hold its keys.

      Example: dsv key export 2845bd3f714de4fc -o copy.key
      """)
  @Argument(help: "The key's ID, as 'dsv key list' shows it.")
  var id: String
  @Option(name: .shortAndLong, help: "The file to be made.", completion: .file())
  var output: String
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    try KeyText.write(try repository.exportKey(id), to: output)
    KeyText.tell("exported key", id, isJSON: global.json)
  }
}

extension KeyText {
  static func tell(_ what: String, _ id: String, isReencrypted: Bool = false, isJSON: Bool) {
    if isJSON {
      return Terminal.print(
        JSON.object([("key", .text(id)), ("reencrypted", .bool(isReencrypted))]).text)
    }
    Terminal.print("\(what) \(id)" + (isReencrypted ? "; everything is encrypted under new keys" : ""))
  }
}

struct ShowObject: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "object", abstract: "Write what an object holds, or its token for Python's Fernet.",
    discussion: """
      Without --fernet these are the bytes that the object's ID is computed over. With it come two lines: the token's own key, and the \
      token, which cryptography.fernet.Fernet(KEY).decrypt(TOKEN) opens to the object's stored form (see format-spec/).

      Examples:
        dsv object 570a391e6679ffbc6ad021efcf34878274d3b02c813b21c2cfdaa5eacf413f6e > commit
        dsv object v3 --fernet
      """)
  @Argument(help: "The object's ID, or a version.")
  var id: String
  @Flag(help: "Its token, and the token's key.")
  var fernet = false
  @OptionGroup var global: GlobalOptions

  func run() throws {
    let repository = try global.open()
    let object = if let id = AnyID(hex: id) { id } else { AnyID(try global.resolve(repository, id).commit) }
    if fernet {
      let found = try repository.fernetObject(object)
      if global.json {
        return Terminal.print(
          JSON.object([
            ("object", .text(object.description)), ("key", .text(found.key)), ("token", .text(found.token)),
          ]).text)
      }
      Terminal.print(found.key)
      return Terminal.print(found.token)
    }
    let bytes = try repository.object(object)
    if global.json {
      return Terminal.print(
        JSON.object([
          ("object", .text(object.description)),
          ("base64", .text(bytes.withUnsafeBytes { Base64URL.text($0) })),
        ]).text)
    }
    guard !File.standardOutput.isTerminal else {
      throw DSVError(.badInput, "an object is bytes and no text: send them to a file or a program")
    }
    try bytes.withBytes { (bytes) throws(DSVError) in try File.standardOutput.writeNext(bytes) }
  }
}

struct Encrypt: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make an encrypted copy of a repository, with all its versions.",
    discussion: """
      Version numbers, branches and tags stay; commits have other IDs, as keys go into them: --map says which is which. If it is broken off, \
      the same command goes on; once the copy is whole, it copies nothing and writes the map again. The copy's key comes from --key-file (which is made if it is not there), --passphrase or \
      --key-command, or from the environment. The repository itself stays as it is: delete it where it is not to be read.

      Examples:
        dsv encrypt my-dataset my-dataset-encrypted --key-file my.key
        dsv encrypt my-dataset my-dataset-encrypted --key-file my.key --map commits.tsv
      """)
  @Argument(help: "The repository's folder.", completion: .directory)
  var source: String
  @Argument(help: "The copy's folder; it is made.", completion: .directory)
  var copy: String
  @Option(help: "Write each version's old and new commit ID to this file.", completion: .file())
  var map: String?
  @Option(
    help: "The key of the repository that is copied, if it is encrypted, is in this file.",
    completion: .file())
  var sourceKeyFile: String?
  @OptionGroup var global: GlobalOptions

  func run() throws {
    global.tellErrors()
    // Hours of work should not be for nothing.
    if let map { try FileSystem.checkReplaceable(map) }
    var options = global.options
    options.keyProvider = { [sourceKeyFile] () throws(DSVError) in
      guard let path = sourceKeyFile else { return nil }
      return .key(try KeyText.key(file: path))
    }
    let repository = try Repository.open(at: source, options: options)
    let key = try global.keys.newKey()
    let result = try repository.encrypt(
      to: copy, with: key, options: global.options, progress: global.progress)
    ProgressBar.clear()
    if let map {
      let lines = result.commits.map { "\($0.version)\t\($0.old)\t\($0.new)\n" }
      try FileSystem.replace(map, with: Array(lines.joined().utf8), isPrivate: true)
    }
    if global.json {
      return Terminal.print(
        JSON.object([
          ("path", .text(result.repository.path + "/.dsv")), ("versions", .int(result.commits.count)),
        ]).text)
    }
    let already = result.isNew ? "" : " already; nothing was copied"
    Terminal.print(
      "\(Terminal.count(result.commits.count, "version")) encrypted in \(result.repository.path)/.dsv\(already)"
    )
  }
}
