import Tensors

/// Picks the negated element of each target class: y[n, d] = -x[n, target[n, d], d]·w[target[n,
/// d]].
///
/// x: [N, C, …]; target: int32 or int64 [N, …]; w: C numbers, or absent (1); y and shares: target's
/// shape, shares holding each element's weight. Elements whose target is `ignored` (if
/// `ignores`) are 0 with weight 0. x, w, y, shares: float32, bfloat16 or float64, dense. A target
/// that is no class is a fault at run time.
package struct PickLoss: Instruction {
  package static let opcode = "pick_loss"

  package var input = Operand.none
  package var target = Operand.none
  package var weights = Operand.none
  package var output = Operand.none
  package var shares = Operand.none
  package var ignores = false
  package var ignored = 0
  private var types: [ElementType] = []
  private var batch = 0
  private var classes = 0
  private var inner = 1

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.input("target", &target)
    visitor.input("weights", &weights)
    visitor.output("y", &output)
    visitor.output("shares", &shares)
    visitor.field("ignores", &ignores)
    visitor.field("ignored", &ignored)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let (x, index) = (preparation[input], preparation[target])
    let (y, share) = (preparation[output], preparation[shares])
    let weightType = weights.isPresent ? preparation[weights].type : .float32
    types = [x.type, weightType, y.type, share.type, index.type]
    let floats: Set<ElementType> = [.float32, .bfloat16, .float64]
    try preparation.require(
      floats.isSuperset(of: types.dropLast()) && [.int32, .int64].contains(index.type)
        && x.shape.rank >= 2 && y.shape == index.shape && share.shape == index.shape, self,
      "\(x.type) \(x.shape) for \(index.type) \(index.shape) into \(y.type) \(y.shape)")
    var wanted = x.shape.dimensions
    classes = wanted.remove(at: 1)
    try preparation.require(
      wanted == index.shape.dimensions, self, "\(x.shape) for targets \(index.shape)")
    try preparation.require(
      !weights.isPresent || preparation[weights].shape.elementCount == classes, self,
      "weights for \(classes) classes")
    batch = x.shape[0]
    inner = x.shape.dimensions[2...].reduce(1, *)
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let x = NumericElements(context.pointer(input), types[0])
    let w = weights.isPresent ? NumericElements(context.pointer(weights), types[1]) : nil
    let y = NumericElements(context.pointer(output), types[2])
    let share = NumericElements(context.pointer(shares), types[3])
    let labels = NumericElements(context.pointer(target), types[4])
    for place in context.share(of: batch * inner) {
      let label = labels.whole(place)
      var weight = 0.0
      var loss = 0.0
      if !ignores || label != ignored {
        if label >= 0 && label < classes {
          weight = w?.real(label) ?? 1
          loss = -x.real((place / inner * classes + label) * inner + place % inner) * weight
        } else {
          context.fail(.indexOutOfRange)
        }
      }
      y.set(loss, at: place)
      share.set(weight, at: place)
    }
  }
}
