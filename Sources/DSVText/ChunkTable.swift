/// What one distinct chunk, a run of scalars without white space, comes to. 32 bytes, two to a cache line.
struct Chunk: BitwiseCopyable {
  enum Kind: UInt8, BitwiseCopyable {
    /// An empty slot.
    case none
    /// One token, neither `#` nor `...` nor `…`, and fewer than 256 bytes.
    case one
    /// As `one`, with two tokens.
    case two
    /// Anything else: there is a record.
    case recorded
  }

  var key: StringKey
  /// The first token's word.
  var first: UInt32
  /// The second token's word, or the record's number.
  var second: UInt32 = 0
  var kind = Kind.none
  var marks: ChunkMarks = []
  var scalarCount: UInt8 = 0
  /// Where the second token starts, in bytes from the chunk's start.
  var secondStart: UInt8 = 0
}

/// The chunks seen, by their bytes. Open addressing, at most half full.
struct ChunkTable: ~Copyable {
  private static let smallest = 1 << 14
  private static let empty = Chunk(key: StringKey(), first: 0)

  private var slots = ReusedBuffer<Chunk>()
  /// The slots before they last grew.
  private var spare = ReusedBuffer<Chunk>()
  private var mask = smallest - 1
  private let seed = HashSeed.shared
  private(set) var count = 0

  init() { slots.fill(Self.smallest, with: Self.empty) }

  /// What stands for the `count` bytes at `bytes`.
  @inline(__always)
  func key(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> StringKey { StringKey(bytes, count, seed) }

  /// The chunk of that key, or one of kind `none`.
  @inline(__always)
  func find(_ key: StringKey) -> Chunk {
    var slot = Int(truncatingIfNeeded: key.slotHash(seed)) & mask
    while slots[slot].kind != .none, slots[slot].key != key { slot = (slot &+ 1) & mask }
    return slots[slot]
  }

  /// Inserts a chunk, which is not there.
  mutating func insert(_ chunk: Chunk) {
    if (count + 1) * 2 > mask { grow() }
    place(chunk)
    count += 1
  }

  /// Forgets every chunk.
  mutating func removeAll() {
    slots.removeAll(keepingAtMost: 1 << 19)
    spare.removeAll(keepingAtMost: 1 << 18)
    slots.fill(Self.smallest, with: Self.empty)
    mask = Self.smallest - 1
    count = 0
  }

  private func place(_ chunk: Chunk) {
    var slot = Int(truncatingIfNeeded: chunk.key.slotHash(seed)) & mask
    while slots[slot].kind != .none { slot = (slot + 1) & mask }
    slots[slot] = chunk
  }

  private mutating func grow() {
    swap(&slots, &spare)
    slots.fill(spare.count * 2, with: Self.empty)
    mask = slots.count - 1
    for index in 0..<spare.count where spare[index].kind != .none { place(spare[index]) }
    spare.removeAll(keepingAtMost: 1 << 18)
  }
}
