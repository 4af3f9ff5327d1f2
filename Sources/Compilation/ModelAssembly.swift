import Graphs
import Instructions
import ModelFile
import Planner
import Runtime
import Tensors

/// Puts compiled programs together into what a model file holds.
public enum ModelAssembly {
  /// Plans the memory of each program and adds it with its weights; equal weights are kept once.
  ///
  /// - Throws: `CompileError` where a program cannot be planned.
  public static func contents(
    of programs: [CompiledProgram], origin: [String: String] = [:]
  ) throws(CompileError) -> ModelContents {
    var contents = ModelContents()
    contents.origin = origin
    for compiled in programs {
      var program = compiled.lowered.program
      // Constants need a place before planning; the file's layout gives them their own.
      do throws(RuntimeError) {
        _ = try Weights(compiled.lowered.constants, of: &program)
      } catch {
        throw CompileError(.internalError, error.message)
      }
      do throws(PlanningError) {
        _ = try MemoryPlanner.plan(&program)
      } catch {
        throw CompileError(.internalError, error.message)
      }
      contents.add(
        program, constants: compiled.lowered.constants, precision: compiled.precision.rawValue,
        operationCount: OperationCount.of(compiled.source))
    }
    return contents
  }

  /// A model of the programs in memory, without a file.
  public static func model(of contents: ModelContents) throws(CompileError) -> Model {
    do throws(RuntimeError) {
      return try Model(contents)
    } catch {
      throw CompileError(.internalError, error.message, place: error.place)
    }
  }
}
