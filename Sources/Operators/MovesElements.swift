/// An operator that passes elements on without computing with them, or by a function that keeps
/// their scale (a maximum, an interpolation), so that it works on the 8 bits of quantised values.
package protocol MovesElements: LoweredOperator {
  /// Whether all inputs are moved (a concatenation), or input 0 only.
  var movesAllInputs: Bool { get }
  /// Whether the operator as it is set up can work on 8 bits.
  var movesQuantized: Bool { get }
}

extension MovesElements {
  package var movesAllInputs: Bool { false }
  package var movesQuantized: Bool { true }
}
