#if canImport(Glibc)
  import Glibc
#endif

Interruption.handle()
exit(ApusTool.run(Array(CommandLine.arguments.dropFirst())))
