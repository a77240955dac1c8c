// swift-tools-version: 6.3
import PackageDescription

/// Every Swift target is built this way.
let house: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]
/// Targets that call C: each unsafe expression carries the word `unsafe`.
let touchesC: [SwiftSetting] = house + [.strictMemorySafety(), .enableExperimentalFeature("Lifetimes")]

let package = Package(
  name: "dsv",
  targets: [
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
    .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .target(
      name: "DSVFormat", dependencies: ["CCrypto", "CXXHash", "CZstd"], swiftSettings: house),
    .target(
      name: "CSimdjson",
      // The same behaviour in every build.
      cxxSettings: [.define("SIMDJSON_DEVELOPMENT_CHECKS", to: "0")],
      linkerSettings: [.linkedLibrary("simdjson")]),
    .target(name: "DSVRecords", dependencies: ["CSimdjson", "DSVFormat"], swiftSettings: house),
    .testTarget(name: "DSVFormatTests", dependencies: ["DSVFormat"], swiftSettings: house),
    .testTarget(
      name: "DSVRecordsTests", dependencies: ["DSVFormat", "DSVRecords"], exclude: ["Fixtures"],
      swiftSettings: house),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)
