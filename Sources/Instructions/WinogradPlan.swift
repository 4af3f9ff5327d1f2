internal import CKernels
import Kernels
import Tensors

/// How a 3×3 convolution with stride 1 or 2 runs by Winograd's minimal filtering (`winograd.h`):
/// blocks of tiles are transformed, multiplied position by position, and transformed back.
///
/// V and M of a block lie in scratch memory and stay in the L2 cache. Each part transforms for
/// itself, so the parts need no barrier. The weights U are made at load.
struct WinogradPlan: Sendable {
  let window: ConvolutionWindow
  let method: WinogradMethod
  let kernel: WinogradKernel
  let product: GemmKernel
  let store: GemmStore
  let input: GemmStore.Layout
  let output: GemmStore.Layout
  let residual: GemmStore.Layout
  let columns: Int
  /// U [factors][panels][channels][16].
  let weights: DerivedWeights
  let products: [WinogradMethod.Product]
  let tileColumns: Int
  let tilesPerImage: Int
  /// The tiles of a block, at most.
  let blockTiles: Int
  /// Elements from one tile of V and M to the next.
  let vStep: Int
  let mStep: Int
  /// The split of tiles (its rows) and panels among the parts; or of panels and tiles.
  let split: GridSplit
  /// Whether parts divide the panels first, so that each fetches only its share of U.
  let dividesPanels: Bool

  /// What V and M of a block should take, so that they stay in the L2 cache beside weights.
  private static let blockByteTarget = 640 * 1024
  /// With fewer tiles, fetching the weights costs more than the cache saves; 25 are 20 × 20 pixels.
  private static let smallestBlock = 25
  /// Weights of this size are worth more to fetch once than the input is to transform.
  private static let heavyByteCount = 4 << 20
  /// Elements behind the rows of V and M: rows of a power of two would share cache sets.
  private static let rowPadding = 16

  private static func roundUp(_ count: Int) -> Int { (count + 15) & ~15 }

  /// Makes a plan where the method is allowed and pays; nil otherwise.
  init?(
    window: ConvolutionWindow, direct: ConvolutionPlan, x: Operand, weights: Operand,
    _ preparation: inout Preparation
  ) {
    let kernel = WinogradKernel.best(isas: preparation.isas)
    guard
      let method = WinogradMethod.best(
        window: window, groups: direct.groups, columns: direct.columns,
        bfloat16: direct.isBFloat16, preparation),
      let derived = WinogradPlan.derive(
        weights, method, channels: window.channels, columns: direct.columns,
        runLength: direct.runLength, kernel: kernel, &preparation)
    else { return nil }
    self.window = window
    self.method = method
    self.kernel = kernel
    self.weights = derived
    products = method.products
    product = GemmKernel.best(
      bfloat16: method.isRounded, exact: false, isas: preparation.isas)
    store = direct.store
    input = GemmStore.Layout(preparation[x])
    output = GemmStore.Layout(preparation[store.y])
    residual = GemmStore.Layout(preparation[store.residual.isPresent ? store.residual : store.y])
    columns = direct.columns
    tileColumns = method.tileColumns(window)
    tilesPerImage = method.tilesPerImage(window)
    vStep = WinogradPlan.roundUp(window.channels) + WinogradPlan.rowPadding
    mStep = WinogradPlan.roundUp(columns) + WinogradPlan.rowPadding
    let tiles = window.batch * tilesPerImage
    let panels = WeightPacking.panelCount(columns: columns)
    dividesPanels = derived.byteCount >= WinogradPlan.heavyByteCount
    split = GridSplit(
      rows: dividesPanels ? panels : tiles, columns: dividesPanels ? tiles : panels,
      parts: preparation.parts)
    let tileParts = dividesPanels ? split.columnParts : split.rowParts
    let tileByteCount = method.positions * (vStep * method.elementByteCount + mStep * 4)
    blockTiles = max(
      1,
      min(
        (tiles + tileParts - 1) / tileParts,
        max(WinogradPlan.smallestBlock, WinogradPlan.blockByteTarget / tileByteCount)))
  }

  /// Transforms the packed weights.
  private static func derive(
    _ weights: Operand, _ method: WinogradMethod, channels: Int, columns: Int, runLength: Int,
    kernel: WinogradKernel, _ preparation: inout Preparation
  ) -> DerivedWeights? {
    let panels = WeightPacking.panelCount(columns: columns)
    let isBFloat16 = preparation[weights].type == .bfloat16
    return preparation.derive(
      weights, form: [method.tile, method.stride, method.isRounded ? 1 : 0, channels, panels],
      byteCount: method.weightByteCount(channels: channels, panels: panels)
    ) { source, target in
      var call = apus_winograd_weights()
      call.tile = UInt32(method.tile)
      call.stride = UInt32(method.stride)
      call.source = source
      call.source_type = (isBFloat16 ? APUS_BFLOAT16 : APUS_FLOAT32).rawValue
      call.run_length = runLength
      call.channels = channels
      call.panels = panels
      call.target = target
      call.target_type = (method.isRounded ? APUS_BFLOAT16 : APUS_FLOAT32).rawValue
      kernel.transform(&call)
    }
  }

  private var vByteCount: Int {
    (method.positions * blockTiles * vStep * method.elementByteCount + 63) & ~63
  }
  private var mByteCount: Int { method.positions * blockTiles * mStep * 4 }

  var scratchByteCount: Int { (vByteCount + mByteCount) * split.parts }

