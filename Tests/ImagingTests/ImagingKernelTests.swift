import Imaging
import Kernels
import ModelFile
import Tensors
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// Every kernel that this machine has against plain Swift and against the portable one.
@Suite struct ImagingKernelTests {
  @Test func `the kernels that run here are named`() {
    let names = ImagingKernel.all.filter { ISA.host.contains($0.isa) }.map(\.description)
    print("imaging kernels checked here: \(names.joined(separator: ", "))")
    #expect(ImagingKernel.all.last?.isa == .portable)
    #expect(ImagingKernel.best(isas: [.portable]).isa == .portable)
  }

  private static let sizes: [(width: Int, height: Int)] = [
    (1, 1), (2, 4), (7, 5), (33, 18), (64, 36), (129, 71), (640, 9), (1920, 12), (3000, 4),
  ]

  @Test(arguments: [
    PixelFormat.nv12, .nv21, .i420, .rgb24, .bgr24, .rgba, .gray8, .rgbPlanar, .bgrPlanar,
  ])
  func `every kernel gives the bits of plain Swift`(_ format: PixelFormat) throws {
    var random = Random(seed: 7)
    for (width, height) in ImagingKernelTests.sizes {
      let guarded = try GuardedPlanes(format, width: width, height: height, &random)
      let frame = guarded.frame
      let rgb = try frame.converted(to: .rgb24).denseBytes()
      for (w, h) in [(width, height), (31, 9), (66, 40), (1, 1), (max(width / 3, 1), height)] {
        for order in ["rgb", "bgr"] {
          let specification = try Preprocessing(parsing: "channel-order=\(order)")
            .resolved(input: "x", shape: [1, h, w, 3], type: .uint8)
          let expected = PlainResize.bilinear(
            rgb, width: width, height: height, toWidth: w, toHeight: h, reversed: order == "bgr")
          for kernel in ImagingKernel.all where ISA.host.contains(kernel.isa) {
            let result = Preprocessor(specification, isas: kernel.isa.included)
              .tensor(of: [frame]).tensor.elements(as: UInt8.self)
            #expect(
              result == expected, "\(kernel): \(format) \(width)x\(height) to \(w)x\(h) \(order)")
          }
        }
      }
    }
  }

  @Test(arguments: [
    "resize=letterbox,raw-scale=1,mean=0.485/0.456/0.406,std=0.229/0.224/0.225,pad=1/2/3",
    "resize=short:70,interpolation=area,channel-order=bgr",
    "resize=letterbox,interpolation=area,anchor=topleft",
    "resize=letterbox,channel-order=gray",
  ])
  func `every form has the same bits on every kernel`(_ text: String) throws {
    var random = Random(seed: 11)
    let preprocessing = try Preprocessing(parsing: text)
    let channels = preprocessing.channelOrder == .gray ? 1 : 3
    for format in [PixelFormat.nv12, .i420, .rgb24] {
      let frame = try GuardedPlanes(format, width: 201, height: 113, &random).frame
      for shape in [Shape([1, channels, 61, 70]), Shape([1, 61, 70, channels])] {
        let specification = try preprocessing.resolved(input: "x", shape: shape, type: .float32)
        for type in [ElementType.uint8, .bfloat16, .float32] {
          for arrangement in [ResolvedPreprocessing.Arrangement.planar, .interleaved] {
            let form = Preprocessor.Form(type, arrangement)
            var expected: [UInt8] = []
            for kernel in ImagingKernel.all.reversed() where ISA.host.contains(kernel.isa) {
              let result = ImagingKernelTests.write(
                frame, specification, form, isas: kernel.isa.included)
              if expected.isEmpty { expected = result }
              #expect(result == expected, "\(kernel): \(format) \(shape) as \(type) \(arrangement)")
            }
          }
        }
      }
    }
  }

  @Test func `other forms hold the numbers of the declared one`() throws {
    var random = Random(seed: 3)
    let frame = try GuardedPlanes(.nv12, width: 90, height: 50, &random).frame
    let specification = try Preprocessing(
      parsing: "resize=letterbox,mean=10/20/30,std=50,pad=114/7/200"
    ).resolved(input: "x", shape: [1, 3, 40, 44], type: .float32)
    let declared = Preprocessor(specification).tensor(of: [frame]).tensor.elements(as: Float.self)
    let pixels = ImagingKernelTests.write(
      frame, specification, Preprocessor.Form(.float32, .interleaved), isas: ISA.host)
    let values = pixels.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    for pixel in 0..<(40 * 44) {
      for channel in 0..<3 {
        #expect(values[pixel * 3 + channel] == declared[channel * 40 * 44 + pixel])
      }
    }
    let narrow = ImagingKernelTests.write(
      frame, specification, Preprocessor.Form(.bfloat16, .planar), isas: ISA.host)
    let halves = narrow.withUnsafeBytes { Array($0.bindMemory(to: UInt16.self)) }
    #expect(halves == declared.map { BFloat16($0).bitPattern })
  }

  /// One picture in a form, with guards around it that must stay.
  private static func write(
    _ frame: Frame, _ specification: ResolvedPreprocessing, _ form: Preprocessor.Form,
    isas: Set<ISA>
  ) -> [UInt8] {
    let preprocessor = Preprocessor(specification, form: form, isas: isas) { numbers in
      TestForm.converted(numbers, from: specification.arrangement, to: form)
    }
    let margin = 96
    var bytes = [UInt8](repeating: 0xc5, count: preprocessor.sampleByteCount + 2 * margin)
    bytes.withUnsafeMutableBytes { all in
      _ = preprocessor.process(
        frame,
        into: UnsafeMutableRawBufferPointer(rebasing: all[margin..<(all.count - margin)]))
    }
    #expect(bytes.prefix(margin).allSatisfy { $0 == 0xc5 })
    #expect(bytes.suffix(margin).allSatisfy { $0 == 0xc5 })
    return Array(bytes[margin..<(bytes.count - margin)])
  }
}

