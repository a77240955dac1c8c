import DSVFormat
import Testing

@Suite struct IdlePoolTests {
  private final class Item {
    var byteCount = 0
  }

  @Test("an item is lent again, but for one that has grown large")
  func sizes() {
    let pool = IdlePool(byteCount: \Item.byteCount) { Item() }
    let first = pool.with { ObjectIdentifier($0) }
    #expect(pool.with { ObjectIdentifier($0) } == first)
    weak var grown: Item?
    pool.with { item in
      item.byteCount = 256 << 20
      grown = item
    }
    #expect(grown == nil)
    #expect(pool.with { $0.byteCount } == 0)
  }
}
