import Testing

@testable import Instructions

@Suite struct InstructionCatalogTests {
  @Test func `every opcode finds its instruction`() {
    for type in InstructionCatalog.all {
      let found = InstructionCatalog.type(opcode: type.opcode)
      #expect(found.map { $0 == type } ?? false, "\(type.opcode)")
    }
    #expect(InstructionCatalog.type(opcode: "no_such_instruction") == nil)
  }
}
