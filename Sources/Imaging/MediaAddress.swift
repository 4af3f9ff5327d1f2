/// What a name of a source says: a file or an address, and how it may be shown.
public enum MediaAddress {
  /// Says whether a name is an address on a network, not a file.
  public static func isAddress(_ name: String) -> Bool {
    name.contains("://") && !name.lowercased().hasPrefix("file://")
  }

  /// Returns the name as it may be printed: with *** in place of a password.
  ///
  /// `rtsp://user:secret@host/path` becomes `rtsp://user:***@host/path`.
  public static func masked(_ name: String) -> String {
    guard let mark = name.firstRange(of: "://") else { return name }
    let rest = name[mark.upperBound...]
    let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    // A password may hold further signs of both kinds: the last @ ends it, the first : begins it.
    guard let end = authority.lastIndex(of: "@"),
      let colon = authority[..<end].firstIndex(of: ":")
    else { return name }
    return name[...colon] + "***" + name[end...]
  }
}
