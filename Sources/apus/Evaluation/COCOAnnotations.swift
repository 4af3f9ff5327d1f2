import Accuracy
import Options
import Texts

/// COCO's JSON: `images`, `categories` and `annotations`, tied together by their ids.
///
/// Pictures are evaluated in the order of their ids; categories are numbered in the order of
/// theirs.
enum COCOAnnotations {
  /// What is read of an image.
  private struct Image {
    var id: Int
    var file: String
    var known: KnownObjects
    var position: TextPosition
  }

  static func read(
    _ bytes: [UInt8], _ path: String, for tree: PictureTree
  ) throws -> LabelledPictures {
    let root: JSONNode
    do throws(JSONError) {
      root = try JSONNode(
        parsing: bytes, byteLimit: LabelledPictures.maximumByteCount,
        skipping: ["segmentation", "keypoints", "info", "licenses"])
    } catch {
      throw AnnotationFile.error(path, error.position, error.message)
    }
    let reader = Reader(path: path)
    let categories = try reader.categories(root)
    var images = try reader.images(root)
    let places = Dictionary(uniqueKeysWithValues: images.indices.map { (images[$0].id, $0) })
    let numbers = Dictionary(
      uniqueKeysWithValues: categories.enumerated().map { ($0.element.id, $0.offset) })
    for (number, node) in try reader.list(root, "annotations").enumerated() {
      let record = Record(node, path, "annotation \(number)")
      let imageID = try record.integer("image_id")
      let categoryID = try record.integer("category_id")
      guard let image = places[imageID] else {
        throw record.error("image_id", "there is no image with the id \(imageID)")
      }
      guard let category = numbers[categoryID] else {
        throw record.error("category_id", "there is no category with the id \(categoryID)")
      }
      images[image].known.objects.append(
        .init(
          category: category, box: try record.box("bbox"), isCrowd: try record.flag("iscrowd"),
          area: try record.number("area"), place: "\(path): \(node.position)"))
    }
    return try reader.matched(images, categories.map(\.name), tree)
  }

  /// Reads the lists of one document.
  private struct Reader {
    let path: String

    func list(_ root: JSONNode, _ key: String) throws -> [JSONNode] {
      guard let node = root[key] else {
        throw AnnotationFile.error(
          path, root.position,
          "the list \"\(key)\" is missing; COCO annotations have images, categories, annotations")
      }
      guard let elements = node.elements else {
        throw AnnotationFile.error(path, node.position, "\"\(key)\" is no list")
      }
      return elements
    }

    /// The categories in the order of their ids.
    func categories(_ root: JSONNode) throws -> [(id: Int, name: String)] {
      var seen = Set<Int>()
      var result: [(id: Int, name: String)] = []
      for (number, node) in try list(root, "categories").enumerated() {
        let record = Record(node, path, "category \(number)")
        let id = try record.integer("id")
        guard seen.insert(id).inserted else {
          throw record.error("id", "two categories have the id \(id)")
        }
        result.append((id, try record.string("name")))
      }
      guard !result.isEmpty else {
        throw AnnotationFile.error(path, root.position, "\"categories\" is empty")
      }
      return result.sorted { $0.id < $1.id }
    }

    /// The images in the order of their ids.
    func images(_ root: JSONNode) throws -> [Image] {
      var seen = Set<Int>()
      var result: [Image] = []
      for (number, node) in try list(root, "images").enumerated() {
        let record = Record(node, path, "image \(number)")
        let id = try record.integer("id")
        guard seen.insert(id).inserted else {
          throw record.error("id", "two images have the id \(id)")
        }
        var known = KnownObjects()
        if let width = node["width"]?.integer, let height = node["height"]?.integer {
          known.size = (width, height)
        }
        result.append(
          Image(
            id: id, file: try record.string("file_name"), known: known, position: node.position))
      }
      return result.sorted { $0.id < $1.id }
    }

    /// Brings images and pictures together.
    func matched(
      _ images: [Image], _ names: [String], _ tree: PictureTree
    ) throws -> LabelledPictures {
      let index = PictureIndex(tree.pictures)
      var isUsed = [Bool](repeating: false, count: tree.pictures.count)
      var set = DataSet<KnownObjects>()
      var missing: [String] = []
      for image in images {
        guard let picture = index[image.file] else {
          missing.append("\(image.file) (\(image.position))")
          continue
        }
        isUsed[picture] = true
        set.items.append(
          .init(path: tree.path(of: tree.pictures[picture]), truth: image.known))
      }
      guard !set.items.isEmpty else {
        throw VerbError(
          .badInput,
          images.isEmpty
            ? "\(path) names no images"
            : "\(path): none of its images is in \(tree.folder): it names \(missing[0]), and there "
              + "is \(tree.pictures[0])")
      }
      set.note(
        tree.pictures.indices.filter { !isUsed[$0] }.map { tree.pictures[$0] },
        "picture has no annotation and is left out",
        "pictures have no annotation and are left out")
      set.note(
        missing, "annotated picture is not in \(tree.folder) and does not count",
        "annotated pictures are not in \(tree.folder) and do not count")
      return .objects(set, categories: names)
    }
  }

  /// One object of a list, with the messages for what is wrong with its fields.
  private struct Record {
    let node: JSONNode
    let path: String
    let name: String

    init(_ node: JSONNode, _ path: String, _ name: String) {
      self.node = node
      self.path = path
      self.name = name
    }

    func error(_ key: String, _ message: String) -> VerbError {
      AnnotationFile.error(path, node[key]?.position ?? node.position, "\(name): \(message)")
    }

    private func required(_ key: String) throws -> JSONNode {
      guard let field = node[key] else {
        throw error(key, node.fields == nil ? "is no object" : "\"\(key)\" is missing")
      }
      return field
    }

    func integer(_ key: String) throws -> Int {
      guard let value = try required(key).integer else {
        throw error(key, "\"\(key)\" is no whole number")
      }
      return value
    }

    func string(_ key: String) throws -> String {
      guard let value = try required(key).string, !value.isEmpty else {
        throw error(key, "\"\(key)\" is no text")
      }
      return value
    }

    func number(_ key: String) throws -> Double? {
      guard let field = node[key] else { return nil }
      guard let value = field.number else { throw error(key, "\"\(key)\" is no number") }
      return value
    }

    func flag(_ key: String) throws -> Bool {
      guard let field = node[key] else { return false }
      if let value = field.bool { return value }
      guard let value = field.integer, value == 0 || value == 1 else {
        throw error(key, "\"\(key)\" is neither 0 nor 1")
      }
      return value == 1
    }

    func box(_ key: String) throws -> MeanAveragePrecision.Rectangle {
      let sides = try required(key).elements?.compactMap(\.number) ?? []
      guard sides.count == 4, try required(key).elements?.count == 4 else {
        throw error(key, "\"\(key)\" is not [x, y, width, height]")
      }
      guard sides[2] >= 0, sides[3] >= 0 else {
        throw error(key, "\"\(key)\" has a negative width or height")
      }
      return .init(x: sides[0], y: sides[1], width: sides[2], height: sides[3])
    }
  }
}
