import apus

#if canImport(Glibc)
  import Glibc
#endif

exit(ApusTool.main())
