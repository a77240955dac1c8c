package import DSVFormat
import DSVSystem

/// What the usual environment variables and files of AWS say about who asks, and where.
///
/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL_S3` come first; then the profile
/// that `AWS_PROFILE` names, or `default`, of `~/.aws/credentials` and `~/.aws/config` (`AWS_SHARED_CREDENTIALS_FILE`, `AWS_CONFIG_FILE`).
package struct AWSProfile: Sendable, Equatable {
  /// `nil`: requests go out unsigned, which a public bucket takes.
  package let credentials: AWSCredentials?
  package let region: String?
  package let endpoint: String?

  package init(credentials: AWSCredentials?, region: String? = nil, endpoint: String? = nil) {
    (self.credentials, self.region, self.endpoint) = (credentials, region, endpoint)
  }

  private static let fileByteCountMax = 1 << 20

  /// Reads them as they are now.
  ///
  /// - Throws: `.badInput` if half of the credentials are missing, or a profile that is named.
  package static func load(
    environment: (String) -> String? = Machine.environment
  ) throws(DSVError) -> AWSProfile {
    func variable(_ names: String...) -> String? {
      for name in names {
        if let value = environment(name), !value.isEmpty { return value }
      }
      return nil
    }
    let home = environment("HOME") ?? ""
    let named = variable("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
    let name = named ?? "default"
    let secrets = try file(variable("AWS_SHARED_CREDENTIALS_FILE") ?? "\(home)/.aws/credentials")
    let config = try file(variable("AWS_CONFIG_FILE") ?? "\(home)/.aws/config")
    let (secret, general) = (secrets[name], config[name == "default" ? name : "profile \(name)"])
    let hasOwnKeys = variable("AWS_ACCESS_KEY_ID") != nil
    if let named, secret == nil, general == nil, !hasOwnKeys {
      throw DSVError(.badInput, "AWS_PROFILE: there is no profile '\(named)' in the files of AWS")
    }
    func value(_ key: String) -> String? { secret?[key] ?? general?[key] }
    let credentials =
      if hasOwnKeys {
        try pair(
          variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"), variable("AWS_SESSION_TOKEN"),
          "AWS_ACCESS_KEY_ID")
      } else {
        try pair(
          value("aws_access_key_id"), value("aws_secret_access_key"), value("aws_session_token"),
          "the profile '\(name)'")
      }
    return AWSProfile(
      credentials: credentials, region: variable("AWS_REGION", "AWS_DEFAULT_REGION") ?? value("region"),
      endpoint: variable("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL") ?? value("endpoint_url"))
  }

  /// What to say where there are no credentials and a server wants some: where they were looked for, and what to do.
  package static func noCredentials(environment: (String) -> String? = Machine.environment) -> String {
    func variable(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }
    let home = environment("HOME") ?? ""
    let files = [
      variable("AWS_SHARED_CREDENTIALS_FILE") ?? "\(home)/.aws/credentials",
      variable("AWS_CONFIG_FILE") ?? "\(home)/.aws/config",
    ]
    let profile = variable("AWS_PROFILE") ?? variable("AWS_DEFAULT_PROFILE") ?? "default"
    return
      "it wants credentials, and there are none: neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, nor the "
      + "profile '\(profile)' in \(files[0]) or \(files[1]); set these variables, or AWS_PROFILE to a profile that has them"
  }

  private static func pair(
    _ id: String?, _ secret: String?, _ token: String?, _ source: String
  ) throws(DSVError) -> AWSCredentials? {
    if id == nil && secret == nil { return nil }
    guard let id, let secret else {
      throw DSVError(.badInput, "\(source): half of the credentials is missing")
    }
    // They go into headers, where an end of line would begin another one.
    for text in [id, secret, token ?? ""] where text.utf8.contains(where: { $0 <= 32 || $0 == 127 }) {
      throw DSVError(.badInput, "\(source): the credentials have a space or a control character in them")
    }
    return AWSCredentials(accessKeyID: id, secretKey: secret, sessionToken: token)
  }

  private static func file(_ path: String) throws(DSVError) -> [String: [String: String]] {
    do throws(DSVError) {
      return sections(String(decoding: try FileSystem.read(path, limit: fileByteCountMax), as: UTF8.self))
    } catch {
      if error.code == .notFound { return [:] }
      throw error
    }
  }

  /// Section → key → value. What is indented belongs to the key above, which says nothing to us.
  static func sections(_ text: String) -> [String: [String: String]] {
    var result: [String: [String: String]] = [:]
    var section: String?
    for raw in text.split(whereSeparator: \.isNewline) {
      let line = String(raw).trimmingSpace
      guard let first = line.first, first != "#", first != ";" else { continue }
      if first == "[" {
        section = line.dropFirst().firstIndex(of: "]").map {
          // More than one space may stand between "profile" and the name.
          line[line.index(after: line.startIndex)..<$0].split { $0 == " " || $0 == "\t" }.joined(
            separator: " ")
        }
        if let section, result[section] == nil { result[section] = [:] }
      } else if let section, let equals = line.firstIndex(of: "="), raw.first != " ", raw.first != "\t" {
        let key = String(line[..<equals]).trimmingSpace.lowercased()
        let value = String(line[line.index(after: equals)...]).trimmingSpace
        if !value.isEmpty { result[section]?[key] = value }
      }
    }
    return result
  }
}
