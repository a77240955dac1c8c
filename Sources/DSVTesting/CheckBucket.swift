package import DSVFormat
package import DSVRemote
import DSVSystem

/// What every ``Bucket`` promises, as one check that each conforming type is put through.
///
/// Works below a prefix that nothing else uses, and leaves nothing there.
///
/// - Returns: the promises that `bucket` breaks.
package func checkBucket(_ bucket: some Bucket) throws(DSVError) -> [String] {
  var check = BucketCheck(bucket)
  try check.values()
  try check.ranges()
  try check.creation()
  try check.race()
  try check.listing()
  try check.deletion()
  return check.broken
}

private struct BucketCheck {
  let bucket: any Bucket
  /// Ends with a slash.
  let prefix = "check/\(Random.hexDigits(16))/"
  var broken: [String] = []

  init(_ bucket: any Bucket) { self.bucket = bucket }

  mutating func expect(_ isKept: Bool, _ promise: String) { if !isKept { broken.append(promise) } }

  func code(_ body: () throws(DSVError) -> Void) -> DSVError.Code? {
    do throws(DSVError) { try body() } catch { return error.code }
    return nil
  }

  static func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
  }

  mutating func values() throws(DSVError) {
    expect(try bucket.get(prefix + "absent", limit: 100) == nil, "what was not put is nil")
    expect(try bucket.get(prefix + "no/such/folder", limit: 100) == nil, "nor is anything in a folder of it")
    for byteCount in [0, 1, 4096, 70_000, 1_500_000] {
      let (key, bytes) = (prefix + "values/\(byteCount)", Self.bytes(byteCount))
      try bucket.put(key, bytes)
      expect(try bucket.get(key, limit: byteCount) == bytes, "a get gives what was put: \(byteCount) bytes")
      if byteCount > 0 {
        let code = code { () throws(DSVError) in _ = try bucket.get(key, limit: byteCount - 1) }
        expect(code == .corrupt, "a value above the limit is corrupt: \(byteCount) bytes")
      }
      try bucket.put(key, [1, 2, 3])
      expect(try bucket.get(key, limit: 10) == [1, 2, 3], "a put replaces what was there")
    }
    let name = "aA0-_.z"
    let longest = prefix + String(repeating: String(repeating: "n", count: 100) + "/", count: 4) + name
    try bucket.put(longest, [7])
    expect(try bucket.get(longest, limit: 1) == [7], "long keys of all letters")
    try bucket.delete([longest])
  }

  mutating func ranges() throws(DSVError) {
    let (key, bytes) = (prefix + "range", Self.bytes(70_000))
    try bucket.put(key, bytes)
    for range in [0..<1, 0..<70_000, 65_000..<70_000, 69_999..<70_000, 17..<40_000] {
      expect(try bucket.get(key, range: range) == Array(bytes[range]), "a range gives its bytes: \(range)")
    }
    for range in [69_999..<70_001, 70_000..<70_001, 80_000..<80_010] {
      let code = code { () throws(DSVError) in _ = try bucket.get(key, range: range) }
      expect(code == .corrupt, "a range past the end is corrupt: \(range)")
    }
    let absent = code { () throws(DSVError) in _ = try bucket.get(prefix + "absent", range: 0..<1) }
    expect(absent == .notFound, "a range of what is not there is notFound")
  }

  mutating func creation() throws(DSVError) {
    let key = prefix + "created/1"
    expect(try bucket.create(key, [1]), "what is not there is created")
    expect(try !bucket.create(key, [2]), "what is there is not")
    expect(try !bucket.create(key, [1]), "not even if it has the same bytes")
    expect(try bucket.get(key, limit: 1) == [1], "who comes second changes nothing")
    try bucket.delete([key])
    expect(try bucket.create(key, []), "what was deleted is created again, and may be empty")
    expect(try bucket.get(key, limit: 0) == [], "an empty value is not none")
  }

  mutating func race() throws(DSVError) {
    for round in 0..<4 {
      let key = prefix + "race/\(round)"
      let bucket = bucket
      let won = try Parallel.map(8, width: 8) { (number) throws(DSVError) in
        try bucket.create(key, Array(repeating: UInt8(number), count: 3000))
      }
      let winners = won.indices.filter { won[$0] }.map { UInt8($0) }
      expect(winners.count == 1, "of 8 that create one key at once, 1 succeeds: \(winners.count) did")
      let value = try bucket.get(key, limit: 3000)
      expect(
        winners.contains { value == Array(repeating: $0, count: 3000) }, "and the value is that one's")
    }
  }

  mutating func listing() throws(DSVError) {
    let base = prefix + "l/"
    let names = ["a", "a-b", "a.c", "a0", "aa/1", "aa/10", "aa/2", "b/c/d", "b/c/e/f", "B", "z"]
    for name in names { try bucket.put(base + name, Self.bytes(name.utf8.count)) }
    let sorted = names.sorted().map { BucketEntry(base + $0, byteCount: $0.utf8.count) }
    func list(_ tail: String, after: String? = nil, limit: Int = 1000) throws(DSVError) -> [BucketEntry] {
      try bucket.list(prefix: base + tail, after: after, limit: limit)
    }
    expect(try list("") == sorted, "a list shows all keys and lengths in order")
    expect(try list("aa/") == sorted.filter { $0.key.hasPrefix(base + "aa/") }, "a folder's")
    expect(try list("a") == sorted.filter { $0.key.hasPrefix(base + "a") }, "those that begin so")
    expect(try list("b/c/e") == sorted.filter { $0.key.hasPrefix(base + "b/c/e") }, "those of one name")
    expect(try list("no").isEmpty, "none")
    for limit in [1, 3, 10, 11] {
      var (found, after): ([BucketEntry], String?) = ([], nil)
      while true {
        let page = try list("", after: after, limit: limit)
        found += page
        guard let last = page.last, page.count == limit else { break }
        after = last.key
      }
      expect(found == sorted, "pages of \(limit) come to the same")
    }
    let behind = base + "a5"
    expect(
      try list("", after: behind) == sorted.filter { $0.key > behind },
      "what a list begins behind need not be there")
  }

  mutating func deletion() throws(DSVError) {
    let keys = try bucket.list(prefix: prefix, after: nil, limit: 1000).map(\.key)
    try bucket.delete([])
    try bucket.delete([keys[0], prefix + "never-there"])
    expect(try bucket.get(keys[0], limit: 1 << 30) == nil, "what was deleted is gone")
    try bucket.delete(keys)
    expect(try bucket.list(prefix: prefix, after: nil, limit: 1000).isEmpty, "and is not listed")
  }
}