  func execute(_ context: borrowing ExecutionContext, x: Operand) {
    let share = split.share(of: context.part)
    let tiles = dividesPanels ? share.columns : share.rows
    let panels = dividesPanels ? share.rows : share.columns
    guard !tiles.isEmpty, !panels.isEmpty else { return }
    let v = context.scratch + context.part * (vByteCount + mByteCount)
    let m = v + vByteCount
    var input = makeInput(v)
    var output = makeOutput(m, panels, context)
    let blocks = (tiles.count + blockTiles - 1) / blockTiles
    for block in 0..<blocks {
      let first = tiles.lowerBound + tiles.count * block / blocks
      let end = tiles.lowerBound + tiles.count * (block + 1) / blocks
      forEachImage(first, end) { image, inside, offset in
        input.x = UnsafeRawPointer(
          context.pointer(x)
            + self.input.byteOffset(row: image * window.height * window.width, column: 0))
        input.v = v + offset * vStep * method.elementByteCount
        (input.first, input.count) = (inside.lowerBound, inside.count)
        kernel.transform(&input)
      }
      multiply(v: v, m: m, count: end - first, panels)
      forEachImage(first, end) { image, inside, offset in
        place(&output, image: image, column: panels.lowerBound * 16, context)
        output.m = UnsafePointer(
          (m + offset * mStep * 4).assumingMemoryBound(to: Float.self))
        (output.first, output.count) = (inside.lowerBound, inside.count)
        kernel.finish(&output)
      }
    }
  }

  /// Calls `body` with the tiles of each image among those that are counted over all images, and
  /// their offset from the first.
  @inline(__always)
  private func forEachImage(_ first: Int, _ end: Int, _ body: (Int, Range<Int>, Int) -> Void) {
    var tile = first
    while tile < end {
      let (image, low) = tile.quotientAndRemainder(dividingBy: tilesPerImage)
      let high = min(tilesPerImage, low + end - tile)
      body(image, low..<high, tile - first)
      tile += high - low
    }
  }

  private func makeInput(_ v: UnsafeMutableRawPointer) -> apus_winograd_input {
    var call = apus_winograd_input()
    call.tile = UInt32(method.tile)
    call.stride = UInt32(method.stride)
    call.x_type = input.type
    call.x_pixel = input.rowStride
    call.height = window.height
    call.width = window.width
    call.channels = window.channels
    call.pad_top = window.padTop
    call.pad_left = window.padLeft
    call.tile_columns = tileColumns
    call.v_type = (method.isRounded ? APUS_BFLOAT16 : APUS_FLOAT32).rawValue
    call.v_tile = vStep
    call.v_position = blockTiles * vStep
    return call
  }

  private func makeOutput(
    _ m: UnsafeMutableRawPointer, _ panels: Range<Int>, _ context: borrowing ExecutionContext
  ) -> apus_winograd_output {
    var call = apus_winograd_output()
    call.tile = UInt32(method.tile)
    call.stride = UInt32(method.stride)
    call.m_tile = mStep
    call.m_position = blockTiles * mStep
    call.columns = min(columns, panels.upperBound * 16) - panels.lowerBound * 16
    call.tile_columns = tileColumns
    call.y_type = output.type
    call.y_pixel = output.rowStride
    call.y_height = window.outputHeight
    call.y_width = window.outputWidth
    call.residual_type = residual.type
    call.residual_last = store.residualLast ? 1 : 0
    call.residual_pixel = residual.rowStride
    call.activation = apus_activation(
      function: UInt32(store.activation.function.rawValue), alpha: store.activation.alpha,
      beta: store.activation.beta)
    if store.bias.isPresent {
      call.bias = UnsafePointer(
        context.pointer(store.bias, as: Float.self) + panels.lowerBound * 16)
    }
    return call
  }

  /// Points a call at a column of an image of y, and at what belongs to it.
  @inline(__always)
  private func place(
    _ call: inout apus_winograd_output, image: Int, column: Int,
    _ context: borrowing ExecutionContext
  ) {
    let row = image * window.outputHeight * window.outputWidth
    call.y = context.pointer(store.y) + output.byteOffset(row: row, column: column)
    if store.residual.isPresent {
      call.residual = UnsafeRawPointer(
        context.pointer(store.residual) + residual.byteOffset(row: row, column: column))
    }
  }

  /// M = V U for `count` tiles and a range of panels, one U after the other.
  private func multiply(
    v: UnsafeMutableRawPointer, m: UnsafeMutableRawPointer, count: Int, _ panels: Range<Int>
  ) {
    let allPanels = WeightPacking.panelCount(columns: columns)
    let depth = method.depth(channels: window.channels)
    let panelByteCount = depth * WeightPacking.panelWidth * method.elementByteCount
    let (vPosition, mPosition) = (blockTiles * vStep, blockTiles * mStep)
    var call = apus_gemm()
    call.width = count
    call.a_pixel = vStep
    call.run_count = 1
    call.run_length = depth
    call.panel_step = depth * WeightPacking.panelWidth
    call.columns = panels.count * WeightPacking.panelWidth
    call.scale = 1
    call.y_pixel = mStep
    call.y_type = APUS_FLOAT32.rawValue
    var run = 0
    withUnsafePointer(to: &run) { run in
      call.runs = run
      for shared in products {
        // The positions that share U are the lines of a grid.
        call.count = shared.count * count
        call.a_line = shared.step * vPosition
        call.y_line = shared.step * mPosition
        call.a = UnsafeRawPointer(
          v + shared.firstPosition * vPosition * method.elementByteCount)
        call.b =
          weights.base + (shared.factor * allPanels + panels.lowerBound) * panelByteCount
        call.y = m + shared.firstPosition * mPosition * 4
        product.run(&call)
      }
    }
  }
}
