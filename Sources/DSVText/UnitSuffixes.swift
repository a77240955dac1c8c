/// spaCy's units of measure: a suffix after an ASCII digit, as in "5km".
///
/// A port of `UNITS` of `spacy/lang/char_classes.py`, 3.8.18; that list joins two of its units by mistake ("тбكم"), so
/// this one does.
struct UnitSuffixes {
  private static let list: StaticString = """
    km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh mph hPa \
    Pa mbar mb MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см см² см³ мм мм² мм³ нм кг г мг м/с \
    км/ч кПа Па мбар Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ тбكم كم² كم³ م م² م³ سم سم² سم³ مم مم² مم³ كم غرام جرام جم \
    كغ ملغ كوب اكواب
    """

  private let known: Set<[UInt8]>
  /// The longest one, in bytes.
  private let longest: Int

  init() {
    let bytes = UnsafeBufferPointer(start: Self.list.utf8Start, count: Self.list.utf8CodeUnitCount)
    known = Set(bytes.split(separator: UInt8(ascii: " ")).map(Array.init))
    longest = known.map(\.count).max() ?? 0
  }

  /// How many bytes at the end of `range` are a unit that follows an ASCII digit in it; 0 if they are not.
  func byteCount(_ text: UnsafePointer<UInt8>, _ range: Range<Int>) -> Int {
    // No unit holds a digit, so the last digit is the one that it follows.
    var index = range.upperBound - 1
    let stop = max(range.lowerBound, range.upperBound - 1 - longest)
    while index >= stop, !isDigit(text[index]) { index -= 1 }
    let count = range.upperBound - 1 - index
    guard index >= stop, count > 0 else { return 0 }
    return known.contains(Array(UnsafeBufferPointer(start: text + index + 1, count: count))) ? count : 0
  }
}
