import CCurl
import DSVFormat
import DSVSystem

/// Sends requests by libcurl: HTTP/1.1, over connections that are used again.
///
/// Proxies are those of the usual environment variables. A server of `https` must show that it is who it should be.
package final class Curl: HTTPTransport {
  package struct Settings: Sendable {
    package var connectSeconds = 10
    /// A connection that carries less than ``lowSpeed`` bytes a second for so long is given up.
    package var lowSpeedSeconds = 20
    package var lowSpeed = 1024
    /// What a request may take, and then as long again as its bytes take at ``slowestRate`` bytes a second.
    package var totalSeconds = 60
    package var slowestRate = 16 << 10
    /// Certificates to trust instead of the system's.
    package var certificates: String?

    package init() {}
  }

  private let settings: Settings
  private let isInterrupted: @Sendable () -> Bool
  private let handles = IdlePool { CurlHandle() }
  private static let start: CURLcode = dsv_curl_start()

  /// - Parameter isInterrupted: asked about once a second while a request is under way.
  package init(_ settings: Settings = Settings(), isInterrupted: @escaping @Sendable () -> Bool = { false }) {
    precondition(Self.start == CURLE_OK, "libcurl does not start")
    (self.settings, self.isInterrupted) = (settings, isInterrupted)
  }

  package func send(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse {
    try handles.with { (handle) throws(HTTPFailure) in
      try handle.send(request, settings, isInterrupted)
    }
  }
}

/// One of libcurl's handles, with the connections that it keeps open. For one thread at a time.
private final class CurlHandle {
  private var handle: UnsafeMutableRawPointer

  init() { handle = Self.new() }

  private static func new() -> UnsafeMutableRawPointer {
    guard let handle = curl_easy_init() else { preconditionFailure("libcurl gives no handle") }
    return handle
  }

  deinit { curl_easy_cleanup(handle) }

  /// What an answer is collected in.
  final class Reception {
    var receiver: HTTPReceiver
    let isInterrupted: () -> Bool

    init(_ receiver: HTTPReceiver, _ isInterrupted: @escaping () -> Bool) {
      (self.receiver, self.isInterrupted) = (receiver, isInterrupted)
    }
  }

  func send(
    _ request: HTTPRequest, _ settings: Curl.Settings, _ isInterrupted: @escaping () -> Bool
  ) throws(HTTPFailure) -> HTTPResponse {
    curl_easy_reset(handle)
    let reception = Reception(HTTPReceiver(limit: request.limit, range: request.range), isInterrupted)
    var list: UnsafeMutablePointer<curl_slist>?
    for header in request.headers { list = curl_slist_append(list, "\(header.name): \(header.value)") }
    // What libcurl adds by itself for large bodies costs a round trip.
    list = curl_slist_append(list, "Expect:")
    defer { curl_slist_free_all(list) }
    try setUp(request, settings)
    try check(dsv_curl_set_pointer(handle, CURLOPT_HTTPHEADER, list))
    let code = try withExtendedLifetime(reception) { () throws(HTTPFailure) in
      try receive(into: reception)
      return try perform(request)
    }
    if code == CURLE_OK {
      // Nothing of this request is to be found in the handle afterwards.
      curl_easy_reset(handle)
    } else {
      // After a host that was not found, libcurl 7.88 refuses whatever the handle is asked next.
      curl_easy_cleanup(handle)
      handle = Self.new()
    }
    let receiver = reception.receiver
    if let failure = receiver.failure { throw failure }
    guard code == CURLE_OK || receiver.isEnough else { throw Self.failure(code) }
    guard receiver.status > 0 else { throw HTTPFailure(.malformed, "the answer has no head") }
    return receiver.response
  }

  private func perform(_ request: HTTPRequest) throws(HTTPFailure) -> CURLcode {
    guard let body = request.body else { return curl_easy_perform(handle) }
    try check(dsv_curl_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count)))
    let empty: [UInt8] = [0]
    return try (body.isEmpty ? empty : body).withBytes { (bytes) throws(HTTPFailure) in
      // Not copied: libcurl reads them where they lie.
      try check(dsv_curl_set_pointer(handle, CURLOPT_POSTFIELDS, bytes.baseAddress))
      try check(set(CURLOPT_CUSTOMREQUEST, request.method))
      return curl_easy_perform(handle)
    }
  }

  private func setUp(_ request: HTTPRequest, _ settings: Curl.Settings) throws(HTTPFailure) {
    let byteCount = (request.body?.count ?? 0) + (request.range?.upperBound ?? request.limit)
    let numbers: [(CURLoption, Int)] = [
      (CURLOPT_NOSIGNAL, 1), (CURLOPT_FOLLOWLOCATION, 0), (CURLOPT_SSL_VERIFYPEER, 1),
      (CURLOPT_SSL_VERIFYHOST, 2), (CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1)),
      (CURLOPT_PATH_AS_IS, 1),
      (CURLOPT_SUPPRESS_CONNECT_HEADERS, 1), (CURLOPT_BUFFERSIZE, 256 << 10),
      (CURLOPT_UPLOAD_BUFFERSIZE, 256 << 10), (CURLOPT_TCP_KEEPALIVE, 1),
      (CURLOPT_CONNECTTIMEOUT, settings.connectSeconds), (CURLOPT_LOW_SPEED_LIMIT, settings.lowSpeed),
      (CURLOPT_LOW_SPEED_TIME, settings.lowSpeedSeconds),
      (CURLOPT_TIMEOUT, settings.totalSeconds + byteCount / max(1, settings.slowestRate)),
      (CURLOPT_FRESH_CONNECT, request.isNewConnection ? 1 : 0),
      // The address is looked up again then, too.
      (CURLOPT_DNS_CACHE_TIMEOUT, request.isNewConnection ? 0 : 60),
      (CURLOPT_NOBODY, request.method == "HEAD" ? 1 : 0),
    ]
    for (option, number) in numbers { try check(dsv_curl_set_long(handle, option, number)) }
    try check(set(CURLOPT_PROTOCOLS_STR, "http,https"))
    try check(set(CURLOPT_URL, request.url))
    try check(set(CURLOPT_USERAGENT, "dsv"))
    if let certificates = settings.certificates { try check(set(CURLOPT_CAINFO, certificates)) }
    if request.body == nil, request.method != "HEAD" { try check(set(CURLOPT_CUSTOMREQUEST, request.method)) }
  }

  /// libcurl copies the text.
  private func set(_ option: CURLoption, _ text: String) -> CURLcode {
    text.withCString { dsv_curl_set_pointer(handle, option, $0) }
  }

  private func receive(into reception: Reception) throws(HTTPFailure) {
    let context = Unmanaged.passUnretained(reception).toOpaque()
    try check(
      dsv_curl_set_receiver(
        handle, context,
        { start, size, count, context in
          guard let reception = CurlHandle.reception(context) else { return 0 }
          let line = UnsafeRawBufferPointer(start: start, count: size * count)
          return reception.receiver.receive(line: line) ? size * count : 0
        },
        { start, size, count, context in
          guard let reception = CurlHandle.reception(context) else { return 0 }
          let bytes = UnsafeRawBufferPointer(start: start, count: size * count)
          // To stop, libcurl wants another number than it gave.
          return reception.receiver.receive(body: bytes) ? size * count : size * count &+ 1
        },
        { context, _, _, _, _ in CurlHandle.reception(context)?.isInterrupted() == false ? 0 : 1 }))
  }

  private static func reception(_ context: UnsafeMutableRawPointer?) -> Reception? {
    context.map { Unmanaged<Reception>.fromOpaque($0).takeUnretainedValue() }
  }

  /// The one place where libcurl's codes become ours, for what is wrong before a request goes out.
  private func check(_ code: CURLcode) throws(HTTPFailure) {
    if code != CURLE_OK { throw Self.failure(code) }
  }

  private static func failure(_ code: CURLcode) -> HTTPFailure {
    let kind: HTTPFailure.Kind =
      switch code {
      case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT: .unreachable
      case CURLE_OPERATION_TIMEDOUT: .timeout
      case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR,
        CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER:
        .untrusted
      case CURLE_ABORTED_BY_CALLBACK: .interrupted
      case CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT, CURLE_WEIRD_SERVER_REPLY, CURLE_OUT_OF_MEMORY,
        CURLE_UNKNOWN_OPTION, CURLE_BAD_FUNCTION_ARGUMENT:
        .malformed
      default: .broken
      }
    return HTTPFailure(kind, "\(String(cString: curl_easy_strerror(code))) [libcurl \(code.rawValue)]")
  }
}
