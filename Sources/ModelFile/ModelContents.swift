import Instructions
import Tensors

/// Inputs together with the outputs that a program gave for them when it was compiled.
public struct SelfTest: Sendable {
  /// The program that it is for, by its place in the file.
  public var program: Int
  public var inputs: [NamedTensor]
  public var outputs: [NamedTensor]

  public init(program: Int, inputs: [NamedTensor], outputs: [NamedTensor]) {
    self.program = program
    self.inputs = inputs
    self.outputs = outputs
  }
}

/// The postprocessing and the preprocessing by input, in their canonical text form.
public struct Processing: Sendable, Hashable {
  public struct Input: Sendable, Hashable {
    /// The input's name.
    public var name: String
    /// Its preprocessing, as after `--preprocess` on the command line.
    public var text: String

    public init(name: String, text: String) {
      self.name = name
      self.text = text
    }
  }

  public var inputs: [Input]
  /// As after `--postprocess` on the command line; nil for none.
  public var postprocessing: String?

  public init(inputs: [Input] = [], postprocessing: String? = nil) {
    self.inputs = inputs
    self.postprocessing = postprocessing
  }
}

/// Whether the program was shown to compute what the source model does.
public struct ProofStatus: Sendable, Hashable {
  public var isProven: Bool
  /// How it was proven, or why it is not.
  public var sentence: String

  public init(isProven: Bool, sentence: String) {
    self.isProven = isProven
    self.sentence = sentence
  }

  public static let unproven = ProofStatus(isProven: false, sentence: "no proof was made")
}

/// A source model as it was read, for one whose shapes are known only at run time: it is compiled
/// where it runs.
public struct SourceModel: Sendable {
  /// The form of the source; `onnx`.
  public var format: String
  /// What it shall be compiled to: `fp32`, `bf16` …
  public var precision: String
  /// The bytes of its files, as one-dimensional uint8 tensors: the model under the empty name, and
  /// the files with its weights under the names that it gives them.
  public var parts: [NamedTensor]

  public init(format: String, precision: String, parts: [NamedTensor]) {
    self.format = format
    self.precision = precision
    self.parts = parts
  }
}

/// Everything that a model file holds, in memory.
public struct ModelContents: Sendable {
  /// One program of the model.
  public struct Variant: Sendable {
    /// `fp32`, `bf16` …
    public var precision: String
    /// Operations (2 per multiply-add) of one run of the source graph.
    public var operationCount: Int
    public private(set) var program: Program
    /// The bytes of weights that the program uses, in whole 64-byte lines.
    public private(set) var weightByteCount: Int

    init(precision: String, operationCount: Int, program: Program, weightByteCount: Int) {
      self.precision = precision
      self.operationCount = operationCount
      self.program = program
      self.weightByteCount = weightByteCount
    }
  }

  public private(set) var variants: [Variant] = []
  package private(set) var weights = WeightLayout()
  public var processing = Processing()
  /// The source model, where it cannot become a program.
  public var source: SourceModel?
  /// The text of the calibration table; nil for none.
  public var calibration: String?
  public var selfTests: [SelfTest] = []
  /// Where the model comes from: the source file, the exporter, the release that compiled it.
  public var origin: [String: String] = [:]
  public var proof = ProofStatus.unproven

  public init() {}

  /// Adds a planned program and its constants, which are stored once however many programs share
  /// them.
  ///
  /// - Parameters:
  ///   - program: planned; its constants have no offsets yet.
  ///   - constants: the contents of the constant tensors, by operand.
  ///   - operationCount: operations (2 per multiply-add) of one run of the source graph.
  package mutating func add(
    _ program: Program, constants: [Operand: TensorBuffer], precision: String, operationCount: Int
  ) {
    var program = program
    let offsets = weights.add(constants)
    for (operand, offset) in offsets {
      program.tensors[Int(operand.index)].storage = .constant(offset: offset)
    }
    var lines: [Int: Int] = [:]
    for (operand, offset) in offsets {
      lines[offset] = ((constants[operand]?.byteCount ?? 0) + 63) & ~63
    }
    variants.append(
      Variant(
        precision: precision, operationCount: operationCount, program: program,
        weightByteCount: lines.values.reduce(0, +)))
  }
}
