import CFFmpeg
import CMedia

#if canImport(Glibc)
  import Glibc
#endif

/// A file or an address, and how it may be opened.
struct MediaAddress {
  /// What FFmpeg is given.
  let url: String
  /// The scheme in small letters; nil for a file.
  let scheme: String?
  /// The protocols that this source may use, also through names in its own contents.
  private let protocols: String

  var isAddress: Bool { scheme != nil }

  /// The host that this machine has to find; nil for a file, where an address has none, and where
  /// a proxy finds it.
  var host: String? {
    guard let scheme, let mark = url.firstRange(of: "://"),
      !scheme.hasPrefix("http") || getenv("http_proxy") == nil
    else { return nil }
    let authority = url[mark.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    let place = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] }
    let named = place ?? authority
    if named.first == "[" {
      return String(named.dropFirst().prefix { $0 != "]" })
    }
    let host = named.prefix { $0 != ":" }
    return host.isEmpty ? nil : String(host)
  }

  private static let web = "http,https,httpproxy,tcp,tls,crypto,data"
  private static let messages =
    "rtmp,rtmpe,rtmps,rtmpt,rtmpte,rtmpts,ffrtmphttp,ffrtmpcrypt,"
    + "http,https,tcp,tls"

  /// The addresses that are opened: the scheme and what it needs. None reaches local files.
  private static let schemes: [String: String] = [
    "rtsp": "rtsp,rtp,srtp,udp,tcp,tls,http,https", "rtsps": "rtsp,rtp,srtp,udp,tcp,tls",
    "http": web, "https": web,
    "rtmp": messages, "rtmps": messages, "rtmpt": messages, "rtmpe": messages,
    "rtmpte": messages, "rtmpts": messages,
    "rtp": "rtp,udp", "srtp": "srtp,rtp,udp", "udp": "udp", "tcp": "tcp", "tls": "tls,tcp",
    "srt": "srt,udp", "rist": "rist,udp", "ftp": "ftp,tcp", "sftp": "sftp",
    "mmsh": "mmsh,http,tcp", "mmst": "mmst,tcp",
  ]

  /// Reads a name: an address where it holds "://", else a path.
  init(_ name: String) throws(MediaError) {
    guard let mark = name.firstRange(of: "://") else {
      self.init(path: name)
      return
    }
    let scheme = name[..<mark.lowerBound].lowercased()
    if scheme == "file" {
      self.init(path: String(name[mark.upperBound...]))
      return
    }
    guard let protocols = MediaAddress.schemes[scheme] else {
      let known = MediaAddress.schemes.keys.sorted().joined(separator: ", ")
      throw MediaError(
        APUS_MEDIA_UNSUPPORTED,
        "addresses of the kind \(scheme):// are not read; those are \(known)")
    }
    self.init(url: name, scheme: scheme, protocols: protocols)
  }

  private init(url: String, scheme: String?, protocols: String) {
    self.url = url
    self.scheme = scheme
    self.protocols = protocols
  }

  private init(path: String) {
    // A file may not name others, near or far; it is itself opened before this holds.
    self.init(url: "file:" + path, scheme: nil, protocols: "none")
  }

  /// The options for opening; the caller frees them.
  func options(_ limits: DecodingLimits) -> OpaquePointer? {
    var options: OpaquePointer?
    av_dict_set(&options, "protocol_whitelist", protocols, 0)
    guard let scheme else { return options }
    if scheme.hasPrefix("rtsp") {
      av_dict_set(&options, "rtsp_transport", limits.isOverUDP ? "udp" : "tcp", 0)
      av_dict_set(&options, "allowed_media_types", "video", 0)
    }
    // How much is read ahead to find out what the streams are, in microseconds.
    av_dict_set(&options, "analyzeduration", "2000000", 0)
    return options
  }

  /// Throws where a path is nothing that can be read.
  func checkFile() throws(MediaError) {
    guard !isAddress else { return }
    var status = stat()
    guard stat(String(url.dropFirst(5)), &status) == 0 else {
      throw MediaError(-errno, "cannot be opened")
    }
    guard status.st_mode & S_IFMT != S_IFDIR else {
      throw MediaError(APUS_MEDIA_UNREADABLE, "is a directory")
    }
  }
}

extension MediaError {
  /// Makes the error of a failed network operation: what happened, after how long, what to do.
  init(network result: Int32, _ what: String, _ watch: Watch) {
    let text = MediaError.text(result)
    switch result {
    case ff_AVERROR_HTTP_UNAUTHORIZED, ff_AVERROR_HTTP_FORBIDDEN, -EACCES, -EPERM:
      self.init(
        APUS_MEDIA_CONNECTION,
        "\(what): the server refuses these credentials (\(text)); give a user and password that it "
          + "knows: scheme://USER:PASSWORD@host/…")
    case ff_AVERROR_HTTP_NOT_FOUND, ff_AVERROR_HTTP_BAD_REQUEST, ff_AVERROR_HTTP_OTHER_4XX:
      self.init(
        APUS_MEDIA_CONNECTION,
        "\(what): the server has no such stream (\(text)); check the path behind the host")
    case ff_AVERROR_HTTP_SERVER_ERROR:
      self.init(
        APUS_MEDIA_CONNECTION, "\(what): the server failed (\(text)); look into the server's log")
    case -ECONNREFUSED:
      self.init(
        APUS_MEDIA_CONNECTION,
        "\(what): nobody listens there (\(text), after \(watch.elapsed)); check host and port, and "
          + "that the server runs")
    case -EHOSTUNREACH, -ENETUNREACH, -ENETDOWN, -EHOSTDOWN, -EADDRNOTAVAIL:
      self.init(
        APUS_MEDIA_CONNECTION,
        "\(what): the host cannot be reached (\(text), after \(watch.elapsed)); check the address "
          + "and the network")
    case -ETIMEDOUT:
      self.init(
        APUS_MEDIA_TIMED_OUT,
        "\(what): no answer (\(text), after \(watch.elapsed)); check the address and the network")
    case -EMFILE, -ENFILE, ff_AVERROR_INVALIDDATA, ff_AVERROR_ENOMEM, ff_AVERROR_DECODER_NOT_FOUND,
      ff_AVERROR_PATCHWELCOME, ff_AVERROR_PROTOCOL_NOT_FOUND:
      self.init(result, what)
    default:
      self.init(
        APUS_MEDIA_CONNECTION,
        "\(what): the connection failed or was closed (\(text), after \(watch.elapsed)); check "
          + "that the server runs and the host's name is right")
    }
  }
}
