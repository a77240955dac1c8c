// swift-tools-version: 6.3
import PackageDescription

/// Every Swift target is built this way.
let house: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

/// A Swift target of this package.
func target(_ name: String, _ dependencies: [Target.Dependency], links: [String] = []) -> Target {
  .target(
    name: name, dependencies: dependencies, swiftSettings: house,
    linkerSettings: links.map { .linkedLibrary($0, .when(platforms: [.linux])) })
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
  .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: house)
}

// From the bottom up: a target depends only on those above it in this list.
let package = Package(
  name: "dsv",
  products: [
    .executable(name: "dsv", targets: ["dsv"]),
    .library(name: "DSV", targets: ["DSV"]),
    .library(name: "dsvc", type: .dynamic, targets: ["DSVC"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
  ],
  targets: [
    .systemLibrary(name: "CArrow"),
    .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
    .systemLibrary(name: "CSystem"),
    .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .target(name: "CSimdjson", linkerSettings: [.linkedLibrary("simdjson")]),

    target("DSVFormat", ["CCrypto", "CXXHash", "CZstd"]),
    target("DSVSystem", ["CSystem", "DSVFormat"]),
    target("DSVStore", ["CLMDB", "DSVFormat", "DSVSystem"]),
    target("DSVColumns", ["DSVFormat", "DSVStore", "DSVSystem"]),
    // The standard library's `rounded` and `truncatingRemainder` call libm, which nothing else here links.
    target("DSVExpression", ["DSVFormat"], links: ["m"]),
    target("DSVTables", ["DSVColumns", "DSVExpression", "DSVFormat"]),
    target("DSVVersions", ["DSVColumns", "DSVFormat", "DSVStore", "DSVTables"]),
    target("DSVRecords", ["CSimdjson", "DSVFormat"]),
    target(
      "DSVInterchange", ["DSVColumns", "DSVFormat", "DSVRecords", "DSVStore", "DSVSystem", "DSVTables"]),

    target("DSVRemote", ["CCurl", "DSVFormat", "DSVStore", "DSVSystem"]),

    target("DSVText", []),
    target(
      "DSVTransforms",
      [
        "DSVColumns", "DSVExpression", "DSVFormat", "DSVTables", "DSVText",
        .product(name: "Yams", package: "Yams"),
      ]),

    target("DSVTesting", ["DSVFormat", "DSVRemote", "DSVStore", "DSVSystem"]),
    target(
      "DSV",
      [
        "CArrow", "DSVColumns", "DSVExpression", "DSVFormat", "DSVInterchange", "DSVRecords", "DSVRemote",
        "DSVStore", "DSVSystem",
        "DSVTables", "DSVTransforms", "DSVVersions",
      ]),
    target("DSVC", ["DSV"]),
    target(
      "DSVFuzz",
      [
        "DSVColumns", "DSVExpression", "DSVFormat", "DSVRecords", "DSVRemote", "DSVStore", "DSVSystem",
        "DSVTesting", "DSVTransforms", "DSVVersions",
      ]),
    .executableTarget(name: "DSVFuzzer", dependencies: ["DSVFuzz", "DSVSystem"], swiftSettings: house),
    .executableTarget(
      name: "dsv",
      dependencies: [
        "DSV", "DSVColumns", "DSVFormat", "DSVInterchange", "DSVRecords", "DSVStore", "DSVSystem",
        "DSVTables",
        "DSVTransforms",
        "DSVVersions", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: house),
    .executableTarget(
      name: "DSVBench",
      dependencies: [
        "DSV", "DSVColumns", "DSVFormat", "DSVRecords", "DSVRemote", "DSVStore", "DSVSystem", "DSVTables",
        "DSVTesting", "DSVText", "DSVTransforms", "DSVVersions",
      ], swiftSettings: house),

    // Whole repositories, and the built command in processes of its own.
    tests("DSVFormatTests", ["DSVFormat"]),
    tests(
      "DSVFormatSpecTests",
      ["DSV", "DSVColumns", "DSVFormat", "DSVStore", "DSVSystem", "DSVTables", "DSVVersions"]),
    tests("DSVSystemTests", ["DSVFormat", "DSVSystem"]),
    tests("DSVStoreTests", ["DSVFormat", "DSVStore", "DSVSystem", "DSVTesting"]),
    tests("DSVColumnsTests", ["DSVColumns", "DSVFormat", "DSVStore", "DSVTesting"]),
    tests(
      "DSVRemoteTests", ["DSVFormat", "DSVRemote", "DSVStore", "DSVSystem", "DSVTesting"],
      exclude: ["Support"]),
    tests(
      "TierTests",
      [
        "DSV", "DSVColumns", "DSVFormat", "DSVRemote", "DSVStore", "DSVSystem", "DSVTables", "DSVTesting",
        "DSVTransforms",
      ]),
    tests("DSVExpressionTests", ["DSVExpression", "DSVFormat"]),
    tests("DSVTextTests", ["DSVText"]),
    tests("DSVRecordsTests", ["DSVFormat", "DSVRecords"], exclude: ["Fixtures/csv_by_python.py"]),
    tests(
      "DSVFuzzTests",
      [
        "DSV", "DSVColumns", "DSVFormat", "DSVFuzz", "DSVRemote", "DSVStore", "DSVSystem", "DSVTesting",
        "DSVTransforms", "DSVVersions",
      ]),
    tests("DSVBenchTests", ["DSV", "DSVBench"]),
    tests(
      "DSVTransferTests",
      [
        "DSV", "DSVColumns", "DSVFormat", "DSVRemote", "DSVStore", "DSVSystem", "DSVTables", "DSVTesting",
        "DSVTransforms",
        "DSVVersions",
      ]),
    tests("TidyTests", ["DSV"]),
    tests(
      "DSVTests",
      [
        "CArrow", "DSV", "DSVC", "DSVColumns", "DSVFormat", "DSVRecords", "DSVStore", "DSVSystem",
        "DSVTables",
        "DSVTesting", "DSVTransforms", "DSVVersions",
      ]),
    // Those two run the command itself.
    tests("CommandTests", ["DSVSystem", "DSVTesting", "dsv"]),
    tests(
      "CrashTests",
      [
        "DSV", "DSVFormat", "DSVRemote", "DSVStore", "DSVSystem", "DSVTables", "DSVTesting", "DSVTransforms",
        "DSVVersions", "dsv",
      ],
      exclude: ["Allocations/allocations.c", "Recorder/recorder.c"]),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)
