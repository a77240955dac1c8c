import Glibc
import Synchronization

/// Memory for secrets: whole pages, so that locking and hiding them touches nothing else's.
///
/// A secret of up to 64 bytes takes a slot in a page that it shares with others of its size; a longer one has pages
/// of its own. Pages of slots stay with the process.
final class SecretMemory: @unchecked Sendable {
  // Unchecked because of the pointers: each slot has one owner, and the list of those that have none its lock.
  static let shared = SecretMemory()

  private static let slotByteCount = 64
  private static let regionByteCount = 16_384

  private var freeSlots: [UnsafeMutableRawPointer] = []
  private let guardFree = Mutex(())

  /// `count` bytes, all zero.
  func allocate(_ count: Int) -> UnsafeMutableRawBufferPointer {
    guard count <= Self.slotByteCount else {
      return UnsafeMutableRawBufferPointer(start: Self.map(count), count: count)
    }
    let slot = guardFree.withLock { _ in
      if freeSlots.isEmpty { addRegion() }
      return freeSlots.removeLast()
    }
    return UnsafeMutableRawBufferPointer(start: slot, count: count)
  }

  func free(_ bytes: UnsafeMutableRawBufferPointer) {
    guard let start = bytes.baseAddress else { return }
    Wiping.wipe(bytes)
    if bytes.count <= Self.slotByteCount {
      guardFree.withLock { _ in freeSlots.append(start) }
    } else {
      munmap(start, bytes.count)
    }
  }

  private func addRegion() {
    let region = Self.map(Self.regionByteCount)
    for offset in stride(from: 0, to: Self.regionByteCount, by: Self.slotByteCount) {
      freeSlots.append(region + offset)
    }
  }

  /// Fresh pages. What the system refuses (locking has a limit) is done without.
  private static func map(_ byteCount: Int) -> UnsafeMutableRawPointer {
    let pages = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let pages, pages != MAP_FAILED else { preconditionFailure("no memory for a secret") }
    mlock(pages, byteCount)
    madvise(pages, byteCount, MADV_DONTDUMP)
    return pages
  }
}
