/// What a compilation made of a model: plain data, which `html()` shows on one page.
///
/// Numbers that are not known are nil, and leave their place on the page empty.
public struct CompilationReport: Sendable {
  /// One layer, or value, of the model in the order of execution.
  public struct Layer: Sendable {
    /// The source model's name.
    public var name: String
    public var operatorName: String
    /// In what it is computed, e.g. `int8`, `fp32`.
    public var precision: String
    /// Similarity of its result with that of the float program.
    public var cosine: Double?
    /// Signal to quantisation noise of its result, in dB; infinite where nothing differs.
    public var sqnr: Double?
    /// The scales of its result: none where it is not quantised, one, or one per channel.
    public var scales: [Double]
    /// The zero points of its result: as many as scales.
    public var zeroPoints: [Int]

    public init(
      name: String, operatorName: String, precision: String, cosine: Double? = nil,
      sqnr: Double? = nil, scales: [Double] = [], zeroPoints: [Int] = []
    ) {
      self.name = name
      self.operatorName = operatorName
      self.precision = precision
      self.cosine = cosine
      self.sqnr = sqnr
      self.scales = scales
      self.zeroPoints = zeroPoints
    }
  }

  /// How often a tensor took which values while it was calibrated.
  public struct Histogram: Sendable {
    public var name: String
    /// The lower edge of the first bin and the upper edge of the last.
    public var bounds: ClosedRange<Double>
    /// Values by bin; bins have equal widths.
    public var counts: [Int]
    /// What is kept; values beyond are clipped. Nil: all.
    public var thresholds: ClosedRange<Double>?
    /// The signal to quantisation noise of this tensor, in dB: the worst are shown first.
    public var sqnr: Double?

    public init(
      name: String, bounds: ClosedRange<Double>, counts: [Int],
      thresholds: ClosedRange<Double>? = nil, sqnr: Double? = nil
    ) {
      self.name = name
      self.bounds = bounds
      self.counts = counts
      self.thresholds = thresholds
      self.sqnr = sqnr
    }
  }

  /// A number of bytes, of this program and of the float one beside it.
  public struct Size: Sendable {
    public var name: String
    public var byteCount: Int
    public var floatByteCount: Int?

    public init(name: String, byteCount: Int, floatByteCount: Int? = nil) {
      self.name = name
      self.byteCount = byteCount
      self.floatByteCount = floatByteCount
    }
  }

  /// What was left as it was, or done otherwise, and why.
  public struct Note: Sendable {
    /// What it is about: a layer, a tensor; empty for the model.
    public var subject: String
    public var text: String

    public init(subject: String = "", text: String) {
      self.subject = subject
      self.text = text
    }
  }

  /// One comparison of the proof.
  public struct ProofStep: Sendable {
    public var name: String
    public var isPassed: Bool
    /// The figures, and what was compared with what.
    public var detail: String

    public init(name: String, isPassed: Bool, detail: String) {
      self.name = name
      self.isPassed = isPassed
      self.detail = detail
    }
  }

  /// The model's name.
  public var model: String
  /// In what the program was asked to compute.
  public var precision: String
  /// How the program was proved, in a sentence; empty where nobody tried.
  public var proof: String
  /// How ranges were found, in a sentence; empty for none.
  public var calibration: String
  public var sizes: [Size]
  public var layers: [Layer]
  public var histograms: [Histogram]
  public var notes: [Note]
  public var proofSteps: [ProofStep]

  public init(
    model: String, precision: String, proof: String = "", calibration: String = "",
    sizes: [Size] = [], layers: [Layer] = [], histograms: [Histogram] = [], notes: [Note] = [],
    proofSteps: [ProofStep] = []
  ) {
    self.model = model
    self.precision = precision
    self.proof = proof
    self.calibration = calibration
    self.sizes = sizes
    self.layers = layers
    self.histograms = histograms
    self.notes = notes
    self.proofSteps = proofSteps
  }
}

extension CompilationReport {
  /// The places of the layers whose results are farthest from the float program's, the worst first:
  /// by SQNR, or by cosine where no SQNR is known. Layers without noise are left out.
  func worst(_ count: Int) -> [Int] {
    func noise(_ layer: Layer) -> Double? {
      if let sqnr = layer.sqnr { return sqnr == .infinity ? nil : sqnr.isNaN ? -.infinity : sqnr }
      guard let cosine = layer.cosine, cosine < 1 || cosine.isNaN else { return nil }
      // The SQNR of a vector of the right length and this cosine.
      return cosine > -1 ? CompilationReport.decibels(cosine) : -.infinity
    }
    let known = layers.indices.compactMap { index in noise(layers[index]).map { (index, $0) } }
    return known.sorted { ($0.1, $0.0) < ($1.1, $1.0) }.prefix(count).map(\.0)
  }

  /// Whether every step of the proof passed; nil where there was none.
  var isProven: Bool? { proofSteps.isEmpty ? nil : proofSteps.allSatisfy(\.isPassed) }
}
