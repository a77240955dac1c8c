package import DSVFormat
import DSVSystem
import Synchronization

/// Sends requests to one bucket: signs them, asks again where that helps, and tells why not where it does not.
package final class S3Client: Sendable {
  /// What a test puts in the place of the world.
  package struct World: Sendable {
    package var transport: any HTTPTransport
    /// Nanoseconds since 1970.
    package var now: @Sendable () -> Int = { Clock.nanosecondsSince1970() }
    package var sleep: @Sendable (_ nanoseconds: UInt64) -> Void = { Clock.sleep(nanoseconds: $0) }
    /// From 0 to 1.
    package var random: @Sendable () -> Double = { Double.random(in: 0..<1) }
    /// Reads the credentials again.
    package var credentials: @Sendable () throws(DSVError) -> AWSCredentials?
    /// What to say where there are none and some are wanted.
    package var noCredentials: @Sendable () -> String = { AWSProfile.noCredentials() }
    package var isInterrupted: @Sendable () -> Bool = { false }

    package init(
      _ transport: any HTTPTransport, credentials: @escaping @Sendable () throws(DSVError) -> AWSCredentials?
    ) {
      (self.transport, self.credentials) = (transport, credentials)
    }
  }

  /// One call: what goes out, and which answers are answers.
  struct Call {
    let kind: BucketTraffic.Call
    let method: String
    /// The object's full name; `nil`: the bucket itself.
    let object: String?
    var query: [(name: String, value: String)] = []
    /// In small letters.
    var headers: [(name: String, value: String)] = []
    var body: Payload?
    var limit = 1 << 20
    var range: Range<Int>?
    var isExpected: (_ status: Int, _ word: String?) -> Bool = { status, _ in (200...299).contains(status) }
    /// Looks at an answer that was expected; says what is damaged about it, if something is.
    var damage: (HTTPResponse) -> String? = { _ in nil }
    /// What messages call it.
    let subject: String
  }

  /// Bytes to send, with their digests.
  struct Payload {
    let bytes: [UInt8]
    /// In hexadecimal digits.
    let sha256: String
    /// `nil` where it cannot be computed.
    let md5: [UInt8]?

    init(_ bytes: [UInt8]) {
      (self.bytes, sha256, md5) = (bytes, SigV4.digest(bytes), bytes.withUnsafeBytes { MD5.digest($0) })
    }

    /// With digests of something else, perhaps.
    init(_ bytes: [UInt8], sha256: String, md5: [UInt8]?) {
      (self.bytes, self.sha256, self.md5) = (bytes, sha256, md5)
    }

    /// As headers: for a server that checks what it gets.
    var headers: [(name: String, value: String)] {
      guard let md5 else { return [] }
      let text = md5.withUnsafeBytes { Base64URL.text($0) }.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }
      return [("content-md5", String(text))]
    }
  }

  private struct State {
    var credentials: AWSCredentials?
    var place: S3Place
    /// What is added to this machine's clock.
    var clockOffset = 0
  }

  let policy: RetryPolicy
  private let world: World
  private let budget: RetryBudget
  private let state: Mutex<State>
  private let counter = TrafficCounter()

  package init(_ place: S3Place, _ world: World, policy: RetryPolicy = RetryPolicy()) throws(DSVError) {
    (self.world, self.policy) = (world, policy)
    state = Mutex(State(credentials: try world.credentials(), place: place))
    budget = RetryBudget(policy, now: world.now())
  }

  var traffic: BucketTraffic { counter.current }
  package var place: S3Place { state.withLock { $0.place } }

  /// Sends a call until it is answered as expected.
  ///
  func send(_ call: Call) throws(DSVError) -> HTTPResponse {
    let digest = call.body?.sha256 ?? SigV4.digest([])
    var attempt = 0
    // Each of these helps once or not at all.
    var remedies: Set<String> = []
    var damaged: [UInt8]?
    while true {
      attempt += 1
      let used = state.withLock { $0 }
      let (verdict, response) = perform(call, digest, used, isRetry: attempt > 1)
      switch verdict {
      case .accept:
        budget.succeeded(afterRetry: attempt > 1)
        if let response { return response }
      case .damaged(let told):
        // What changes on the way changes otherwise the next time; the same again is what the server has.
        guard damaged != response?.body else { throw failure(call, .corrupt, told) }
        damaged = response?.body
        try pause(call, attempt, policy.strangeAttemptCountMax, 0, .corrupt, told)
      // Who gives no credentials is not let in the next time either.
      case .retry(.denied, _, _, _) where used.credentials == nil:
        throw failure(call, .denied, world.noCredentials())
      case .retry(let code, let told, let least, let isStrange):
        let countMax = isStrange ? policy.strangeAttemptCountMax : policy.attemptCountMax
        try pause(call, attempt, countMax, least, code, told)
      case .fail(.denied, _) where used.credentials == nil:
        throw failure(call, .denied, world.noCredentials())
      case .fail(let code, let told): throw failure(call, code, told)
      case .adjustClock(let seconds):
        guard remedies.insert("clock").inserted else {
          throw failure(call, .io, "this machine's clock and the server's differ too much")
        }
        let offset = seconds - world.now() / 1_000_000_000
        state.withLock { $0.clockOffset = offset }
      case .readCredentials:
        let isFirst = remedies.insert("credentials").inserted
        guard isFirst, try renewCredentials(used.credentials) else {
          throw failure(
            call, .denied,
            used.credentials == nil
              ? world.noCredentials()
              : "the credentials are unknown there or have expired; see AWS_ACCESS_KEY_ID or AWS_PROFILE")
        }
      case .changeRegion(let region):
        guard remedies.insert("region").inserted, region != used.place.region else {
          throw failure(call, .io, "the server sends elsewhere, which is not followed: give its endpoint")
        }
        state.withLock { $0.place.region = region }
      }
    }
  }

  func failure(_ call: Call, _ code: DSVError.Code, _ told: String) -> DSVError {
    DSVError(code, "\(call.subject): \(told)")
  }

  private func perform(
    _ call: Call, _ digest: String, _ used: State, isRetry: Bool
  ) -> (S3Verdict, HTTPResponse?) {
    let start = world.now()
    let request = request(call, digest, used, isRetry: isRetry)
    var result: (verdict: S3Verdict, response: HTTPResponse?)
    do throws(HTTPFailure) {
      let response = try world.transport.send(request)
      result = (S3Verdict(response, isExpected: call.isExpected), response)
      if case .accept = result.verdict, let damage = call.damage(response) {
        result.verdict = .damaged(damage)
      }
    } catch {
      result = (S3Verdict(error, of: used.place.host), nil)
    }
    let (nanoseconds, received) = (UInt64(max(0, world.now() - start)), result.response?.body.count ?? 0)
    counter.add { counts in
      counts.requests[call.kind, default: 0] += 1
      counts.retryCount += isRetry ? 1 : 0
      counts.sentByteCount += call.body?.bytes.count ?? 0
      counts.receivedByteCount += received
      counts.waitingNanoseconds += nanoseconds
    }
    return result
  }

  private func request(_ call: Call, _ digest: String, _ used: State, isRetry: Bool) -> HTTPRequest {
    let place = used.place
    let path = place.path(call.object)
    var headers = call.headers
    headers += [("host", place.host), ("x-amz-content-sha256", digest)]
    if let credentials = used.credentials {
      let date = HTTPDate.compact(world.now() / 1_000_000_000 + used.clockOffset)
      headers.append(("x-amz-date", date))
      if let token = credentials.sessionToken { headers.append(("x-amz-security-token", token)) }
      let request = SigV4.Request(
        call.method, path: path, query: call.query, headers: headers, payloadDigest: digest)
      let value = SigV4(credentials, region: place.region).authorization(for: request, date: date)
      headers.append(("authorization", value))
    }
    let query = call.query.isEmpty ? "" : "?\(SigV4.canonicalQuery(call.query))"
    let url = "\(place.scheme)://\(place.host)\(PercentEncoding.encode(path, keepsSlashes: true))\(query)"
    return HTTPRequest(
      call.method, url, headers: headers, body: call.body?.bytes, limit: call.limit, range: call.range,
      isNewConnection: isRetry)
  }

  /// Waits before the next attempt, or throws if there is to be none.
  private func pause(
    _ call: Call, _ attempt: Int, _ countMax: Int, _ least: Double, _ code: DSVError.Code, _ told: String
  ) throws(DSVError) {
    let times = attempt == 1 ? "" : ", \(attempt) times"
    guard attempt < countMax else { throw failure(call, code, "\(told)\(times)") }
    guard budget.take(now: world.now()) else {
      throw failure(call, .busy, "too much fails, so nothing is asked again for now: \(told)\(times)")
    }
    let seconds = policy.delay(afterAttempt: attempt, atLeast: least, random: world.random())
    var rest = UInt64(seconds * 1e9)
    counter.add { $0.pausedNanoseconds += rest }
    while rest > 0 {
      if world.isInterrupted() { throw failure(call, .interrupted, "interrupted") }
      let step = min(rest, 50_000_000)
      world.sleep(step)
      rest -= step
    }
  }

  /// Whether there are other credentials now than those that were refused.
  private func renewCredentials(_ refused: AWSCredentials?) throws(DSVError) -> Bool {
    if state.withLock({ $0.credentials != refused }) { return true }
    let read = try world.credentials()
    return state.withLock { state in
      state.credentials = read
      return read != refused
    }
  }
}
