#if canImport(Glibc)
  import Glibc
#endif

exit(ApusTool.run(Array(CommandLine.arguments.dropFirst())))
