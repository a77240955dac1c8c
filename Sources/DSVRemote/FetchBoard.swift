import DSVFormat
import DSVStore

/// How much may be under way.
package struct FetchLimits: Sendable {
  /// Requests for more than ``smallByteCount`` at once.
  package var requestCount = 32
  /// Requests at once.
  package var smallRequestCount = 128
  package var smallByteCount = 128 << 10
  /// What is requested at once if it lies together: nothing of a request is handed over before all of it is here.
  package var requestByteCount = 1 << 20
  /// So many bytes that nobody wants between two records are fetched with them: about what passes in the time that a request
  /// takes, shared by all that are under way.
  package var gapByteCount = 32 << 10
  /// What was requested, or has arrived and was not handed over yet. Who waits for an object gets it all the same.
  package var stagedByteCount = 64 << 20
  /// How many objects may wait to be requested ahead.
  package var waitingCount = 1 << 16
  /// What was fetched ahead, and for so long not asked for, makes room for what is.
  package var staleNanoseconds: UInt64 = 5_000_000_000

  package init() {}
}

/// One range of a pack that is to be fetched, and the objects in it that are wanted.
struct FetchRequest {
  let remote: Int
  let pack: RemotePack
  let range: Range<Int>
  /// In order of their offsets.
  let flights: [Flight]
  /// Whether the range goes on behind the last of them, as records there are likely to be read next.
  let readsOn: Bool
  let isSmall: Bool
}

/// Decides what is fetched next. Does nothing itself, and is used by one thread at a time.
struct FetchBoard {
  private struct Lane: Hashable {
    let remote: Int
    let slot: UInt32
  }

  let limits: FetchLimits
  private(set) var flights: [AnyID: Flight] = [:]
  /// Flights that wait, by where they lie, in order of offsets.
  private var lanes: [Lane: [Flight]] = [:]
  private var ahead = Line()
  /// What goes before those.
  private var first = Line()
  /// Flights that arrived without an owner, oldest first.
  private var unclaimed = Line()
  /// The last request of a pack, and how far the next may go on behind what is wanted.
  private var tails: [Lane: (range: Range<Int>, window: Int)] = [:]
  private var waitingCount = 0
  private var waitingByteCount = 0
  private var bulkCount = 0
  private(set) var stagedByteCount = 0
  private(set) var stagedByteCountMax = 0

  static let readOnByteCountMin = 64 << 10

  init(_ limits: FetchLimits) { self.limits = limits }

  /// IDs in the order in which they came. Not flights: these must go, and their bytes with them, once they are handed over.
  private struct Line {
    private var ids: [AnyID] = []
    private var start = 0

    mutating func append(_ flight: Flight) { ids.append(flight.id) }
    var first: AnyID? { start < ids.count ? ids[start] : nil }

    mutating func removeFirst() {
      start += 1
      if start > 1024, start > ids.count / 2 {
        ids.removeFirst(start)
        start = 0
      }
    }
  }

  // MARK: - What is wanted

  /// Puts a flight on the board that somebody waits for.
  mutating func add(_ flight: Flight) {
    flights[flight.id] = flight
    wait(flight)
    let lane = Lane(remote: flight.remote, slot: flight.pack.slot)
    let index = Self.index(of: flight.place.offset, in: lanes[lane, default: []])
    lanes[lane, default: []].insert(flight, at: index)
  }

  /// Puts flights on the board that nobody waits for yet, as many as may wait.
  ///
  /// - Parameter isFirst: whether they go before those that were put there earlier, but for others that do.
  mutating func add(_ new: [Flight], first isFirst: Bool = false) {
    var touched: Set<Lane> = []
    for flight in new where waitingCount < limits.waitingCount && flights[flight.id] == nil {
      flights[flight.id] = flight
      wait(flight)
      let lane = Lane(remote: flight.remote, slot: flight.pack.slot)
      lanes[lane, default: []].append(flight)
      touched.insert(lane)
      if isFirst { first.append(flight) } else { ahead.append(flight) }
    }
    for lane in touched { lanes[lane]?.sort { $0.place.offset < $1.place.offset } }
  }

  private mutating func wait(_ flight: Flight) {
    waitingCount += 1
    waitingByteCount += flight.place.byteCount
  }

  /// Puts an object on the board that came with others.
  mutating func addArrived(_ flight: Flight, now: UInt64) -> Bool {
    guard flights[flight.id] == nil, stagedByteCount + flight.place.byteCount <= limits.stagedByteCount else {
      return false
    }
    flights[flight.id] = flight
    stage(flight.place.byteCount)
    land(flight, now: now)
    return true
  }

  // MARK: - What is next

  /// A request for a flight that somebody waits for; `nil` if there is one already.
  mutating func request(for flight: Flight) -> FetchRequest? {
    flight.phase == .waiting ? request(around: flight, isDemanded: true) : nil
  }

  /// The next request; `nil` if there is none, or no room for it.
  mutating func next(now: UInt64) -> FetchRequest? {
    while let id = first.first ?? ahead.first {
      let isFirst = first.first != nil
      guard let flight = flights[id], flight.phase == .waiting else {
        if isFirst { first.removeFirst() } else { ahead.removeFirst() }
        continue
      }
      if stagedByteCount + wantedRoom(for: flight) > limits.stagedByteCount {
        guard dropStale(now) else { return nil }
        continue
      }
      if isFirst { first.removeFirst() } else { ahead.removeFirst() }
      return request(around: flight, isDemanded: false)
    }
    return nil
  }

