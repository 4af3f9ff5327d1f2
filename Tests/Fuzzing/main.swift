#if canImport(Glibc)
  import Glibc
#endif

exit(FuzzDriver.run())