/// A row of numbers in another form, one element after the other.
private enum TestForm {
  static func converted(
    _ tensor: TensorBuffer, from arrangement: ResolvedPreprocessing.Arrangement,
    to form: Preprocessor.Form
  ) -> TensorBuffer {
    let values = tensor.elements(as: Float.self)
    let channels = arrangement == .planar ? tensor.shape[1] : tensor.shape[3]
    let columns = values.count / channels
    var ordered: [Float] = []
    for place in 0..<values.count {
      let (column, channel) =
        form.arrangement == .planar
        ? (place % columns, place / columns) : (place / channels, place % channels)
      ordered.append(
        values[arrangement == .planar ? channel * columns + column : column * channels + channel])
    }
    let shape: Shape =
      form.arrangement == .planar ? [1, channels, 1, columns] : [1, 1, columns, channels]
    switch form.type {
    case .uint8:
      return TensorBuffer(
        .uint8, shape, ordered.map { UInt8(min(max(($0 * 3 + 7).rounded(), 0), 255)) })
    case .bfloat16:
      return TensorBuffer(.bfloat16, shape, ordered.map { BFloat16($0).bitPattern })
    default: return TensorBuffer(shape, ordered)
    }
  }
}

/// A bilinear resize as the header of `Resampling.swift` states it, pixel by pixel.
private enum PlainResize {
  static func bilinear(
    _ rgb: [UInt8], width: Int, height: Int, toWidth: Int, toHeight: Int, reversed: Bool
  ) -> [UInt8] {
    let columns = places(width, toWidth)
    let rows = places(height, toHeight)
    var result: [UInt8] = []
    for row in rows {
      for column in columns {
        for channel in 0..<3 {
          func sum(_ y: Int) -> Int {
            let c = reversed ? 2 - channel : channel
            return Int(rgb[(y * width + column.first) * 3 + c]) * column.left
              + Int(rgb[(y * width + column.second) * 3 + c]) * column.right
          }
          let upper = ((sum(row.first) >> 4) * row.left) >> 16
          let lower = ((sum(row.second) >> 4) * row.right) >> 16
          result.append(UInt8(min((upper + lower + 2) >> 2, 255)))
        }
      }
    }
    return result
  }

  private static func places(
    _ source: Int, _ target: Int
  ) -> [(first: Int, second: Int, left: Int, right: Int)] {
    (0..<target).map { index in
      let position = Float((Double(index) + 0.5) * (Double(source) / Double(target)) - 0.5)
      let low = Int(position.rounded(.down))
      if low < 0 { return (0, min(1, source - 1), 2048, 0) }
      if low >= source - 1 { return (source - 1, source - 1, 2048, 0) }
      let fraction = position - Float(low)
      return (
        low, low + 1, Int(((1 - fraction) * 2048).rounded(.toNearestOrEven)),
        Int((fraction * 2048).rounded(.toNearestOrEven))
      )
    }
  }
}

/// A frame of random samples whose planes end where memory that may be read ends.
private final class GuardedPlanes {
  private final class Memory {
    let base: UnsafeMutableRawPointer
    let byteCount: Int

    init(_ byteCount: Int) throws {
      let page = 4096
      let readable = (byteCount + page - 1) / page * page
      let memory = mmap(
        nil, readable + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      guard let memory, memory != MAP_FAILED, mprotect(memory + readable, page, PROT_NONE) == 0
      else { throw Fixture.Damaged(name: "no memory") }
      base = memory
      self.byteCount = readable + page
    }

    deinit { munmap(base, byteCount) }
  }

  private final class Owner {
    var memory: [Memory] = []
  }

  let frame: Frame

  init(_ format: PixelFormat, width: Int, height: Int, _ random: inout Random) throws {
    let owner = Owner()
    var planes: [(base: UnsafeRawPointer, stride: Int)] = []
    for plane in 0..<format.planeCount {
      let extent = format.planeExtent(plane, width: width, height: height)
      let count = extent.rowBytes * extent.rows
      let memory = try Memory(count)
      let first = memory.base + (memory.byteCount - 4096 - count)
      for index in 0..<count {
        (first + index).storeBytes(of: UInt8(truncatingIfNeeded: random.next()), as: UInt8.self)
      }
      owner.memory.append(memory)
      planes.append((UnsafeRawPointer(first), extent.rowBytes))
    }
    frame = try Frame(
      borrowing: planes, format, width: width, height: height, matrix: .bt709, range: .full,
      owner: owner)
  }
}

private struct Random {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 33
  }
}
