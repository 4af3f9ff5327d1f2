import Accuracy
import Options

/// Pictures with what is known of each, in the order in which they are evaluated.
struct DataSet<Truth> {
  /// One picture.
  struct Item {
    /// Where the file is.
    var path: String
    var truth: Truth
  }

  var items: [Item] = []
  /// What does not fit together between pictures and annotations: counted, the first one named.
  var notes: [String] = []

  /// Adds a note where `names` has any.
  mutating func note(_ names: [String], _ one: String, _ several: String) {
    guard let first = names.first else { return }
    notes.append(
      names.count == 1 ? "1 \(one): \(first)" : "\(names.count) \(several), the first: \(first)")
  }
}

/// The right class of a picture.
struct KnownClass {
  var classIndex: Int
  /// Where it says so, e.g. `labels.csv: line 7`.
  var place: String
}

/// The objects in a picture.
struct KnownObjects {
  /// One object, its category counted as in `CategoryNames`, or else the model's class.
  struct Object {
    var category: Int
    var box: MeanAveragePrecision.Rectangle
    var isCrowd = false
    var area: Double?
    /// Where it says so.
    var place: String
  }

  var objects: [Object] = []
  /// Whether boxes are fractions of the picture's sides.
  var isNormalised = false
  /// The picture's size in pixels where the annotations state it.
  var size: (width: Int, height: Int)?

  /// The objects with boxes in pixels of a picture of this size.
  func truths(width: Int, height: Int) -> [MeanAveragePrecision.Truth] {
    objects.map { object in
      var box = object.box
      if isNormalised {
        box.x *= Double(width)
        box.width *= Double(width)
        box.y *= Double(height)
        box.height *= Double(height)
      }
      return MeanAveragePrecision.Truth(
        category: object.category, box: box, isCrowd: object.isCrowd, area: object.area)
    }
  }
}

/// A data set as it was found on the disk.
enum LabelledPictures {
  /// Objects; `categories` are the names by category, nil where categories are the model's classes.
  case objects(DataSet<KnownObjects>, categories: [String]?)
  /// Classes; `names` by class where folders are the classes.
  case classes(DataSet<KnownClass>, names: [String]?)

  /// The most bytes of annotations that are read from one file.
  static let maximumByteCount = 1 << 30

  /// Reads a folder of pictures and its annotations: a COCO JSON, a CSV table, a folder of YOLO
  /// texts; without any, the folder's own folders are the classes.
  ///
  /// - Throws: `VerbError` naming file and place.
  init(folder: String, annotations: String?) throws {
    guard FileKind.isDirectory(folder) else {
      throw VerbError(
        .inputMissing, "\(folder) is no directory; --dataset names a directory of pictures")
    }
    let tree = try PictureTree(folder)
    guard !tree.pictures.isEmpty else {
      throw VerbError(.inputMissing, "\(folder) holds no pictures")
    }
    guard let annotations else {
      self = try FolderClasses.read(tree)
      return
    }
    if FileKind.isDirectory(annotations) {
      self = try YOLOAnnotations.read(annotations, for: tree)
    } else {
      let bytes = try AnnotationFile.bytes(of: annotations)
      let first = bytes.first { $0 > 0x20 && $0 < 0x7F }
      self =
        first == UInt8(ascii: "{") || annotations.lowercased().hasSuffix(".json")
        ? try COCOAnnotations.read(bytes, annotations, for: tree)
        : try ClassTable.read(bytes, annotations, for: tree)
    }
  }
}

/// Sub-directories in name order are the classes.
enum FolderClasses {
  static func read(_ tree: PictureTree) throws -> LabelledPictures {
    guard !tree.folders.isEmpty else {
      throw VerbError(
        .usage,
        "\(tree.folder) has no sub-directories, which would be the classes; add --annotations")
    }
    let classes = Dictionary(
      uniqueKeysWithValues: tree.folders.enumerated().map { ($0.element, $0.offset) })
    var set = DataSet<KnownClass>()
    var loose: [String] = []
    var isEmpty = Set(tree.folders)
    for name in tree.pictures {
      guard let slash = name.firstIndex(of: "/"), let index = classes[String(name[..<slash])]
      else {
        loose.append(tree.path(of: name))
        continue
      }
      isEmpty.remove(String(name[..<slash]))
      set.items.append(
        .init(
          path: tree.path(of: name),
          truth: KnownClass(
            classIndex: index, place: "\(tree.folder): directory \(name[..<slash])")))
    }
    set.note(
      loose, "picture lies in no sub-directory and is left out",
      "pictures lie in no sub-directory and are left out")
    set.note(
      tree.folders.filter(isEmpty.contains), "sub-directory holds no pictures",
      "sub-directories hold no pictures")
    return .classes(set, names: tree.folders)
  }
}
