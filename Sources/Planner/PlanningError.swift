/// Why a program cannot be given memory: it contradicts itself, or is too large.
public struct PlanningError: Error, Sendable, CustomStringConvertible {
  public var message: String

  package init(_ message: String) { self.message = message }

  public var description: String { message }
}
