import DSVRecords
import Testing

@Suite struct NumberTests {
  private func event(_ spelling: String, _ parser: JSONParser = JSONParser()) -> Event? {
    parsing(Array("[\(spelling)]".utf8), parser) { result in
      guard case .success(let events) = result else { return nil }
      #expect(String(decoding: events.spelling(events.events[1]), as: UTF8.self) == spelling)
      return events.events[1]
    }
  }

  @Test("integers keep all their bits up to 64")
  func integers() {
    for value in [0, 1, -1, .max, .min, 1 << 53, (1 << 53) + 1] as [Int64] {
      #expect(event("\(value)")?.kind == .int64)
      #expect(event("\(value)")?.int64 == value)
    }
    for value in [1 << 63, .max] as [UInt64] {
      #expect(event("\(value)")?.kind == .uint64)
      #expect(event("\(value)")?.uint64 == value)
    }
  }

  @Test(
    "a number that no type holds is kept as spelt",
    arguments: [
      "18446744073709551616", "-9223372036854775809", "1e400", "-1e400", "1E309",
      "123456789012345678901234567890",
      "1.8e308", "100000000000000000000000000000000000000000e300",
    ])
  func bigNumbers(spelling: String) { #expect(event(spelling)?.kind == .bigNumber) }

  @Test(
    "doubles are rounded correctly, bit for bit",
    arguments: [
      ("-0", 0x8000_0000_0000_0000), ("-0.0", 0x8000_0000_0000_0000), ("0.0", 0), ("1e-400", 0), ("0e400", 0),
      ("-1e-400", 0x8000_0000_0000_0000), ("5e-324", 1), ("2.4703282292062327e-324", 0),
      ("2.4703282292062328e-324", 1),
      ("4.9406564584124654e-324", 1), ("2.2250738585072011e-308", 0x000f_ffff_ffff_ffff),
      ("2.2250738585072014e-308", 0x0010_0000_0000_0000),
      ("1.7976931348623157e308", 0x7fef_ffff_ffff_ffff), ("0.1", 0x3fb9_9999_9999_999a),
      ("9007199254740993.0", 0x4340_0000_0000_0000),
      ("0.30000000000000004", 0x3fd3_3333_3333_3334),
      ("1.00000000000000011102230246251565404236316680908203125", 0x3ff0_0000_0000_0000),
      ("1.00000000000000011102230246251565404236316680908203126", 0x3ff0_0000_0000_0001),
      ("1e23", 0x44b5_2d02_c7e1_4af6),
    ] as [(String, UInt64)])
  func doubles(spelling: String, bits: UInt64) {
    #expect(event(spelling)?.kind == .double)
    #expect(event(spelling)?.double.bitPattern == bits)
    #expect(Double(spelling)?.bitPattern == bits)
  }

  @Test("a double is written as Swift writes it and read back bit for bit")
  func doublesRoundTrip() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var generator = SeededGenerator(seed)
    var values: [Double] = [
      0, -0.0, 1, 0.1, 1e-7, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 0x1p53, 0x1p54, 0x1p54 + 4,
      1e15, 1e16, 1e17, 0.0001, 0.00001,
    ]
    for _ in 0..<20_000 {
      values.append(Double(bitPattern: generator.next()))
      values.append(Double(Int64(truncatingIfNeeded: generator.next()) >> Int64(generator.next() % 60)))
      values.append(Double(Int.random(in: 0...1_000_000, using: &generator)) / 1000)
    }
    let parser = JSONParser()
    for value in values where value.isFinite {
      let text = written { $0.appendJSON(value) }
      #expect(text == value.description)
      #expect(event(text, parser)?.kind == .double)
      #expect(event(text, parser)?.double.bitPattern == value.bitPattern, "\(text)")
    }
  }

  @Test("a 32-bit float is written as Swift writes it and read back bit for bit")
  func floatsRoundTrip() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var generator = SeededGenerator(seed)
    let parser = JSONParser()
    for _ in 0..<20_000 {
      for value in [
        Float(bitPattern: UInt32(truncatingIfNeeded: generator.next())),
        Float(generator.next() % 100_000_000),
      ]
      where value.isFinite {
        let text = written { $0.appendJSON(value) }
        #expect(text == value.description)
        let back = parsing(Array(text.utf8), parser) { result in
          (try? result.get()).flatMap { $0.float32($0.events[0]) }
        }
        #expect(back?.bitPattern == value.bitPattern, "\(text)")
      }
    }
  }

  @Test("what is not finite is written as a word that a float column reads back")
  func notFinite() {
    #expect(written { $0.appendJSON(Double.nan) } == "\"NaN\"")
    #expect(written { $0.appendJSON(Double.infinity) } == "\"Infinity\"")
    #expect(written { $0.appendJSON(-Float.infinity) } == "\"-Infinity\"")
    #expect(written { $0.appendCSV(-Double.infinity) } == "-Infinity")
    parsing(Array("\"-Infinity\"".utf8)) { result in
      #expect((try? result.get())?.events[0].float64 == -.infinity)
    }
  }

  @Test("every 16-bit float comes back")
  func halfFloats() {
    let parser = JSONParser()
    for bits in UInt16.min...UInt16.max {
      let value = Float16(bitPattern: bits)
      guard value.isFinite else { continue }
      let text = written { $0.appendJSON(value) }
      let back = parsing(Array(text.utf8), parser) { result in
        (try? result.get()).flatMap { $0.float16($0.events[0]) }
      }
      #expect(back?.bitPattern == bits, "\(text)")
    }
  }
}
