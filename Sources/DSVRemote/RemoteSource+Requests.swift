import DSVFormat
import DSVStore
import DSVSystem
import Synchronization

/// Makes the requests that the board decides, on threads of their own.
extension RemoteSource {
  /// Starts threads for what waits.
  func startWorkers() {
    while let request = begin(isNew: true) {
      // Where the system gives no threads, who asks does the work.
      if !Threads.start({ self.work(request) }) { work(request) }
    }
  }

  private func work(_ first: FetchRequest) {
    var next: FetchRequest? = first
    while let request = next {
      perform(request)
      next = begin(isNew: false)
    }
  }

  /// The next request, for a new thread or for one that has done its last.
  private func begin(isNew: Bool) -> FetchRequest? {
    state.withLock { state in
      if isNew, state.workerCount >= limits.smallRequestCount { return nil }
      let request = state.board.next(now: Clock.monotonicNanoseconds())
      if isNew, request != nil { state.workerCount += 1 }
      if !isNew, request == nil { state.workerCount -= 1 }
      return request
    }
  }

  func perform(_ request: FetchRequest) {
    let remote = remotes[request.remote]
    var arrived: [(Flight, StoredObject)] = []
    var failed: [(Flight, DSVError)] = []
    var more: [(Flight, StoredObject)] = []
    do throws(DSVError) {
      let bytes = try get(request.range, of: request.pack, from: request.remote)
      let codec = try remote.places.codec(of: request.pack)
      for flight in request.flights {
        do throws(DSVError) {
          arrived.append((flight, try object(flight, in: bytes, at: request.range.lowerBound, codec)))
        } catch { failed.append((flight, error)) }
      }
      if request.readsOn { more = neighbours(request, bytes, codec) }
    } catch {
      noteTrouble(request.remote, request.pack, error)
      for flight in request.flights { failed.append((flight, failure(flight, error))) }
    }
    finish(request, arrived, failed, more)
  }

  private func finish(
    _ request: FetchRequest, _ arrived: [(Flight, StoredObject)], _ failed: [(Flight, DSVError)],
    _ more: [(Flight, StoredObject)]
  ) {
    // Bases are wanted next: while objects are handed over they are on their way.
    let bases = Set(arrived.compactMap { $0.1.base?.id })
    for (flight, object) in arrived { flight.raw.bring(.success(object)) }
    let now = Clock.monotonicNanoseconds()
    let unclaimed = state.withLock { state in
      state.board.finish(request, arrived: arrived.map(\.0), failed: failed.map(\.0), now: now)
      for (flight, object) in more where state.board.addArrived(flight, now: now) {
        flight.raw.bring(.success(object))
      }
      return failed.map(\.0).filter { !$0.isOwned }
    }
    // A failed flight is off the board, so that who asks from now on tries anew.
    for (flight, error) in failed {
      flight.raw.bring(.failure(error))
      flight.checked.bring(.failure(error))
    }
    prefetchElsewhere(unclaimed)
    if !bases.isEmpty { prefetch(Array(bases), first: true) }
    // What arrived made room.
    startWorkers()
  }

  /// Begins to fetch from other remotes what one did not give and nobody waits for yet: who does asks others himself.
  private func prefetchElsewhere(_ failed: [Flight]) {
    var flights: [Flight] = []
    for flight in failed {
      var attempt = FetchAttempt(butOf: flight.tried.union([flight.remote]))
      if let next = locate(flight.id, &attempt) { flights.append(next) }
    }
    if !flights.isEmpty { state.withLock { $0.board.add(flights) } }
  }

  private func get(_ range: Range<Int>, of pack: RemotePack, from remote: Int) throws(DSVError) -> [UInt8] {
    state.withLock { state in
      state.counts[remote].requestCount += 1
      state.counts[remote].fetchedByteCount += range.count
    }
    return try remotes[remote].bucket.get(pack.key, range: range)
  }

  /// The object of a flight in bytes that were fetched; fetched once more by itself if they are damaged.
  private func object(
    _ flight: Flight, in bytes: [UInt8], at start: Int, _ codec: PackCodec
  ) throws(DSVError) -> StoredObject {
    let range = flight.range.lowerBound - start..<flight.range.upperBound - start
    do throws(DSVError) {
      return try object(flight.id, in: bytes, range, codec)
    } catch {
      guard error.code == .corrupt else { throw failure(flight, error) }
      return try fetchAlone(flight)
    }
  }

  private func object(
    _ id: AnyID, in bytes: [UInt8], _ range: Range<Int>, _ codec: PackCodec
  ) throws(DSVError) -> StoredObject {
    guard range.upperBound <= bytes.count else { throw DSVError(.corrupt, "its pack ends before it") }
    return try codec.object(id, in: Array(bytes[range]))
  }

  func fetchAlone(_ flight: Flight) throws(DSVError) -> StoredObject {
    let remote = remotes[flight.remote]
    do throws(DSVError) {
      let bytes = try get(flight.range, of: flight.pack, from: flight.remote)
      let codec = try remote.places.codec(of: flight.pack)
      return try object(flight.id, in: bytes, bytes.indices, codec)
    } catch {
      throw failure(flight, error)
    }
  }

  /// The objects behind the last one that was wanted: who reads a pack in order wants them next.
  private func neighbours(
    _ request: FetchRequest, _ bytes: [UInt8], _ codec: PackCodec
  ) -> [(Flight, StoredObject)] {
    let remote = remotes[request.remote]
    var result: [(Flight, StoredObject)] = []
    var offset = (request.flights.last?.range.upperBound ?? request.range.upperBound)
    while offset < request.range.upperBound {
      let start = offset - request.range.lowerBound
      let header = bytes.withBytes { RecordBytes.header(UnsafeRawBufferPointer(rebasing: $0[start...])) }
      guard let (id, byteCount) = header, start + byteCount <= bytes.count else { break }
      do throws(DSVError) {
        if try store?.contains(id) == false, promoter.object(id) == nil,
          let place = try remote.places.place(of: id), kinds.contains(place.kind),
          place.pack.slot == request.pack.slot,
          place.offset == offset, place.byteCount == byteCount
        {
          let object = try object(id, in: bytes, start..<start + byteCount, codec)
          result.append((Flight(id, remote: request.remote, place), object))
        }
      } catch { break }
      offset += byteCount
    }
    return result
  }
}
