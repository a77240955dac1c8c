import DSVFormat
import DSVSystem

/// The states that a power cut may leave of a recorded workload.
///
/// The model of the medium: what a sync has acknowledged is there. Each change that no later sync covers may be there or
/// not, whatever came of the others: bytes of files and names in folders alike. Of a write, any of its sectors of 512 bytes
/// may be there, or only the length that it gave the file. A rename, and a change within one sector, is whole or not at all.
struct PowerCut {
  /// What became of a change that was not synced.
  enum Fate {
    case kept, lost
    /// A write's parts of so many bytes, those that `seed` says; the first part only with seed 0.
    case torn(sector: Int, seed: UInt64)
    /// A write that gave the file its length and nothing else.
    case zeros
  }

  /// Files and folders by path.
  struct State: Hashable {
    var folders: [String] = []
    var files: [String: [UInt8]] = [:]

    func write(to root: String) throws(DSVError) {
      try FileSystem.removeTree(root)
      try FileSystem.makeFolder(root)
      for folder in folders { try FileSystem.makeFolder("\(root)/\(folder)") }
      for (path, bytes) in files { try File("\(root)/\(path)", .create).write(bytes, at: 0) }
    }
  }

  let recording: Recording
  /// For each event, the first event after which it is durable.
  private let durableAfter: [Int]
  /// For each event, how many commands were acknowledged before it.
  let acknowledgedCounts: [Int]

  /// - Parameter ignoring: the label of syncs that are to have no effect, as if they stood not in the code.
  init(_ recording: Recording, ignoring: String? = nil) {
    self.recording = recording
    var durable = [Int](repeating: .max, count: recording.events.count)
    var pending: [Int: [Int]] = [:]
    var acknowledged = 0
    var counts: [Int] = []
    for (index, event) in recording.events.enumerated() {
      counts.append(acknowledged)
      switch event.change {
      case .names(let names): for name in names { pending[name.folder, default: []].append(index) }
      case .write(let node, _, _), .truncate(let node, _):
        if event.isDurable, event.label != ignoring {
          durable[index] = index
        } else {
          pending[node, default: []].append(index)
        }
      case .sync(let node):
        guard event.label != ignoring else { continue }
        for change in pending.removeValue(forKey: node) ?? [] { durable[change] = index }
      case .acknowledged: acknowledged += 1
      }
    }
    durableAfter = durable
    acknowledgedCounts = counts + [acknowledged]
  }

  /// The events before `cut` that may be lost.
  func pending(at cut: Int) -> [Int] {
    (0..<cut).filter { index in
      switch recording.events[index].change {
      case .names, .write, .truncate: return durableAfter[index] >= cut
      case .sync, .acknowledged: return false
      }
    }
  }

  /// One of the states that a cut after `cut` events may leave, which `variant` chooses.
  ///
  /// The first variants are the plain ones: all there, all lost, bytes without names, names without bytes, ...; those
  /// after them are chosen at random.
  func state(at cut: Int, variant: Int) -> State {
    var random = SeededGenerator(UInt64(variant) << 32 | UInt64(cut))
    let share = variant % 3 == 0 ? 0.5 : Double.random(in: 0..<1, using: &random)
    let pending = Set(pending(at: cut))
    let last = pending.max()
    return state(at: cut, random: random.next()) { index, isWrite in
      guard pending.contains(index) else { return .kept }
      switch variant {
      case 0: return .kept
      case 1: return .lost
      case 2: return isWrite ? .kept : .lost
      case 3: return isWrite ? .lost : .kept
      case 4: return isWrite ? .zeros : .kept
      case 5: return index == last && isWrite ? .torn(sector: 512, seed: 0) : .kept
      case 6: return index == last && isWrite ? .torn(sector: 4096, seed: 1) : .kept
      case 7: return index == last ? .lost : .kept
      default:
        guard Double.random(in: 0..<1, using: &random) >= share else { return .lost }
        guard isWrite, Int.random(in: 0..<4, using: &random) == 0 else { return .kept }
        if Bool.random(using: &random) { return .zeros }
        return .torn(sector: Bool.random(using: &random) ? 512 : 4096, seed: random.next())
      }
    }
  }

  /// The state in which of all events before `cut` only those in `lost` are lost.
  ///
  /// - Parameter keepsLengths: whether the writes among them have given the files their lengths.
  func state(at cut: Int, losing lost: Set<Int>, keepsLengths: Bool = false) -> State {
    state(at: cut, random: 2) { index, isWrite in
      lost.contains(index) ? (isWrite && keepsLengths ? .zeros : .lost) : .kept
    }
  }

  private func state(at cut: Int, random: UInt64, _ fate: (Int, Bool) -> Fate) -> State {
    var contents: [Int: [UInt8]] = [:]
    var folders: [Int: [String: Int]] = [:]
    for (index, event) in recording.events[..<cut].enumerated() {
      switch event.change {
      case .names(let names):
        guard case .kept = fate(index, false) else { continue }
        for name in names { folders[name.folder, default: [:]][name.name] = name.node }
      case .write(let node, let offset, let bytes):
        Self.write(bytes, at: offset, to: &contents[node, default: []], fate(index, true))
      case .truncate(let node, let byteCount):
        guard case .kept = fate(index, false) else { continue }
        Self.resize(&contents[node, default: []], to: byteCount)
      case .sync, .acknowledged: continue
      }
    }
    for node in recording.mapped {
      let byteCount = contents[node]?.count ?? 0
      if random % 3 == 0 { contents[node] = [UInt8](repeating: 0, count: byteCount) }
      if random % 3 == 1 { contents[node] = [UInt8](repeating: UInt8(random >> 56), count: byteCount) }
    }
    var state = State()
    func walk(_ node: Int, _ path: String) {
      for (name, child) in (folders[node] ?? [:]).sorted(by: { $0.key < $1.key }) {
        let childPath = path.isEmpty ? name : "\(path)/\(name)"
        if recording.isFolder[child] {
          state.folders.append(childPath)
          walk(child, childPath)
        } else {
          state.files[childPath] = contents[child] ?? []
        }
      }
    }
    walk(0, "")
    return state
  }

  private static func resize(_ content: inout [UInt8], to byteCount: Int) {
    if content.count > byteCount { content.removeLast(content.count - byteCount) }
    if content.count < byteCount { content += [UInt8](repeating: 0, count: byteCount - content.count) }
  }

  private static func write(_ bytes: [UInt8], at offset: Int, to content: inout [UInt8], _ fate: Fate) {
    if case .lost = fate { return }
    if content.count < offset + bytes.count { resize(&content, to: offset + bytes.count) }
    switch fate {
    case .lost, .zeros: return
    case .kept: content.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    case .torn(let sector, let seed):
      var random = SeededGenerator(seed)
      var start = offset
      while start < offset + bytes.count {
        // Sectors are the file's, not the write's.
        let end = min((start / sector + 1) * sector, offset + bytes.count)
        let isKept = seed == 0 ? start == offset : Bool.random(using: &random)
        if isKept { content.replaceSubrange(start..<end, with: bytes[start - offset..<end - offset]) }
        start = end
      }
    }
  }
}