  /// How much room there must be for a request ahead: as objects are handed over one by one, so that requests do not become
  /// as small as they are.
  private func wantedRoom(for flight: Flight) -> Int {
    max(
      flight.place.byteCount,
      min(waitingByteCount, limits.requestByteCount, limits.stagedByteCount / 8))
  }

  /// Drops the flight that has waited longest for somebody to ask for it, if that is too long.
  private mutating func dropStale(_ now: UInt64) -> Bool {
    while let id = unclaimed.first {
      guard let oldest = flights[id], oldest.phase == .arrived, !oldest.isOwned else {
        unclaimed.removeFirst()
        continue
      }
      guard now - oldest.arrivedAt >= limits.staleNanoseconds else { return false }
      unclaimed.removeFirst()
      remove(oldest)
      return true
    }
    return false
  }

  /// A request for a flight and those that lie beside it.
  private mutating func request(around flight: Flight, isDemanded: Bool) -> FetchRequest {
    let lane = Lane(remote: flight.remote, slot: flight.pack.slot)
    let line = lanes[lane] ?? []
    let isBulkFull = bulkCount >= limits.requestCount
    let room = max(limits.stagedByteCount - stagedByteCount, 0)
    let most = min(isBulkFull ? limits.smallByteCount : limits.requestByteCount, room)
    let index = Self.index(of: flight.place.offset, in: line)
    var (first, last) = (index, index)
    var range = flight.range
    while last + 1 < line.count {
      let next = line[last + 1].range
      let wider = range.lowerBound..<max(range.upperBound, next.upperBound)
      guard next.lowerBound - range.upperBound <= limits.gapByteCount, wider.count <= most else { break }
      (last, range) = (last + 1, wider)
    }
    while first > 0 {
      let before = line[first - 1].range
      let wider = before.lowerBound..<range.upperBound
      guard range.lowerBound - before.upperBound <= limits.gapByteCount, wider.count <= most else { break }
      (first, range) = (first - 1, wider)
    }
    let chosen = Array(line[first...last])
    lanes[lane]?.removeSubrange(first...last)
    if lanes[lane]?.isEmpty == true { lanes[lane] = nil }
    for one in chosen {
      one.phase = .travelling
      waitingByteCount -= one.place.byteCount
    }
    waitingCount -= chosen.count
    let wanted = range
    if isDemanded, last + 1 >= line.count { range = readOn(lane, flight.pack, range, most) }
    tails[lane] = (range, tails[lane]?.window ?? 0)
    stage(range.count)
    let isSmall = range.count <= limits.smallByteCount
    if !isSmall { bulkCount += 1 }
    return FetchRequest(
      remote: flight.remote, pack: flight.pack, range: range, flights: chosen,
      readsOn: range != wanted, isSmall: isSmall)
  }

  /// A longer range, where a pack is being read from one record to the next.
  private mutating func readOn(
    _ lane: Lane, _ pack: RemotePack, _ range: Range<Int>, _ most: Int
  ) -> Range<Int> {
    // The last request may have ended within the record that is wanted now.
    guard let tail = tails[lane], range.lowerBound > tail.range.lowerBound,
      range.lowerBound <= tail.range.upperBound + limits.gapByteCount,
      range.upperBound > tail.range.upperBound
    else {
      tails[lane]?.window = 0
      return range
    }
    let window = min(max(tail.window * 2, Self.readOnByteCountMin), limits.requestByteCount / 2)
    tails[lane]?.window = window
    let end = min(range.upperBound + window, pack.byteCount, range.lowerBound + most)
    return range.lowerBound..<max(end, range.upperBound)
  }

  // MARK: - What has come

  /// Takes the outcome of a request: which of its flights have arrived. The others have failed, and leave the board.
  mutating func finish(_ request: FetchRequest, arrived: [Flight], failed: [Flight], now: UInt64) {
    stagedByteCount -= request.range.count
    if !request.isSmall { bulkCount -= 1 }
    for flight in arrived {
      stage(flight.place.byteCount)
      land(flight, now: now)
    }
    for flight in failed where flights[flight.id] === flight { flights[flight.id] = nil }
  }

  private mutating func land(_ flight: Flight, now: UInt64) {
    (flight.phase, flight.arrivedAt) = (.arrived, now)
    if !flight.isOwned { unclaimed.append(flight) }
  }

  /// Takes a flight that has arrived off the board: it was handed over, or was no good.
  mutating func remove(_ flight: Flight) {
    guard flights[flight.id] === flight else { return }
    flights[flight.id] = nil
    stagedByteCount -= flight.place.byteCount
  }

  private mutating func stage(_ byteCount: Int) {
    stagedByteCount += byteCount
    stagedByteCountMax = max(stagedByteCountMax, stagedByteCount)
  }

  /// Where a flight at `offset` stands, or would stand, in a line.
  private static func index(of offset: Int, in line: [Flight]) -> Int {
    var (low, high) = (0, line.count)
    while low < high {
      let middle = (low + high) / 2
      if line[middle].place.offset < offset { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
