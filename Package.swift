// swift-tools-version: 6.2
// The rooms of Apus and who may look at whom. ARCHITECTURE.md tells the story; Tests/TidyTests
// holds the table.

import PackageDescription

/// The library of libFuzzer, where `Scripts/fuzz.sh` builds: then everything is instrumented, and
/// there is one more program.
let fuzzer = Context.environment["APUS_FUZZER"]

let strict: [SwiftSetting] =
  [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
  ]
  + (fuzzer == nil
    ? []
    : [.unsafeFlags(["-sanitize=fuzzer,address", "-enable-testing"])])
let instrumented = fuzzer == nil ? [] : ["-fsanitize=address,fuzzer-no-link"]

/// A Swift room: a module under `Sources/`.
func room(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// The tests of a room, with what else they need; `fixtures` are folders that tests read.
func tests(
  _ name: String, _ dependencies: [Target.Dependency], fixtures: [String] = []
) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: dependencies, exclude: fixtures, swiftSettings: strict)
}

let package = Package(
  name: "Apus",
  products: [
    .executable(name: "apus", targets: ["ApusMain"]),
    .library(name: "ApusMedia", type: .dynamic, targets: ["Media"]),
    // What Scripts/libraries.sh links to libapus.so and libapus-runtime.so.
    .library(name: "ApusFull", type: .static, targets: ["ApusCompiling"]),
    .library(name: "ApusRuntime", type: .static, targets: ["ApusC"]),
  ],
  targets: [
    // C: kernels, and small shims over what Swift cannot import.
    .target(
      name: "CKernels",
      cSettings: [
        .unsafeFlags(
          ["-O3", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden"] + instrumented)
      ]),
    .target(name: "CLinux", cSettings: [.define("_GNU_SOURCE")]),
    .target(name: "CMedia"),
    .target(name: "CApus", cSettings: [.define("_GNU_SOURCE")]),
    .target(name: "CZip"),
    .systemLibrary(name: "CWebP", pkgConfig: "libwebp", providers: [.apt(["libwebp-dev"])]),
    .target(name: "CTurboJPEG"),
    .target(name: "CFreeType", cSettings: [.unsafeFlags(["-I/usr/include/freetype2"])]),
    .systemLibrary(
      name: "CFFmpeg", pkgConfig: "libavformat libavcodec libavutil libswscale",
      providers: [.apt(["libavformat-dev", "libavcodec-dev", "libswscale-dev"])]),

    // What a device needs to run models.
    room("Tensors"),
    room("Files"),
    room("Texts"),
    room("Kernels", ["CKernels"]),
    room("Instructions", ["Tensors", "Kernels", "CKernels", "CLinux"]),
    room("Planner", ["Tensors", "Instructions"]),
    room("ModelFile", ["Tensors", "Instructions", "Texts", "CLinux"]),
    room("Runtime", ["ModelFile", "Planner", "Instructions", "Tensors", "Kernels", "CLinux"]),
    room("Archives", ["Tensors", "Files", "CZip"]),
    room(
      "Imaging",
      [
        "Tensors", "Kernels", "CKernels", "ModelFile", "Files", "CLinux", "CMedia",
      ]),
    room("Pictures", ["Imaging", "Files", "CTurboJPEG"]),
    room("Drawing", ["Imaging", "CFreeType"]),
    room("Detections", ["Tensors", "ModelFile", "Files", "Texts"]),
    room("Media", ["CMedia", "CFFmpeg", "CWebP"]),
    room(
      "Pipelines",
      [
        "Runtime", "Imaging", "Pictures", "Drawing", "Detections", "ModelFile", "Tensors",
        "Kernels",
        "Files", "Texts", "CLinux",
      ]),

    // What turns a trained network into a model file.
    room("Graphs", ["Tensors"]),
    room("Operators", ["Graphs", "Instructions", "Tensors", "Kernels"]),
    room("Importers", ["Operators", "Graphs", "Tensors", "Texts"]),
    room("Accuracy", ["Tensors", "Texts"]),
    room(
      "Compilation",
      [
        "Operators", "Graphs", "Planner", "ModelFile", "Runtime", "Accuracy", "Instructions",
        "Tensors", "Kernels", "CKernels", "Texts",
      ]),
    room(
      "Staging",
      ["Compilation", "Operators", "Graphs", "Runtime", "Planner", "Tensors", "Pictures"]),

    // The C interface: what runs models, and what compiles them on top.
    room(
      "ApusC",
      [
        "Runtime", "Planner", "Instructions", "Kernels", "Tensors", "ModelFile", "Imaging",
        "Detections", "CApus",
      ]),
    room(
      "ApusCompiling",
      [
        "ApusC", "CApus", "Staging", "Compilation", "Importers", "Operators", "Graphs", "Runtime",
        "Instructions", "ModelFile", "Detections", "Tensors",
      ]),

    // The command line.
    room("Options", ["Texts", "Files"]),
    room(
      "apus",
      [
        "Options", "Importers", "Staging", "Compilation", "Operators", "Graphs", "Runtime",
        "ModelFile", "Planner", "Instructions", "Kernels", "Tensors", "Archives", "Imaging",
        "Pictures", "Detections", "Pipelines", "Accuracy", "Files", "Texts",
      ]),
    // The entry alone, so that only the command is linked this way, and no tests: with the Swift
    // run-time inside it starts faster and takes less memory.
    .executableTarget(
      name: "ApusMain",
      dependencies: ["apus"],
      swiftSettings: strict,
      linkerSettings: [
        .unsafeFlags([
          "-static-stdlib", "-use-ld=lld", "-Xlinker", "--no-export-dynamic",
          "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs",
        ])
      ]),

    .target(name: "CTestSupport", path: "Tests/CTestSupport"),
    .target(
      name: "TestSupport", path: "Tests/TestSupport", exclude: ["Servers"],
      swiftSettings: strict),
    tests("Imaging", ["Imaging", "Pictures", "Drawing", "Kernels", "ModelFile", "Tensors"]),
    tests("Detections", ["Detections", "ModelFile", "Tensors"]),
    tests("Media", ["Imaging", "Pictures", "ModelFile", "TestSupport"]),
    tests(
      "Pipelines",
      [
        "Pipelines", "Runtime", "Imaging", "Detections", "ModelFile", "Planner", "Instructions",
        "Kernels", "Tensors", "TestSupport",
      ]),
    tests("ApusC", ["ApusC", "ApusCompiling", "CApus"]),
    tests("Tensors", ["Tensors"]),
    tests("Files", ["Files"]),
    tests("Texts", ["Texts"]),
    tests("Options", ["Options", "Texts"]),
    tests("Archives", ["Archives", "Tensors", "Files"], fixtures: ["Fixtures"]),
    tests("Accuracy", ["Accuracy", "Tensors", "Texts"]),
    tests("Tidy", []),
    tests("Instructions", ["Instructions", "Kernels", "Tensors", "CLinux"]),
    tests(
      "Model",
      [
        "Archives", "Compilation", "Graphs", "Importers", "Instructions", "Kernels", "Runtime",
        "Tensors",
      ]),
    tests(
      "Compilation",
      [
        "Compilation", "Graphs", "Importers", "Instructions", "Kernels", "ModelFile", "Operators",
        "Runtime", "Tensors",
      ]),
    tests(
      "Staging",
      ["Staging", "Compilation", "Graphs", "Importers", "Operators", "Runtime", "Tensors"]),
    tests("CommandLine", ["apus", "Archives", "Pictures", "Tensors"]),
    tests("Operators", ["Operators", "Graphs", "Instructions", "Kernels", "Tensors"]),
    tests("Planner", ["Planner", "Instructions", "Tensors"]),
    tests("ModelFile", ["ModelFile", "Instructions", "Tensors"]),
    tests(
      "Runtime",
      [
        "Runtime", "ModelFile", "Planner", "Instructions", "Tensors", "Kernels", "CLinux",
        "CTestSupport",
      ]),
    tests("Graphs", ["Graphs", "Operators", "Tensors"]),
    tests("Importers", ["Importers", "Operators", "Graphs", "Tensors"]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c17
)

if let fuzzer {
  package.targets += [
    .target(name: "CFuzzing", path: "Tests/CFuzzing"),
    .executableTarget(
      name: "apus-fuzz",
      dependencies: [
        "CFuzzing", "Archives", "Compilation", "Graphs", "Importers", "Instructions", "Kernels",
        "ModelFile", "Planner", "Runtime",
      ],
      path: "Tests/Fuzzing", swiftSettings: strict,
      linkerSettings: [.unsafeFlags(["-sanitize=address", fuzzer, "-lstdc++"])]),
  ]
}
