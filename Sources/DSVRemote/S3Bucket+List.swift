package import DSVFormat

extension S3Bucket {
  private static let listByteCountMax = 8 << 20

  /// What one answer shows.
  private struct Page {
    var objects: [(name: String, byteCount: Int)] = []
    var isTruncated = false
  }

  package func list(prefix: String, after: String?, limit: Int) throws(DSVError) -> [BucketEntry] {
    precondition((1...1000).contains(limit), "1 to 1000 keys are listed at a time")
    let base = client.place.full("")
    var found: [BucketEntry] = []
    var last = after.map { base + $0 }
    while true {
      let page = try page(base + prefix, behind: last, limit)
      for (object, byteCount) in page.objects where found.count < limit {
        let key = String(decoding: object.utf8.dropFirst(base.utf8.count), as: UTF8.self)
        // Left out, one of ours with a bit flipped would seem not to be there. Where all is listed, others' may be among them.
        let isOurs = BucketKey.isValid(key)
        // Bytes are compared, as S3 does it: two strings may be one text and yet two keys.
        guard object.utf8.starts(with: (base + prefix).utf8), isOurs || prefix.isEmpty else {
          throw DSVError(.corrupt, "\(name): its list of keys has one that was not asked for")
        }
        if isOurs { found.append(BucketEntry(key, byteCount: byteCount)) }
      }
      guard page.isTruncated, found.count < limit else { return found }
      guard let next = page.objects.last?.name else {
        throw DSVError(.corrupt, "\(name): a page of its keys leads nowhere")
      }
      last = next
    }
  }

  private func page(_ prefix: String, behind: String?, _ limit: Int) throws(DSVError) -> Page {
    var call = S3Client.Call(kind: .list, method: "GET", object: nil, subject: name)
    call.query = [
      ("list-type", "2"), ("max-keys", "\(limit)"), ("prefix", prefix), ("encoding-type", "url"),
    ]
    if let behind { call.query.append(("start-after", behind)) }
    call.limit = Self.listByteCountMax
    // What came broken may come whole the next time.
    call.damage = { response in
      do throws(DSVError) { _ = try page(response, behind: behind) } catch { return error.message }
      return nil
    }
    return try page(try client.send(call), behind: behind)
  }

  /// What an answer shows. Where it is broken, the message leaves out of what: whoever asked says that.
  private func page(_ response: HTTPResponse, behind: String?) throws(DSVError) -> Page {
    let list = try XMLElement(parsing: response.body, of: "its list of keys")
    guard list.name == "ListBucketResult" else {
      throw DSVError(.corrupt, "its list of keys is none")
    }
    let isEncoded = list.text(of: "EncodingType") == "url"
    // What is damaged on its way must not look like a list that ends: nobody would miss the rest.
    let isTruncated = list.text(of: "IsTruncated")
    guard ["true", "false"].contains(isTruncated) else {
      throw DSVError(.corrupt, "its list of keys does not say whether it goes on")
    }
    var page = Page(isTruncated: isTruncated == "true")
    var last = Array((behind ?? "").utf8)
    for entry in list.all("Contents") {
      let text = entry.text(of: "Key")
      let object = isEncoded ? text.flatMap(PercentEncoding.decode) : text
      guard let object, let byteCount = entry.text(of: "Size").flatMap({ Int($0) }), byteCount >= 0 else {
        throw DSVError(.corrupt, "its list of keys has one without a name or a size")
      }
      // Some servers begin with the key that the list is to begin behind.
      if behind != nil, page.objects.isEmpty, last.elementsEqual(object.utf8) { continue }
      guard last.lexicographicallyPrecedes(object.utf8) else {
        throw DSVError(.corrupt, "its list of keys is not in order")
      }
      last = Array(object.utf8)
      page.objects.append((object, byteCount))
    }
    return page
  }
}
