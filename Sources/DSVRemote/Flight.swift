import DSVFormat
import DSVStore
import Dispatch
import Synchronization

/// A value that some threads wait for and one brings.
final class Arrival<Value: Sendable>: Sendable {
  private let outcome = Mutex<Result<Value, DSVError>?>(nil)
  private let ready = DispatchSemaphore(value: 0)

  /// Brings the outcome. A second one is left out.
  func bring(_ result: Result<Value, DSVError>) {
    let isFirst = outcome.withLock { outcome in
      guard outcome == nil else { return false }
      outcome = result
      return true
    }
    if isFirst { ready.signal() }
  }

  /// Waits for it.
  func value() throws(DSVError) -> Value {
    ready.wait()
    ready.signal()
    guard let result = outcome.withLock({ $0 }) else { preconditionFailure("signalled without an outcome") }
    return try result.get()
  }
}

/// An object on its way from a remote.
///
/// `@unchecked Sendable`: what can change of it is touched under the lock of the ``FetchBoard`` that it stands on.
final class Flight: @unchecked Sendable {
  enum Phase {
    /// No request was made for it.
    case waiting
    case travelling
    /// Its bytes are here, and nobody has asked for it yet, or somebody is looking whether they are the object.
    case arrived
  }

  let id: AnyID
  /// Index of the remote that it comes from.
  let remote: Int
  let place: RemotePlace
  /// The remotes that were asked before, or do not have it.
  let tried: Set<Int>
  /// The object as its record has it.
  let raw = Arrival<StoredObject>()
  /// The object, which is what its ID names.
  let checked = Arrival<StoredObject>()

  var phase = Phase.waiting
  /// Whether somebody waits for it: who does first checks it for all.
  var isOwned = false
  /// When it arrived.
  var arrivedAt: UInt64 = 0

  init(_ id: AnyID, remote: Int, _ place: RemotePlace, tried: Set<Int> = []) {
    (self.id, self.remote, self.place, self.tried) = (id, remote, place, tried)
  }

  var pack: RemotePack { place.pack }
  var range: Range<Int> { place.range }
}
