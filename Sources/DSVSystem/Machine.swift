import CSystem
package import DSVFormat
import Glibc

/// What the process may ask about where it runs.
package enum Machine {
  /// How many cores this process may use.
  package static let coreCount = max(1, Int(dsv_core_count()))

  /// Gives memory that nothing uses any more back to the system.
  ///
  /// - Returns: whether there was any.
  @discardableResult
  package static func releaseFreeMemory() -> Bool { malloc_trim(0) != 0 }

  /// From now on, buffers of a megabyte or more go back to the system when they are freed, in this whole process.
  ///
  /// Where large ones come and go, the process stays smaller; each one costs the system's time to make its pages.
  package static func returnLargeBuffers() { _ = mallopt(M_MMAP_THRESHOLD, 1 << 20) }

  package static var processID: Int32 { getpid() }

  /// The name that this machine gives itself, for messages.
  package static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, 255) == 0 else { return "localhost" }
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// The value of an environment variable.
  package static func environment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }

  /// Whether an environment variable has a value that is not empty. Makes no copy of it.
  package static func hasEnvironment(_ name: String) -> Bool { getenv(name).map { $0.pointee != 0 } ?? false }

  /// The folder that relative paths begin at.
  package static func currentFolder() throws(DSVError) -> String {
    guard let path = getcwd(nil, 0) else { throw .system(errno, "getcwd", ".") }
    defer { free(path) }
    return String(cString: path)
  }
}

/// The time of day and the time that has passed.
package enum Clock {
  /// Seconds since 1970-01-01 00:00 UTC.
  package static func secondsSince1970() -> Int { Int(read(CLOCK_REALTIME) / 1_000_000_000) }

  /// The seconds since 1970 of so many days ago, or to come, however many somebody asks for.
  package static func secondsSince1970(daysAgo days: Int) -> Int {
    secondsSince1970() - min(max(-1 << 32, days), 1 << 32) * 86_400
  }

  /// Nanoseconds since 1970-01-01 00:00 UTC.
  package static func nanosecondsSince1970() -> Int { Int(read(CLOCK_REALTIME)) }

  /// Nanoseconds since some moment; never goes back.
  package static func monotonicNanoseconds() -> UInt64 { read(CLOCK_MONOTONIC) }

  package static func sleep(nanoseconds: UInt64) {
    var time = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    nanosleep(&time, nil)
  }

  private static func read(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}

/// Random bytes from the kernel.
package enum Random {
  package static func bytes(_ count: Int) -> [UInt8] { RandomSource.bytes(count) }

  package static func hexDigits(_ count: Int) -> String {
    String(bytes(count).map { Character(String($0 & 15, radix: 16)) })
  }
}
