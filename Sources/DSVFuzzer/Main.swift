import DSVFuzz
import DSVSystem

#if FUZZING
  // libFuzzer's own, which `-sanitize=fuzzer` brings: calls the function with one input after another.
  @_silgen_name("LLVMFuzzerRunDriver")
  private func runFuzzer(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
  ) -> CInt

  /// What libFuzzer calls; it is linked by this name.
  @_cdecl("LLVMFuzzerTestOneInput")
  func fuzz(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    Main.target?.run(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
  }
#endif

/// Fuzzes the reader that DSV_FUZZ_TARGET names; without `-DFUZZING`, gives it each of the files that are named.
@main struct Main {
  static let target = Machine.environment("DSV_FUZZ_TARGET").flatMap { FuzzTarget(rawValue: $0) }

  static func main() throws {
    guard target != nil else {
      return print("DSV_FUZZ_TARGET is one of \(FuzzTarget.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    #if FUZZING
      var count = CommandLine.argc
      var arguments = CommandLine.unsafeArgv
      _ = runFuzzer(&count, &arguments, fuzz)
    #else
      for path in CommandLine.arguments.dropFirst() {
        try FileSystem.read(path, limit: 1 << 30).withBytes { target?.run($0) }
      }
    #endif
  }
}
