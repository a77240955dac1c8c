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
    .systemLibrary(name: "CSystem"),
    .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .target(
      name: "DSVFormat", dependencies: ["CCrypto", "CXXHash", "CZstd"], swiftSettings: house),
    .target(name: "DSVStore", dependencies: ["DSVFormat"], swiftSettings: house),
    .target(name: "DSVColumns", dependencies: ["DSVFormat", "DSVStore"], swiftSettings: house),
    .target(
      name: "DSVTables", dependencies: ["DSVFormat", "DSVStore", "DSVColumns", "DSVExpression"], swiftSettings: house),
    .target(
      name: "DSVVersions", dependencies: ["DSVFormat", "DSVStore", "DSVColumns", "DSVTables"],
      swiftSettings: house),
    .testTarget(name: "DSVColumnsTests", dependencies: ["DSVFormat", "DSVStore", "DSVColumns"], swiftSettings: house),
    .target(
      name: "CSimdjson", linkerSettings: [.linkedLibrary("simdjson")]),
    .target(name: "DSVRecords", dependencies: ["CSimdjson", "DSVFormat"], swiftSettings: house),
    .target(name: "DSVExpression", dependencies: ["DSVFormat"], swiftSettings: house),
    // The standard library's `rounded` and `truncatingRemainder` call libm, which nothing else here links.
    .target(
      name: "DSVExpression", dependencies: ["DSVFormat"], swiftSettings: house,
      linkerSettings: [.linkedLibrary("m", .when(platforms: [.linux]))]),
    .testTarget(
      name: "DSVExpressionTests", dependencies: ["DSVExpression", "DSVFormat"], swiftSettings: house),
    .target(name: "DSVSystem", dependencies: ["CSystem", "DSVFormat"], swiftSettings: house),
    .target(
      name: "DSVStore", dependencies: ["CLMDB", "DSVFormat", "DSVSystem"], swiftSettings: house),
    .target(
      name: "DSVTesting", dependencies: ["DSVFormat", "DSVStore", "DSVSystem"], swiftSettings: house),
    .testTarget(
      name: "DSVStoreTests", dependencies: ["DSVFormat", "DSVStore", "DSVSystem", "DSVTesting"],
      swiftSettings: house),
    .testTarget(
      name: "DSVSystemTests", dependencies: ["DSVFormat", "DSVSystem"], swiftSettings: house),
    .testTarget(name: "DSVFormatTests", dependencies: ["DSVFormat"], swiftSettings: house),
    .testTarget(name: "DSVRecordsTests", dependencies: ["DSVRecords"], swiftSettings: house),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)
