package import DSVFormat

/// `fault_proxy.py` before a server: spoils what passes through, as a plan in JSON tells it.
package final class FaultProxy: Sendable {
  package let endpoint: String
  private let process: ChildProcess

  /// - Parameters:
  ///   - target: the server's endpoint.
  ///   - tlsFolder: speak TLS, and write there what is to be trusted, as `ca.pem`.
  package init(before target: String, tlsFolder: String? = nil) throws(DSVError) {
    guard let address = target.split(separator: "/").last else {
      throw DSVError(.badInput, "no endpoint: \(target)")
    }
    let more = tlsFolder.map { ["--tls", $0] } ?? []
    process = try ChildProcess(["python3", S3Server.script("fault_proxy.py"), String(address)] + more)
    endpoint = "\(tlsFolder == nil ? "http" : "https")://127.0.0.1:\(try process.readLine())"
  }

  /// Begins a plan, and to count from 0; returns what was counted before.
  ///
  /// - Parameter plan: JSON, as `fault_proxy.py` says.
  @discardableResult
  package func plan(_ plan: String) throws(DSVError) -> Counts { Counts(try process.ask(plan)) }

  package func counts() throws(DSVError) -> Counts { try plan("null") }

  /// What went through: `requests`, one for each method, `sent` and `received` bytes, `fault NAME`, `trapped`.
  package struct Counts: Sendable, CustomStringConvertible {
    package let description: String

    init(_ text: String) { description = text }

    package subscript(_ name: String) -> Int {
      // A flat object of numbers, whose names need no escaping.
      for entry in description.split(whereSeparator: { "{},".contains($0) }) {
        let parts = entry.split(separator: ":").map { $0.filter { $0 != "\"" } }
        let key = parts[0].first == " " ? String(parts[0].dropFirst()) : parts[0]
        if key == name, let number = Int(parts[1].filter { $0 != " " }) { return number }
      }
      return 0
    }

    package var faultCount: Int {
      description.split(whereSeparator: { "{},".contains($0) }).reduce(0) { count, entry in
        let parts = entry.split(separator: ":")
        return parts[0].contains("\"fault ") ? count + (Int(parts[1].filter { $0 != " " }) ?? 0) : count
      }
    }
  }
}
